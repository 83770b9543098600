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
from gaussmix.engine.kernels.blocks import NEGLIGIBLE, REFERENCE, Inward, Route, cut, plain
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.features import Pairs, n_columns, pairs_of
from gaussmix.engine.kernels.gathering import Gathered
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned, aligned_copy
from gaussmix.engine.kernels.softmax import N_SUMS, share_out
from gaussmix.engine.kernels.tiles import GROUP, STRIP, add_densities, add_moments
from gaussmix.engine.kernels.vectors import LANES
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
        self._rows = Inward(plan)
        self._pairs = pairs_of(plan)
        self._natural = aligned_copy(plan.natural)
        self._columns = Columns(n_columns(plan), _BLOCK_ROWS)
        self._values = Columns(plan.n_components, _BLOCK_ROWS)
        self._strip, self._block = aligned(_CHUNK, STRIP), Columns(_GROUPS, _BLOCK_ROWS)
        self._gathered = Gathered(plan, _BLOCK_ROWS)
        self._totals = np.zeros((self._pairs.shape[1], plan.n_components))

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Make the features, and multiply."""
        values[:] = self._densities(x)[:, : len(x)]

    def _densities(self, x: NDArray[np.floating]) -> Array:
        """Return log densities (K, padded rows)."""
        rows = making.padded(len(x))
        columns, values = self._columns.of(rows), self._values.of(rows)
        making.enter(x, self._rows.origin, self._rows.units, columns)
        densities(self._natural, columns, self._pairs, self._strip, values)
        return values

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks; those with rows infinitely far out as the reference kernel has them."""
        k = self._plan.n_components
        added = np.zeros((k + N_SUMS, LANES))
        weights = None if weights is None else plain(weights)
        for block, rows in cut(x, self.block_rows):
            shares = self._densities(rows)
            per_row, more = np.zeros((2, shares.shape[1])), np.zeros_like(added)
            per_row[1, : len(rows)] = 1.0 if weights is None else weights[block]
            share_out(shares, per_row, more, 0, shares.shape[1], NEGLIGIBLE)
            if more[-1].any():
                REFERENCE.accumulate(self._plan, rows, None if weights is None else weights[block], sums)
                continue
            added += more
            self._add(shares, len(rows))
        self._gathered.finish(sums, self._plan.moment)
        sums.totals[:] += self._totals[: self._natural.shape[1]].T
        sums.kish[:] += added[:k].sum(axis=1)
        sums.scalars[:] += added[k : k + 3].sum(axis=1)

    def _add(self, shares: Array, count: int) -> None:
        """Gather; where most shares are not negligible, multiply."""
        d = self._plan.n_features
        if np.count_nonzero(shares) <= _DENSE * shares.size:
            rows = np.ascontiguousarray(self._columns.array[1 : 1 + d, :count].T)
            self._gathered.add(rows, np.ascontiguousarray(shares[:, :count]))
        else:
            moments(shares, self._columns.array, self._pairs, self._block.of(shares.shape[1]), self._totals)
