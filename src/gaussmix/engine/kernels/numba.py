"""The compiled kernel: blocks of rows that stay in cache, through tiles whose sums stay in registers."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.blocks import REFERENCE, Shares, cut, plain
from gaussmix.engine.kernels.kernel import Kernel, RowScores, Sums
from gaussmix.engine.kernels.routes import route
from gaussmix.engine.kernels.tiles import STRIP
from gaussmix.engine.plan import Plan


@final
class NumbaKernel(Kernel):
    """Compiled stages around the products, at most 2,048 rows at a time.

    A block in which some row's every density underflows goes to the reference kernel as a whole.
    """

    @property
    def by_columns(self) -> bool:
        """It does: blocks are turned into columns anyway."""
        return True

    def accumulate(self, plan: Plan, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add one segment's sums under the mixture's own responsibilities."""
        route(plan).accumulate(x, weights, sums)

    def densities(self, plan: Plan, x: NDArray[np.floating]) -> Array:
        """Log of mixing weight times density, (K, rows)."""
        if plan.precision is not None:
            return REFERENCE.densities(plan, x)
        way = route(plan)
        everything = np.empty((plan.n_components, x.shape[0]))
        for block, rows in cut(x, way.block_rows):
            everything[:, block] = way.densities(rows)[:, : len(rows)]
        return everything

    def score(self, plan: Plan, x: NDArray[np.floating], scores: RowScores) -> None:
        """Write labels, responsibilities, uncertainty and log density of the rows."""
        if plan.precision is not None:
            REFERENCE.score(plan, x, scores)
            return
        way = route(plan)
        shares = Shares(plan.n_components, way.block_rows)
        for block, rows in cut(x, way.block_rows):
            mine = scores.part(block)
            values = way.densities(rows)
            if shares.make(values, None, len(rows)):
                stages.rank(values, mine.responsibilities, mine.labels, mine.uncertainty)
                mine.log_prob[:] = shares.log_prob[: len(rows)]
            else:
                REFERENCE.score(plan, rows, mine)

    def appraise(self, plan: Plan, x: NDArray[np.floating], weights: Array | None) -> Array:
        """Totals (3 + 3K,) of one segment of rows."""
        if plan.precision is not None:
            return REFERENCE.appraise(plan, x, weights)
        way = route(plan)
        shares, top = Shares(plan.n_components, way.block_rows), np.empty(way.block_rows)
        whole, sums = np.zeros(3 + 3 * plan.n_components), Sums.zero(plan)
        mass, kish, assigned = whole[3:].reshape(3, -1)
        for block, rows in cut(x, way.block_rows):
            w = plain(np.ones(len(rows)) if weights is None else weights[block])
            values = way.densities(rows)
            counts = np.zeros(plan.n_components)
            certainty, entropy = stages.add_entropy(values, top, w, counts)
            if not shares.make(values, w, len(rows)):
                whole += REFERENCE.appraise(plan, rows, None if weights is None else w)
                continue
            mass += values.sum(axis=1)
            assigned += counts
            whole[1:3] += certainty, entropy
        shares.finish(sums)
        whole[0] += sums.scalars[0]
        kish += sums.kish
        return whole


def verify() -> None:
    """Compile and run one stage.

    Raises
    ------
    Exception
        Whatever Numba or LLVM raise where they cannot compile or keep what they compiled.
    """
    values = np.zeros((1, STRIP))
    Shares(1, STRIP).make(values, None, STRIP)
    if values[0, 0] != 1.0:
        raise RuntimeError(f"exp(0) was computed as {values[0, 0]}")
