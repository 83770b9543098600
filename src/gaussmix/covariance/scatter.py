"""What a covariance estimate needs of the rows: each component's mass and second moment about its mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

from gaussmix._linalg import Array, read_only, unpack


class Moment(Enum):
    """The second moments that a structure's estimate looks at, cheapest first."""

    TRACE = "trace"
    """x'x: one number per component."""
    DIAGONAL = "diagonal"
    """Squares of each feature: D numbers per component."""
    POOLED = "pooled"
    """x x' summed over the components: one symmetric matrix."""
    FULL = "full"
    """x x': one symmetric matrix per component."""

    def width(self, n_features: int) -> int:
        """Numbers kept per component; those of `POOLED` are kept once, beside the components."""
        widths = {
            Moment.TRACE: 1,
            Moment.DIAGONAL: n_features,
            Moment.POOLED: 0,
            Moment.FULL: n_features * (n_features + 1) // 2,
        }
        return widths[self]


@final
@dataclass(frozen=True, eq=False)
class Scatter:
    """Mass and scatter about the means of K components; two of them add when their means are the same.

    Parameters
    ----------
    moment : Moment
        What `values` holds.
    mass : array (K,)
        Sum of weight times responsibility, in rows.
    values : array
        (K,) traces for `TRACE`, (K, D) diagonals for `DIAGONAL`, (1, D, D) the sum over components for `POOLED`,
        (K, D, D) for `FULL`; in squared data units times rows.
    n_features : int
        D.
    """

    moment: Moment
    mass: Array
    values: Array
    n_features: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "mass", read_only(self.mass))
        object.__setattr__(self, "values", read_only(self.values))

    @classmethod
    def from_packed(cls, mass: Array, packed: Array, n_features: int) -> Scatter:
        """Full scatters from their packed lower triangles (K, D(D+1)/2)."""
        return cls(Moment.FULL, mass, unpack(packed, n_features), n_features)

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return self.mass.shape[0]

    def __add__(self, other: Scatter) -> Scatter:
        if self.moment is not other.moment:
            raise ValueError(f"cannot add scatters of different moments: {self.moment} and {other.moment}")
        return Scatter(self.moment, self.mass + other.mass, self.values + other.values, self.n_features)

    def matrices(self) -> Array:
        """Per-component scatters (K, D, D); needs `FULL`."""
        if self.moment is not Moment.FULL:
            raise ValueError(f"this structure needs full scatters, but only {self.moment.value} ones were kept")
        return self.values

    def diagonals(self) -> Array:
        """Diagonals (K, D) of the components' scatters; needs `DIAGONAL` or `FULL`."""
        if self.moment is Moment.DIAGONAL:
            return self.values
        return np.diagonal(self.matrices(), axis1=1, axis2=2)

    def traces(self) -> Array:
        """Traces (K,) of the components' scatters; needs any moment but `POOLED`."""
        return self.values if self.moment is Moment.TRACE else self.diagonals().sum(axis=1)

    def pooled(self) -> Array:
        """Return the sum (D, D) of all components' scatters; needs `POOLED` or `FULL`."""
        return self.values[0] if self.moment is Moment.POOLED else self.matrices().sum(axis=0)

    def plus_diagonal(self, diagonal: Array, rows: Array) -> Scatter:
        """Add `rows` (K,) times the diagonal matrix with `diagonal` (D,) to the components' scatters."""
        if self.moment is Moment.TRACE:
            added = rows * diagonal.sum()
        elif self.moment is Moment.DIAGONAL:
            added = rows[:, None] * diagonal
        elif self.moment is Moment.POOLED:
            added = rows.sum() * np.diag(diagonal)
        else:
            added = rows[:, None, None] * np.diag(diagonal)
        return Scatter(self.moment, self.mass, self.values + added, self.n_features)

    def plus(self, matrices: Array) -> Scatter:
        """Add symmetric matrices (K, D, D) to the components' scatters, or what of them is kept."""
        if self.moment is Moment.POOLED:
            added = matrices.sum(axis=0, keepdims=True)
        elif self.moment is Moment.FULL:
            added = matrices
        else:
            diagonals = np.diagonal(matrices, axis1=1, axis2=2)
            added = diagonals.sum(axis=1) if self.moment is Moment.TRACE else diagonals
        return Scatter(self.moment, self.mass, self.values + added, self.n_features)
