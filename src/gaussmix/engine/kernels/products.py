"""All features of a block in cache, and two products with them: the quadratic form (equation 12)."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import features as making
from gaussmix.engine.kernels.blocks import REFERENCE, Inward, Route, add_sums, cached_rows, one_type, plain
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.features import Pairs, n_columns, pairs_of
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import aligned, aligned_copy
from gaussmix.engine.kernels.softmax import N_SUMS, share_out
from gaussmix.engine.kernels.tiles import STRIP, add_densities, add_moments
from gaussmix.engine.kernels.vectors import LANES
from gaussmix.engine.plan import Plan

_CHUNK = 64  # features of which a strip stays in the first-level cache


@exact
def multiply(natural: Array, features: Array, values: Array, row: int) -> None:
    """Write log densities (K, padded rows) of features (P, padded rows), for the strip that begins at `row`."""
    width = natural.shape[1]
    for low in range(0, width, _CHUNK):
        add_densities(natural, features, values, low, min(low + _CHUNK, width), 0, row, row)


@exact
def fill_weights(weights: Array, padded: Array) -> None:
    """Write the weights of a block's rows, and zeros that make up a strip."""
    for n in range(weights.shape[0]):
        padded[n] = weights[n]
    for n in range(weights.shape[0], padded.shape[0]):
        padded[n] = 0.0


@exact
def accumulate_blocks(
    x: NDArray[np.floating],
    by_columns: bool,
    weights: Array,
    weighted: bool,
    start: int,
    block_rows: int,
    origin: Array,
    units: Array,
    natural: Array,
    pairs: Pairs,
    work: tuple[Array, Array, Array, Array, Array],
    totals: Array,
    sums: Array,
) -> int:
    """Add the sums of the rows from `start` on; return the number of rows, or the first row of a block left out.

    x is (rows, D), or (D, rows) with `by_columns`. Left out is a block in which some row's every density underflows.
    `work` holds room for columns, features, log densities, two numbers per row, and sums. Rows that make up a strip
    have weight zero. One call per segment: blocks may be so short that calls from Python would keep threads waiting.
    Without `weighted`, `weights` are a block's ones.
    """
    n_components, width = natural.shape[0], pairs.shape[1]
    block_sums = work[4]
    n_rows = x.shape[1] if by_columns else x.shape[0]
    for low in range(start, n_rows, block_rows):
        count = min(block_rows, n_rows - low)
        rows = making.padded(count)
        columns = work[0][: work[0].shape[0] // block_rows * rows].reshape(-1, rows)
        features = work[1][: width * rows].reshape(width, rows)
        shares = work[2][: n_components * rows].reshape(n_components, rows)
        per_row = work[3][: 2 * rows].reshape(2, rows)
        making.enter(x, by_columns, low, count, origin, units, columns)
        making.multiply(columns, pairs, 0, 0, features)
        fill_weights(weights[low : low + count] if weighted else weights[:count], per_row[1])
        block_sums[:] = 0.0
        for row in range(0, rows, STRIP):
            multiply(natural, features, shares, row)
            share_out(shares, per_row, block_sums, row, row + STRIP, 0.0)
        if block_sums[-1].sum() > 0.0:
            return low
        sums += block_sums
        add_moments(features, shares, totals, 0, width, 0, rows)
    return n_rows


@final
class Products(Route):
    """All blocks of a segment in one compiled call."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pairs = pairs_of(plan)
        self.block_rows = cached_rows(sum(plan.natural.shape), 768)
        self._natural = aligned_copy(plan.natural)
        self._rows = Inward(plan, self.block_rows, n_columns(plan))

    def densities(self, x: NDArray[np.floating]) -> Array:
        """Make the features, and multiply."""
        columns = self._rows.enter(x)
        rows = columns.shape[1]
        features, values = aligned(self._pairs.shape[1], rows), aligned(self._plan.n_components, rows)
        making.multiply(columns, self._pairs, 0, 0, features)
        for row in range(0, rows, STRIP):
            multiply(self._natural, features, values, row)
        return values

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks; those with rows infinitely far out as the reference kernel has them."""
        (k, p), size, width = self._natural.shape, self.block_rows, self._pairs.shape[1]
        columns, features = aligned(n_columns(self._plan) * size), aligned(width * size)
        work = (columns, features, aligned(k * size), aligned(2 * size), aligned(k + N_SUMS, LANES))
        totals, added = np.zeros((width, k)), np.zeros((k + N_SUMS, LANES))
        by_columns = x.flags.f_contiguous and not x.flags.c_contiguous
        lying = one_type(x.T if by_columns else x)
        w = plain(np.ones(size) if weights is None else weights)
        start = 0
        while start < len(x):
            start = accumulate_blocks(
                lying,
                by_columns,
                w,
                weights is not None,
                start,
                size,
                self._rows.origin,
                self._rows.units,
                self._natural,
                self._pairs,
                work,
                totals,
                added,
            )
            if start < len(x):
                block = slice(start, start + size)
                REFERENCE.accumulate(self._plan, x[block], None if weights is None else w[block], sums)
                start += size
        sums.totals[:] += totals[:p].T
        add_sums(added, sums)
