"""Many features: moments of gathered rows, and the anchored form by BLAS.

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
    inverse_deviations,
    prepared,
)
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import aligned, aligned_copy
from gaussmix.engine.plan import Plan

_PANEL = 16  # features whitened at once, at least


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
        self.moments = np.zeros((1 if self.pooled else k, d, d))
        self._product = aligned(d, d)

    def add(self, z: Array, shares: Array) -> None:
        """Take the rows z (rows, D) with `shares` (K, rows)."""
        stages.gather(z, self.anchors, shares, self.buffers, self.counts, self.totals)
        self._multiply(self.capacity - self.block_rows)

    def _multiply(self, most: int) -> None:
        """Turn buffers of more than `most` rows into moments."""
        for k in np.flatnonzero(self.counts > most):
            rows = self.buffers[k, : self.counts[k]]
            np.matmul(rows.T, rows, out=self._product)
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
            stages.add_lower(self.moments, sums.totals)
        else:
            squares = np.diagonal(self.moments, axis1=1, axis2=2)
            sums.totals[:, 1 + d :] += squares.sum(axis=1, keepdims=True) if moment is Moment.TRACE else squares


@final
class Whitened(Route):
    """Deviations times inverse factors in BLAS, a few columns of the factor at once; rows gathered for the moments."""

    def __init__(self, plan: Plan) -> None:
        d = plan.n_features
        self.block_rows = 256
        self._plan = plan
        self._rows = Inward(plan)
        self._factors = prepared(plan, _transposed_whiteners)
        self._width = max(_PANEL, d // 4)
        self._z = np.empty((0, d))
        self._scratch = aligned(2, self.block_rows, d)
        self._gathered = Gathered(plan, self.block_rows)

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Whiten component by component."""
        plan = self._plan
        self._z = self._rows.rows(x)
        deviations, white = self._scratch[:, : x.shape[0]]
        for k in range(plan.n_components):
            np.subtract(self._z, plan.centres[k], out=deviations)
            factor = self._factors[k % len(self._factors)]
            for low in range(0, plan.n_features, self._width):
                high = min(low + self._width, plan.n_features)
                np.matmul(deviations[:, :high], factor[:high, low:high], out=white[:, low:high])
            stages.add_squares(white, plan.constants[k], values[k])

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks."""
        accumulate_stepwise(self, self._plan, x, weights, NEGLIGIBLE, sums)

    def add(self, shares: Array) -> None:
        """Gather."""
        self._gathered.add(self._z, shares)

    def finish(self, sums: Sums) -> None:
        """Add what was gathered."""
        self._gathered.finish(sums, self._plan.moment)


def _transposed_whiteners(plan: Plan) -> Array:
    """Return inverse factors (G, D, D), upper triangular."""
    whiteners, d = plan.whiteners, plan.n_features
    if whiteners.ndim < 3:
        whiteners = inverse_deviations(whiteners, d)[:, :, None] * np.eye(d)
    return aligned_copy(np.swapaxes(whiteners, 1, 2))
