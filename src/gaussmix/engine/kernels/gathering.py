"""Many features: moments of gathered rows, and the anchored form with them.

Nearly every responsibility is zero where there are many features. Gathering the rows that have a share in a component
saves nearly all of the second product, which would otherwise cost as much as the first.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Moment
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.blocks import (
    NEGLIGIBLE,
    Inward,
    Route,
    accumulate_stepwise,
    prepared,
    whiteners_of,
)
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned
from gaussmix.engine.kernels.tiles import whitened_densities
from gaussmix.engine.plan import Plan

_BLOCK_ROWS = 192  # a multiple of `STRIP`


@final
class Gathered:
    """Second moments of the rows that have a share in a component, gathered until a product pays."""

    def __init__(self, plan: Plan, block_rows: int) -> None:
        k, d = plan.n_components, plan.n_features
        self.anchors = np.array(plan.anchors)
        self.capacity = 3 * block_rows
        self.block_rows = block_rows
        self.buffers = aligned(k, self.capacity, d)
        self.counts = np.zeros(k, dtype=np.int64)
        self.totals = np.zeros((k, 1 + d))
        self.pooled = plan.moment is Moment.POOLED
        self.packed = np.zeros((k, 1 + d + d * (d + 1) // 2 if plan.moment is Moment.FULL else 0))
        self.moments = np.zeros((0 if plan.moment is Moment.FULL else 1 if self.pooled else k, d, d))
        self._product = aligned(d, d)

    def add(self, columns: Array, shares: Array) -> None:
        """Take the rows of `columns` (1 + D, rows) with `shares` (K, rows)."""
        stages.gather(np.ascontiguousarray(columns[1:].T), self.anchors, shares, self.buffers, self.counts, self.totals)
        self._multiply(self.capacity - self.block_rows)

    def _multiply(self, most: int) -> None:
        """Turn buffers of more than `most` rows into moments."""
        for k in np.flatnonzero(self.counts > most):
            rows = self.buffers[k, : self.counts[k]]
            np.matmul(rows.T, rows, out=self._product)
            if self.packed.size:
                stages.add_lower(self._product[None], self.packed[k : k + 1])
            else:
                self.moments[0 if self.pooled else k] += self._product
            self.counts[k] = 0

    def finish(self, sums: Sums, moment: Moment) -> None:
        """Add everything gathered to `sums`."""
        self._multiply(0)
        d = self._product.shape[0]
        sums.totals[:, : 1 + d] += self.totals
        if self.pooled:
            sums.pooled[:] += self.moments[0]
        elif moment is Moment.FULL:
            sums.totals[:, 1 + d :] += self.packed[:, 1 + d :]
        else:
            squares = np.diagonal(self.moments, axis1=1, axis2=2)
            sums.totals[:, 1 + d :] += squares.sum(axis=1, keepdims=True) if moment is Moment.TRACE else squares


@final
class Whitened(Route):
    """The anchored form for many features: whitened in tiles, rows gathered for the moments."""

    def __init__(self, plan: Plan) -> None:
        self.block_rows = _BLOCK_ROWS
        self._plan = plan
        self._rows = Inward(plan, _BLOCK_ROWS, 1 + plan.n_features)
        self._whiteners = prepared(plan, whiteners_of)
        self._values = Columns(plan.n_components, _BLOCK_ROWS)
        self._gathered = Gathered(plan, _BLOCK_ROWS)

    def densities(self, x: NDArray[np.floating]) -> Array:
        """Whiten component by component."""
        columns = self._rows.enter(x)
        values = self._values.of(columns.shape[1])
        whitened_densities(self._whiteners, columns, values)
        return values

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks."""
        accumulate_stepwise(self, self._plan, x, weights, NEGLIGIBLE, sums)

    def add(self, shares: Array, n_rows: int) -> None:
        """Gather."""
        self._gathered.add(self._rows.columns, shares)

    def finish(self, sums: Sums) -> None:
        """Add what was gathered."""
        self._gathered.finish(sums, self._plan.moment)
