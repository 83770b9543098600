"""Log densities to shares, strip by strip, as long as they are in the first-level cache; sums stay in registers."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.exponential import exponential_of, logarithm_of
from gaussmix.engine.kernels.vectors import (
    LANES,
    WIDTH,
    Arithmetic,
    Bundle,
    Matrix,
    Value,
    index,
    load,
    loop,
    repeated,
    store,
    unpacked,
)

_NO_SIGN = (1 << 63) - 1
N_SUMS = 4  # beside one for each component: weighted log density, its size, weight, rows infinitely far out


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write what `share_out` does to a strip of rows."""
    (values, per_row, sums), (row, count) = unpacked(context, builder, signature, arguments)
    least = [repeated(builder, arguments[4])] * WIDTH
    code = Arithmetic(builder, least)
    places = [builder.add(row, index(LANES * j)) for j in range(WIDTH)]

    def numbers(matrix: Matrix, line: Value) -> Bundle:
        return [load(builder, matrix.at(line, place)) for place in places]

    def write(matrix: Matrix, line: Value, bundle: Bundle) -> None:
        for place, each in zip(places, bundle, strict=True):
            store(builder, each, matrix.at(line, place))

    def add(line: Value, bundle: Bundle) -> None:
        address = sums.at(line, index(0))
        store(builder, reduce(partial(builder.fadd), bundle, load(builder, address)), address)

    def larger(k: Value, tops: Bundle) -> Bundle:
        each = numbers(values, k)
        return code.where_less(tops, each, each, tops)

    def exponentials(k: Value, totals: Bundle) -> Bundle:
        each = exponential_of(builder, code.minus(numbers(values, k), tops))
        write(values, k, each)
        return code.plus(totals, each)

    def shares(k: Value, nothing: Bundle) -> Bundle:
        each = numbers(values, k)
        each = code.where_less(least, each, code.times(each, factors), 0.0)
        write(values, k, each)
        add(k, code.times(each, each))
        return nothing

    tops = loop(builder, index(0), count, 1, code.constant(-np.inf), larger)
    totals = loop(builder, index(0), count, 1, code.constant(0.0), exponentials)
    weights = numbers(per_row, index(1))
    logs = code.plus(tops, logarithm_of(builder, totals))
    write(per_row, index(0), logs)
    weighted = code.times(weights, logs)
    sizes = code.number(code.each("and_", code.bits(weighted), code.integer(_NO_SIGN)))
    lost = code.where_less(totals, np.inf, 0.0, 1.0)
    for j, bundle in enumerate((weighted, sizes, weights, lost)):
        add(builder.add(count, index(j)), bundle)
    factors = code.each("fdiv", weights, totals)
    loop(builder, index(0), count, 1, [], shares)
    return context.get_dummy_value()


def _shares(_context: Any, values: Any, per_row: Any, sums: Any, place: Any, least: Any) -> Any:
    return types.void(values, per_row, sums, place, least), _generate


_shares_of_tile: Any = intrinsic(_shares)


@exact
def share_out(values: Array, per_row: Array, sums: Array, first: int, last: int, least: float) -> None:
    """Turn log densities `values` (K, rows), from row `first` to `last`, into weight times responsibility.

    `per_row` (2, rows) has the weights in its second line and receives log densities of rows in the first. To `sums`
    (K + 4, lanes) go the squares of the shares; of the rows, the weighted log density, its absolute value, the weight,
    and the number of those that are infinitely far from every component. What is at most `least` of a row's largest
    share becomes zero.
    """
    for row in range(first, last, WIDTH * LANES):
        _shares_of_tile(values, per_row, sums, (row, values.shape[0]), least)
