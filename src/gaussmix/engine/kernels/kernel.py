"""What a kernel promises: sums over a segment of rows, and log densities of its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Moment
from gaussmix.engine.plan import Form, Plan


class Sums(NamedTuple):
    """What a pass adds up, in place; the arrays of `Statistics`.

    `totals` (K, 1 + D + S); `pooled` (D, D), or (0, 0) where it is not needed; `kish` (K,); `scalars` (3,): sums of
    weight times log density, of weight times its absolute value, and of weights.
    """

    totals: Array
    pooled: Array
    kish: Array
    scalars: Array

    @classmethod
    def zero(cls, plan: Plan) -> Sums:
        """Return empty sums for one plan."""
        d = plan.n_features
        pooled = d if plan.moment is Moment.POOLED and plan.form is Form.ANCHORED else 0
        return cls(
            np.zeros((plan.n_components, 1 + d + plan.moment.width(d))),
            np.zeros((pooled, pooled)),
            np.zeros(plan.n_components),
            np.zeros(3),
        )

    def plus(self, other: Sums) -> Sums:
        """Add `other` in place."""
        for mine, theirs in zip(self, other, strict=True):
            np.add(mine, theirs, out=mine)
        return self


class RowScores(NamedTuple):
    """What a mixture says of consecutive rows.

    `labels` (rows,), `responsibilities` (rows, K), `uncertainty` (rows,) being 1 minus the largest responsibility,
    `log_prob` (rows,) in log density per unit of volume.
    """

    labels: NDArray[np.int64]
    responsibilities: Array
    uncertainty: Array
    log_prob: Array

    @classmethod
    def empty(cls, n_rows: int, n_components: int) -> Self:
        """Return room for the scores of `n_rows` rows."""
        responsibilities = np.empty((n_rows, n_components))
        return cls(np.empty(n_rows, dtype=np.int64), responsibilities, np.empty(n_rows), np.empty(n_rows))

    def fill(self, rows: slice, scores: RowScores) -> None:
        """Write the scores of some of the rows."""
        for mine, theirs in zip(self, scores, strict=True):
            mine[rows] = theirs

    def part(self, rows: slice) -> RowScores:
        """Return the scores of some of the rows, as views."""
        return RowScores(self.labels[rows], self.responsibilities[rows], self.uncertainty[rows], self.log_prob[rows])


class Kernel(ABC):
    """Computes blocks of rows; single-threaded, and free of the interpreter's lock where it counts.

    Rows come as they are in the source, float64 or float32, in the user's units; a segment starts at a block's
    start. `docs/mathematics.md` has the equations.
    """

    @property
    def by_columns(self) -> bool:
        """Whether `accumulate` takes rows that lie column by column in memory, without another bit in the sums."""
        return False

    @abstractmethod
    def accumulate(self, plan: Plan, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add one segment's sums under the responsibilities of the plan's mixture to `sums`.

        Parameters
        ----------
        plan : Plan
            The mixture made ready.
        x : array (rows, D)
            Rows in data units.
        weights : array (rows,) or None
            Row weights.
        sums : Sums
            Added to in place.
        """

    @abstractmethod
    def densities(self, plan: Plan, x: NDArray[np.floating]) -> Array:
        """Log of mixing weight times density of every component and row, (K, rows).

        Parameters
        ----------
        plan : Plan
            The mixture made ready.
        x : array (rows, D)
            Rows in data units, any number of them.
        """

    @abstractmethod
    def score(self, plan: Plan, x: NDArray[np.floating], scores: RowScores) -> None:
        """Write labels, responsibilities, uncertainty and log density of every row.

        A row whose every density underflows belongs to its first component and has the log density -inf.

        Parameters
        ----------
        plan : Plan
            The mixture made ready.
        x : array (rows, D)
            Rows in data units, any number of them.
        scores : RowScores
            Of as many rows; written to.
        """

    def scores(self, plan: Plan, x: NDArray[np.floating]) -> RowScores:
        """Return what `score` writes, in new arrays."""
        scores = RowScores.empty(x.shape[0], plan.n_components)
        self.score(plan, x, scores)
        return scores

    @abstractmethod
    def appraise(self, plan: Plan, x: NDArray[np.floating], weights: Array | None) -> Array:
        """Totals (3 + 3K,) of one segment of rows, in the order of `scoring.Appraisal`.

        Sums of weight times log density, times the log of the largest responsibility, and times the entropy of the
        responsibilities; then, per component, sums of weight times responsibility and of its square, and the weight of
        the rows whose largest responsibility it is.

        Parameters
        ----------
        plan : Plan
            The mixture made ready.
        x : array (rows, D)
            Rows in data units.
        weights : array (rows,) or None
            Row weights.
        """
