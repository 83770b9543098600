"""Many features: a few of a strip's features at a time, made where they are used and forgotten.

All features of even a short block would not stay in cache. Where most responsibilities are negligible, moments are
taken of gathered rows instead.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import features as making
from gaussmix.engine.kernels.blocks import NEGLIGIBLE, Inward, Route, accumulate_stepwise, prepared
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.features import Pairs, n_columns, pairs_of
from gaussmix.engine.kernels.gathering import Gathered
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned, aligned_copy
from gaussmix.engine.kernels.tiles import GROUP, STRIP, add_densities, add_moments
from gaussmix.engine.plan import Plan

_BLOCK_ROWS = 192  # a multiple of `STRIP`
_CHUNK = 64  # features of a strip made at once: 24 KB where a strip is longest
_GROUPS = 24 // GROUP * GROUP  # features of a block made at once
_DENSE = 0.3  # share of responsibilities that are not negligible from which gathering does not pay


@exact
def densities(natural: Array, columns: Array, pairs: Pairs, features: Array, values: Array) -> None:
    """Write log densities (K, padded rows) of a block's `columns`; `features` (chunk, STRIP) is scratch."""
    width = natural.shape[1]
    for row in range(0, values.shape[1], STRIP):
        for low in range(0, width, _CHUNK):
            high = min(low + _CHUNK, width)
            making.multiply(columns, pairs, low, row, features[: high - low])
            add_densities(natural, features, values, low, high, low, row, 0)


@exact
def moments(shares: Array, columns: Array, pairs: Pairs, features: Array, totals: Array) -> None:
    """Add the moments of a block to `totals` (P, K); `features` (some, padded rows) is scratch."""
    for low in range(0, pairs.shape[1], features.shape[0]):
        high = min(low + features.shape[0], pairs.shape[1])
        making.multiply(columns, pairs, low, 0, features[: high - low])
        add_moments(features, shares, totals, low, high, low, shares.shape[1])


@final
class Streamed(Route):
    """Log densities as in `Products`, chunk by chunk; rows gathered for the moments, or moments in chunks too."""

    def __init__(self, plan: Plan) -> None:
        self.block_rows = _BLOCK_ROWS
        self._plan = plan
        self._rows = Inward(plan, _BLOCK_ROWS, n_columns(plan))
        self._pairs = pairs_of(plan)
        self._natural = prepared(plan, _natural)
        self._values = Columns(plan.n_components, _BLOCK_ROWS)
        self._strip, self._block = aligned(_CHUNK, STRIP), Columns(_GROUPS, _BLOCK_ROWS)
        self._gathered = Gathered(plan, _BLOCK_ROWS)
        self._totals: Array | None = None

    def densities(self, x: NDArray[np.floating]) -> Array:
        """Make the features, and multiply."""
        columns = self._rows.enter(x)
        values = self._values.of(columns.shape[1])
        densities(self._natural, columns, self._pairs, self._strip, values)
        return values

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks."""
        accumulate_stepwise(self, self._plan, x, weights, NEGLIGIBLE, sums)

    def add(self, shares: Array, n_rows: int) -> None:
        """Gather; where most shares are not negligible, multiply."""
        columns = self._rows.columns
        if np.count_nonzero(shares) <= _DENSE * shares.shape[0] * n_rows:
            self._gathered.add(columns, shares)
        else:
            if self._totals is None:
                self._totals = np.zeros((self._pairs.shape[1], len(shares)))
            moments(shares, columns, self._pairs, self._block.of(columns.shape[1]), self._totals)

    def finish(self, sums: Sums) -> None:
        """Add what was gathered, and the products of all other blocks."""
        self._gathered.finish(sums, self._plan.moment)
        if self._totals is not None:
            sums.totals[:] += self._totals[: self._natural.shape[1]].T


def _natural(plan: Plan) -> Array:
    return aligned_copy(plan.natural)
