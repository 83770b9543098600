"""What a mixture says of each row: labels, responsibilities, uncertainty, log density; and its totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.data.source import Chunk
from gaussmix.engine.fold import Fold
from gaussmix.engine.kernels.kernel import Kernel, RowScores
from gaussmix.engine.plan import Plan
from gaussmix.errors import MissingValuesError
from gaussmix.mixture import Mixture
from gaussmix.statistics import kish_rows


def score_rows(
    plan: Plan, kernel: Kernel, mixture: Mixture, chunk: Chunk, scores: RowScores | None = None
) -> RowScores:
    """Score a stretch of rows; rows of weight zero with missing values get label -1 and NaN.

    `mixture` answers for rows so far out that every density underflows. What is returned is written to `scores` if
    there are any.

    Raises
    ------
    MissingValuesError
        When a row has missing or infinite values.
    """
    used = _require_finite(chunk, mixture.feature_names)
    scores = RowScores.empty(len(chunk.x), plan.n_components) if scores is None else scores
    kernel.score(plan, chunk.x, scores)
    labels, responsibilities, uncertainty, log_prob = scores
    far = np.flatnonzero(~np.isfinite(log_prob))
    if len(far):
        nearest = mixture.responsibilities(np.asarray(chunk.x[far], dtype=np.float64))
        responsibilities[far], labels[far], uncertainty[far] = nearest, nearest.argmax(axis=1), 0.0
    if used is not None and not used.all():
        labels[~used] = -1
        responsibilities[~used], uncertainty[~used], log_prob[~used] = np.nan, np.nan, np.nan
    return scores


def _require_finite(chunk: Chunk, names: tuple[str, ...] | None) -> NDArray[np.bool_] | None:
    """Return which rows (rows,) are to be scored, or None for all."""
    if not np.isfinite(chunk.x).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(chunk.x))[0])
        infinite = bool(np.isinf(chunk.x[row, column]))
        cure = (
            "replace it by a number, or by a missing value and drop such rows"
            if infinite
            else 'drop such rows with missing="drop" (--missing drop), or fill them in'
        )
        raise MissingValuesError(
            f"row {chunk.start + row} (counting from 0) has {'an infinite' if infinite else 'a missing'} value, of the "
            f"model's feature {column + 1 if names is None else repr(names[column])}; {cure}"
        )
    return None if chunk.weights is None else chunk.weights > 0.0


@final
@dataclass(frozen=True, eq=False)
class Appraisal:
    """What a mixture says of all rows together.

    Parameters
    ----------
    log_likelihood : float
        Sum of weight times log density.
    classification : float
        Sum of weight times the log of the largest responsibility.
    entropy : float
        Minus the sum of weight times responsibility times its log.
    mass, kish : array (K,)
        Sums of weight times responsibility, and of its square.
    assigned : array (K,)
        Weight of the rows whose most probable component this is.
    """

    log_likelihood: float
    classification: float
    entropy: float
    mass: Array
    kish: Array
    assigned: Array

    @classmethod
    def of(cls, totals: Array) -> Self:
        """Name totals (3 + 3K,), in the order of the fields."""
        mass, kish, assigned = totals[3:].reshape(3, -1)
        return cls(float(totals[0]), float(totals[1]), float(totals[2]), mass, kish, assigned)

    @property
    def score(self) -> float:
        """Mean log density per unit of weight."""
        return self.log_likelihood / float(self.mass.sum())

    @property
    def kish_rows(self) -> Array:
        """Number of equally weighted rows (K,) that each component rests on (Kish 1965)."""
        return kish_rows(self.mass, self.kish)


@final
@dataclass(frozen=True, eq=False)
class AppraisalFold(Fold[Array, Appraisal]):
    """One read that appraises a mixture; the state is an array (3 + 3K,)."""

    plan: Plan
    kernel: Kernel

    @property
    def state_bytes(self) -> int:
        """Bytes of the totals."""
        return 8 * (3 + 3 * self.plan.n_components)

    def segment(self, chunk: Chunk) -> Array:
        """Return the totals of one segment."""
        _require_finite(chunk, None)
        return self.kernel.appraise(self.plan, chunk.x, chunk.weights)

    def merge(self, left: Array, right: Array) -> Array:
        """Add."""
        return left + right

    def finish(self, state: Array) -> Appraisal:
        """Name the totals."""
        return Appraisal.of(state)
