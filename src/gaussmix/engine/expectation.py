"""The E-step as a fold: rows in, `Statistics` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import Moment
from gaussmix.data.source import Chunk
from gaussmix.engine.assignment import SOFT, Assignment
from gaussmix.engine.fold import Fold
from gaussmix.engine.kernels.choose import REFERENCE
from gaussmix.engine.kernels.kernel import Kernel, Sums
from gaussmix.engine.plan import Form, Plan
from gaussmix.engine.surrogate import Correction
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics


@final
@dataclass(frozen=True, eq=False)
class Expectation:
    """A request: the statistics of all rows under a mixture.

    Parameters
    ----------
    mixture : Mixture
        Asked about.
    moment : Moment
        Second moments wanted.
    precision : float
        Tolerated error of a row's log density.
    per_feature : bool
        Whether the coordinates may scale features one by one.
    assignment : Assignment
        How rows are shared out.
    anchors : array (K, D), optional
        In the pass's coordinates; where moments are to be taken about other points than the means.
    anchored : bool
        Insist on the anchored form.
    sampled : bool
        Ask the row sample instead of all rows.
    level : int
        Ask the nested sample of that level instead of all rows; 0 is none.
    correction : Correction, optional
        Makes what a nested sample says stand for all rows.
    """

    mixture: Mixture
    moment: Moment
    precision: float
    per_feature: bool
    assignment: Assignment = SOFT
    anchors: Array | None = None
    anchored: bool = False
    sampled: bool = False
    level: int = 0
    correction: Correction | None = None


@final
@dataclass(frozen=True, eq=False)
class ExpectationFold(Fold[Sums, Statistics]):
    """One E-step; `total_scatter` (D, D), of all rows, is needed by a pooled quadratic plan."""

    plan: Plan
    kernel: Kernel
    assignment: Assignment = SOFT
    total_scatter: Array | None = None

    @property
    def state_bytes(self) -> int:
        """Bytes of the sums."""
        return sum(array.nbytes for array in Sums.zero(self.plan))

    @property
    def by_columns(self) -> bool:
        """As the kernel; the reference, which knows all assignments, takes rows."""
        return self.assignment == SOFT and self.kernel.by_columns

    def segment(self, chunk: Chunk) -> Sums:
        """Return the sums of one segment."""
        sums = Sums.zero(self.plan)
        if self.assignment == SOFT:  # not `is`: in another process it is another object
            self.kernel.accumulate(self.plan, chunk.x, chunk.weights, sums)
        else:
            REFERENCE.assign(self.plan, chunk.x, chunk.weights, sums, self.assignment, chunk.start)
        return sums

    def merge(self, left: Sums, right: Sums) -> Sums:
        """Add."""
        return left.plus(right)

    def finish(self, state: Sums) -> Statistics:
        """Return the sums as statistics, with what is common to all rows added."""
        plan = self.plan
        log_likelihood, magnitude, weight = (float(value) for value in state.scalars)
        pooled = None
        if plan.moment is Moment.POOLED:
            pooled = state.pooled
            if plan.form is Form.QUADRATIC:
                assert self.total_scatter is not None and plan.precision is not None
                pooled = self.total_scatter
                common = 0.5 * float(np.sum(plan.precision * pooled))
                log_likelihood, magnitude = log_likelihood - common, magnitude + common
        return Statistics(
            plan.coordinates,
            plan.moment,
            plan.anchors,
            state.totals,
            pooled,
            state.kish,
            log_likelihood,
            magnitude,
            weight * plan.bound,
            weight,
        )
