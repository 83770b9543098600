"""The anchored form for few features, as a route: rows centred on one mean after the other."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, unpack
from gaussmix.covariance import Moment
from gaussmix.engine.kernels import centred
from gaussmix.engine.kernels.blocks import (
    Inward,
    Route,
    accumulate_stepwise,
    cached_rows,
    inverse_deviations,
    whiteners_of,
)
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned
from gaussmix.engine.kernels.tiles import whitened_densities
from gaussmix.engine.plan import Plan

_TILE_NUMBERS = 3072  # float64 numbers of deviations that stay in the first-level cache: 24 KB


@final
class Centred(Route):
    """Deviations of a tile of rows from one mean after the other, in compiled loops."""

    def __init__(self, plan: Plan) -> None:
        d, k = plan.n_features, plan.n_components
        self._plan = plan
        self._constants, self._centres = np.array(plan.constants), np.array(plan.centres)
        self._anchors = np.array(plan.anchors)
        self.block_rows = cached_rows(k + d, 1536)
        self._rows = Inward(plan, self.block_rows, 1 + d)
        self._values = Columns(k, self.block_rows)
        groups = -(-d // centred.GROUP) * centred.GROUP
        tile = min(512, max(64, _TILE_NUMBERS // groups // 8 * 8))
        self._work = aligned(groups + 1, tile)
        self._work[:] = 0.0
        self._triangular = plan.whiteners.ndim == 3
        self._whiteners = whiteners_of(plan) if self._triangular else inverse_deviations(plan.whiteners, d)
        self._outer = plan.moment in (Moment.FULL, Moment.POOLED)
        self._totals = np.zeros((k, 1 + d + (d * (d + 1) // 2 if self._outer else d)))

    def densities(self, x: NDArray[np.floating]) -> Array:
        """Centre and whiten."""
        columns = self._rows.enter(x)
        values = self._values.of(columns.shape[1])
        if self._triangular:
            whitened_densities(self._whiteners, columns, values)
        else:
            centred.diagonal_densities(columns[1:], self._constants, self._centres, self._whiteners, values)
        return values

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks."""
        accumulate_stepwise(self, self._plan, x, weights, 0.0, sums)

    def add(self, shares: Array, n_rows: int) -> None:
        """Centre on the anchors, and sum."""
        z = self._rows.columns[1:]
        if self._outer:
            centred.add_outer(z, self._anchors, shares, self._work, self._totals)
        else:
            centred.add_squares_of_deviations(z, self._anchors, shares, self._totals)

    def finish(self, sums: Sums) -> None:
        """Reduce the moments to those of the plan."""
        d, moment = self._plan.n_features, self._plan.moment
        second = self._totals[:, 1 + d :]
        sums.totals[:, : 1 + d] += self._totals[:, : 1 + d]
        if moment is Moment.POOLED:
            sums.pooled[:] += unpack(second.sum(axis=0), d)
        else:
            sums.totals[:, 1 + d :] += second.sum(axis=1, keepdims=True) if moment is Moment.TRACE else second
