"""Which components rest on the regularization, or on too few rows, rather than on the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Structure
from gaussmix.covariance.regularization import Regularization
from gaussmix.mixture import Mixture

LARGEST_SHARE = 0.01
"""Of a component's scatter in some direction, that the regularization may supply."""


@final
@dataclass(frozen=True)
class Degeneracy:
    """What is wrong with one component.

    Parameters
    ----------
    component : int
        Its position in the mixture.
    share : float
        Largest share, over directions, of its scatter that the regularization supplies.
    features : tuple of int
        The features that this direction is made of.
    rows, least : float, int
        Kish rows that it rests on, and the number that it would need more than.
    rounded : tuple of int
        The features in which it is narrower than the step to which they are rounded.
    """

    component: int
    share: float
    features: tuple[int, ...]
    rows: float
    least: int
    rounded: tuple[int, ...] = ()

    def sentence(self, feature_names: tuple[str, ...]) -> str:
        """What was found and what to do, for the user."""
        who = f"component {self.component + 1}"
        if self.rows <= self.least:
            return (
                f"{who} rests on {self.rows:.3g} rows, and needs more than {self.least} for its covariance; "
                "use fewer components, a simpler structure, or check those rows"
            )
        if self.rounded and self.share <= LARGEST_SHARE:
            columns = ", ".join(feature_names[i] for i in self.rounded)
            return (
                f"{who} is narrower in {columns} than the step to which the values are rounded; use fewer components, "
                "one structure for all (EEE), or leave such columns out"
            )
        columns = ", ".join(feature_names[i] for i in self.features)
        return (
            f"{who} has almost no spread in {columns}: {self.share:.0%} of it there is regularization; leave out "
            "constant or redundant columns, or use fewer components"
        )


def find_degenerate(
    mixture: Mixture,
    structure: Structure,
    regularization: Regularization,
    mass: Array,
    kish_rows: Array,
    steps: Array | None = None,
) -> tuple[Degeneracy, ...]:
    """Find the degenerate components of a mixture.

    Parameters
    ----------
    mixture : Mixture
        In the coordinates of `regularization`.
    structure, regularization : Structure, Regularization
        With which it was fitted.
    mass, kish_rows : array (K,)
        Rows' worth of weight in each component, and equally weighted rows that it rests on.
    steps : array (D,), optional
        To which the features are rounded, in the mixture's coordinates. Rounding alone spreads values by a twelfth of
        the step's square: a variance below that has been bought with ties.
    """
    least = max(2, structure.n_own_parameters(mixture.n_features))
    narrow = np.zeros((len(mass), mixture.n_features), dtype=bool)
    if steps is not None:
        narrow |= mixture.spread.variances() < np.square(steps) / 12.0
    sane = (kish_rows > least).all() and not narrow.any()
    if sane and regularization.supplies_less(mixture.spread, mass, LARGEST_SHARE):
        return ()
    shares, directions = regularization.shares(mixture.spread, mass)
    wrong = np.flatnonzero((shares > LARGEST_SHARE) | (kish_rows <= least) | narrow.any(axis=1))
    return tuple(
        Degeneracy(
            *(int(k), float(shares[k]), _leading(directions[k]), float(kish_rows[k]), least),
            tuple(int(i) for i in np.flatnonzero(narrow[k])),
        )
        for k in wrong
    )


def _leading(direction: NDArray[np.float64]) -> tuple[int, ...]:
    size = np.abs(direction)
    return tuple(int(i) for i in np.flatnonzero(size >= 0.3 * size.max()))
