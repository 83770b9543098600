"""Features of the quadratic form (docs/mathematics.md, equation 12), each the product of two columns of a block.

The columns are 1, the features of the data in the coordinates of the pass, and where a structure asks for it their
squared length. So one table of pairs says what moments are made of, for all features of a block or for some of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Moment
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.tiles import GROUP, STRIP
from gaussmix.engine.plan import Plan

Pairs = NDArray[np.int64]


def pairs_of(plan: Plan) -> Pairs:
    """Return of which two columns each feature is the product, (2, P), in the order of `Statistics.totals`.

    P is made a multiple of `GROUP` by features that nobody asks for.
    """
    return _pairs(plan.moment, plan.n_features)


@lru_cache(maxsize=16)
def _pairs(moment: Moment, d: int) -> Pairs:
    columns = np.arange(1, 1 + d)
    first, second = np.arange(1 + d), np.zeros(1 + d, dtype=np.int64)
    if moment is Moment.FULL:
        i, j = np.tril_indices(d)
        first, second = np.append(first, columns[i]), np.append(second, columns[j])
    elif moment is Moment.DIAGONAL:
        first, second = np.append(first, columns), np.append(second, columns)
    elif moment is Moment.TRACE:
        first, second = np.append(first, 1 + d), np.append(second, 0)
    pairs = np.pad(np.array([first, second]), ((0, 0), (0, -len(first) % GROUP)))
    pairs.flags.writeable = False
    return pairs


def n_columns(plan: Plan) -> int:
    """Return how many columns features are products of."""
    return 1 + plan.n_features + (plan.moment is Moment.TRACE)


@exact
def padded(n_rows: int) -> int:
    """Return the number of rows in as many strips as hold `n_rows`."""
    return (n_rows + STRIP - 1) // STRIP * STRIP


@exact
def enter(
    x: NDArray[np.floating], by_columns: bool, low: int, count: int, origin: Array, units: Array, columns: Array
) -> None:
    """Write columns (1 + D or 2 + D, padded rows) of `count` rows from `low` on, and of zeros that make up a strip.

    x is (rows, D), or (D, rows) with `by_columns`.
    """
    n_features = origin.shape[0]
    ones = columns[0]
    for n in range(ones.shape[0]):
        ones[n] = 1.0
    for i in range(n_features):
        column, shift, unit = columns[1 + i], origin[i], units[i]
        if by_columns:
            given = x[i][low : low + count]
            for n in range(count):
                column[n] = (given[n] - shift) * unit
        else:
            rows = x[low : low + count]
            for n in range(count):
                column[n] = (rows[n, i] - shift) * unit
        for n in range(count, column.shape[0]):
            column[n] = 0.0
    if columns.shape[0] > 1 + n_features:
        length = columns[1 + n_features]
        for n in range(length.shape[0]):
            length[n] = 0.0
        for i in range(n_features):
            column = columns[1 + i]
            for n in range(length.shape[0]):
                length[n] += column[n] * column[n]


@exact
def multiply(columns: Array, pairs: Pairs, first: int, row: int, features: Array) -> None:
    """Write the features (some, rows) numbered `first` and following, of the rows from `row` on."""
    for p in range(features.shape[0]):
        product = features[p]
        # Slices, since an index that might be negative keeps a loop from becoming vectors.
        a = columns[pairs[0, first + p]][row : row + product.shape[0]]
        b = columns[pairs[1, first + p]][row : row + product.shape[0]]
        for n in range(product.shape[0]):
            product[n] = a[n] * b[n]
