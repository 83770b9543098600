"""What a mixture says of each row: labels, responsibilities, uncertainty, log density; and its totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.data.source import Chunk
from gaussmix.engine.assignment import SOFT
from gaussmix.engine.fold import Fold
from gaussmix.engine.kernels.kernel import Kernel
from gaussmix.engine.plan import Plan
from gaussmix.mixture import Mixture


class RowScores(NamedTuple):
    """What a mixture says of consecutive rows.

    `labels` (rows,), `responsibilities` (rows, K), `uncertainty` (rows,) being 1 minus the largest responsibility,
    `log_prob` (rows,) in log density per unit of volume.
    """

    labels: NDArray[np.int64]
    responsibilities: Array
    uncertainty: Array
    log_prob: Array


def score_rows(plan: Plan, kernel: Kernel, mixture: Mixture, x: NDArray[np.floating]) -> RowScores:
    """Score a stretch of rows; `mixture` answers for rows where every density underflows."""
    log_densities = kernel.densities(plan, x)
    shares, log_prob = SOFT.shares(log_densities, 0, x.shape[0])
    far = ~np.isfinite(log_prob)
    if far.any():
        shares[:, far] = mixture.responsibilities(np.asarray(x[far], dtype=np.float64)).T
    labels = shares.argmax(axis=0)
    uncertainty = 1.0 - shares.max(axis=0)
    return RowScores(labels, np.ascontiguousarray(shares.T), uncertainty, log_prob)


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

    @property
    def kish_rows(self) -> Array:
        """Number of equally weighted rows (K,) that each component rests on (Kish 1965)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.kish > 0.0, self.mass**2 / self.kish, 0.0)


@final
@dataclass(frozen=True, eq=False)
class AppraisalFold(Fold[Array, Appraisal]):
    """One read that appraises a mixture; the state is an array (3 + 3K,)."""

    plan: Plan
    kernel: Kernel

    def segment(self, chunk: Chunk) -> Array:
        """Return the totals of one segment."""
        log_densities = self.kernel.densities(self.plan, chunk.x)
        shares, log_prob = SOFT.shares(log_densities, chunk.start, chunk.x.shape[0])
        w = np.ones(len(log_prob)) if chunk.weights is None else chunk.weights
        logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
        best = shares.argmax(axis=0)
        weighted = shares * w
        return np.concatenate(
            [
                [(w * log_prob)[w > 0.0].sum(), w @ logs.max(axis=0), -(weighted * logs).sum()],
                weighted.sum(axis=1),
                np.square(weighted).sum(axis=1),
                np.bincount(best, weights=w, minlength=len(shares)),
            ]
        )

    def merge(self, left: Array, right: Array) -> Array:
        """Add."""
        return left + right

    def finish(self, state: Array) -> Appraisal:
        """Name the totals."""
        mass, kish, assigned = np.split(state[3:], 3)
        return Appraisal(float(state[0]), float(state[1]), float(state[2]), mass, kish, assigned)
