"""Features in cache, and two products with them: the quadratic form (docs/mathematics.md, equation 12)."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.blocks import REFERENCE, Inward, Route, cached_rows, one_type, plain
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned, aligned_copy
from gaussmix.engine.plan import Plan


@exact
def accumulate_blocks(
    x: NDArray[np.floating],
    weights: Array,
    weighted: bool,
    start: int,
    block_rows: int,
    origin: Array,
    units: Array,
    natural: Array,
    work: tuple[Array, Array, Array, Array, Array],
    totals: Array,
    kish: Array,
    scalars: Array,
) -> int:
    """Add the sums of the rows from `start` on; return the number of rows, or the first row of a block left out.

    Left out is a block in which some row's every density underflows. `work` holds room for features, log densities,
    two numbers per row, and one product (1 + D + S, K) such as `totals`. Without `weighted`, `weights` are as many ones
    as a block has rows. One call per segment: blocks may be so short that calls from Python would keep threads waiting.
    """
    features, values, top, total, product = work
    n_components, width = natural.shape
    for low in range(start, x.shape[0], block_rows):
        count = min(block_rows, x.shape[0] - low)
        block = features[: width * count].reshape(width, count)
        shares = values[: n_components * count].reshape(n_components, count)
        stages.fill(x[low : low + count], origin, units, block)
        np.dot(natural, block, shares)
        if not stages.exponentiate(shares, top[:count], total[:count]):
            return low
        w = weights[low : low + count] if weighted else weights[:count]
        stages.share_out(shares, top[:count], total[:count], w, 0.0, kish, scalars)
        np.dot(block, shares.T, product)
        for i in range(width):
            for k in range(n_components):
                totals[i, k] += product[i, k]
    return x.shape[0]


@final
class Features:
    """The features of a block, (1 + D + S, rows), and the sums of their products with shares."""

    def __init__(self, plan: Plan, block_rows: int) -> None:
        self._rows = Inward(plan)
        k, width = plan.natural.shape
        self._features = Columns(width, block_rows)
        self._product = aligned(width, k)
        self._totals = np.zeros((width, k))

    def fill(self, x: NDArray[np.floating]) -> Array:
        """Return the features of the rows x (rows, D), in data units."""
        features = self._features.of(x.shape[0])
        stages.fill(x, self._rows.origin, self._rows.units, features)
        return features

    def add(self, shares: Array) -> None:
        """Add the sums of the block that was filled in last under `shares` (K, rows)."""
        np.matmul(self._features.array, shares.T, out=self._product)
        self._totals += self._product

    def finish(self, sums: Sums) -> None:
        """Add the sums of all blocks."""
        sums.totals[:] += self._totals.T


@final
class Products(Route):
    """All blocks of a segment in one compiled call."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.block_rows = cached_rows(sum(plan.natural.shape), 256)
        self._natural = aligned_copy(plan.natural)
        self._rows = Inward(plan)

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Fill the features, and multiply."""
        np.matmul(self._natural, Features(self._plan, self.block_rows).fill(x), out=values)

    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of all blocks; those with rows infinitely far out as the reference kernel has them."""
        (k, width), size = self._natural.shape, self.block_rows
        work = (aligned(width * size), aligned(k * size), aligned(size), aligned(size), aligned(width, k))
        totals, rows = np.zeros((width, k)), one_type(x)
        w = plain(np.ones(size) if weights is None else weights)
        start = 0
        while start < len(rows):
            start = accumulate_blocks(
                rows,
                w,
                weights is not None,
                start,
                size,
                self._rows.origin,
                self._rows.units,
                self._natural,
                work,
                totals,
                sums.kish,
                sums.scalars,
            )
            if start < len(rows):
                block = slice(start, start + size)
                REFERENCE.accumulate(self._plan, rows[block], None if weights is None else w[block], sums)
                start += size
        sums.totals[:] += totals.T
