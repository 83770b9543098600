"""The compiled kernel: blocks of rows that stay in cache, BLAS for the products, Numba for everything between."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.blocks import REFERENCE, Scratch, cut, plain
from gaussmix.engine.kernels.kernel import Kernel, RowScores, Sums
from gaussmix.engine.kernels.routes import route
from gaussmix.engine.plan import Plan


@final
class NumbaKernel(Kernel):
    """Compiled stages around the products, at most 2,048 rows at a time.

    A block in which some row's every density underflows goes to the reference kernel as a whole.
    """

    def accumulate(self, plan: Plan, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add one segment's sums under the mixture's own responsibilities."""
        route(plan).accumulate(x, weights, sums)

    def densities(self, plan: Plan, x: NDArray[np.floating]) -> Array:
        """Log of mixing weight times density, (K, rows)."""
        if plan.precision is not None:
            return REFERENCE.densities(plan, x)
        way = route(plan)
        scratch = Scratch(plan.n_components, way.block_rows)
        everything = np.empty((plan.n_components, x.shape[0]))
        for block, rows in cut(x, way.block_rows):
            values, _, _ = scratch.of(rows.shape[0])
            way.log_densities(rows, values)
            everything[:, block] = values
        return everything

    def scores(self, plan: Plan, x: NDArray[np.floating]) -> RowScores:
        """Labels, responsibilities, uncertainty and log density of the rows."""
        if plan.precision is not None:
            return REFERENCE.scores(plan, x)
        way = route(plan)
        scratch = Scratch(plan.n_components, way.block_rows)
        ones, kish, scalars = plain(np.ones(way.block_rows)), np.zeros(plan.n_components), np.zeros(3)
        scores = RowScores.empty(x.shape[0], plan.n_components)
        for block, rows in cut(x, way.block_rows):
            values, top, total = scratch.of(rows.shape[0])
            way.log_densities(rows, values)
            if not stages.exponentiate(values, top, total):
                scores.fill(block, REFERENCE.scores(plan, rows))
                continue
            stages.share_out(values, top, total, ones[: rows.shape[0]], 0.0, kish, scalars)
            stages.rank(values, scores.responsibilities[block], scores.labels[block], scores.uncertainty[block])
            scores.log_prob[block] = top
        return scores

    def appraise(self, plan: Plan, x: NDArray[np.floating], weights: Array | None) -> Array:
        """Totals (3 + 3K,) of one segment of rows."""
        if plan.precision is not None:
            return REFERENCE.appraise(plan, x, weights)
        way = route(plan)
        scratch = Scratch(plan.n_components, way.block_rows)
        ones, scalars = plain(np.ones(way.block_rows)), np.zeros(3)
        weights = None if weights is None else plain(weights)
        whole = np.zeros(3 + 3 * plan.n_components)
        mass, kish, assigned = whole[3:].reshape(3, -1)
        for block, rows in cut(x, way.block_rows):
            values, top, total = scratch.of(rows.shape[0])
            w = ones[: rows.shape[0]] if weights is None else weights[block]
            way.log_densities(rows, values)
            counts = np.zeros(plan.n_components)
            certainty, entropy = stages.add_entropy(values, top, w, counts)
            if not stages.exponentiate(values, top, total):
                whole += REFERENCE.appraise(plan, rows, None if weights is None else w)
                continue
            stages.share_out(values, top, total, w, 0.0, kish, scalars)
            mass += values.sum(axis=1)
            assigned += counts
            whole[1:3] += certainty, entropy
        whole[0] += scalars[0]
        return whole


def verify() -> None:
    """Compile and run one stage.

    Raises
    ------
    Exception
        Whatever Numba or LLVM raise where they cannot compile or keep what they compiled.
    """
    values, top, total = np.zeros((1, 1)), np.empty(1), np.empty(1)
    stages.exponentiate(values, top, total)
    if total[0] != 1.0:
        raise RuntimeError(f"exp(0) was computed as {total[0]}")
