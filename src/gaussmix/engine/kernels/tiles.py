"""Products of small matrices, tile by tile: a tile's sums stay in registers from its first term to its last.

Rows lie in the lanes of vectors, so neither product needs its arguments rearranged. BLAS, made for large square
matrices, may be half as fast at these shapes, and asks for all features at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.vectors import (
    LANES,
    WIDTH,
    Value,
    index,
    load,
    loop,
    multiply_add,
    repeated,
    store,
    sums,
    unpacked,
    vector,
    zeros,
)

STRIP = WIDTH * LANES  # rows in a tile of log densities
GROUP = WIDTH  # features in a tile of moments


def _density_tile(height: int) -> Any:
    """Make the function of a tile of `height` components and `STRIP` rows.

    To values[k + i, row + n] it adds coefficients[k + i, p] features[p - first, column + n] for p from `low` to `high`;
    a sum that begins at the first coefficient begins with it, for the first feature is 1.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (coefficients, features, values), place = unpacked(context, builder, signature, arguments)
        k, low, high, first, row, column = place
        lines = [builder.add(k, index(i)) for i in range(height)]
        steps = [index(LANES * j) for j in range(WIDTH)]
        targets = [values.at(line, builder.add(row, step)) for line in lines for step in steps]

        def opening() -> list[Value]:
            heads = [repeated(builder, builder.load(coefficients.at(line, index(0)))) for line in lines]
            return [head for head in heads for _ in steps]

        def terms(p: Value, totals: list[Value]) -> list[Value]:
            feature = builder.sub(p, first)
            rows = [load(builder, features.at(feature, builder.add(column, step))) for step in steps]
            factors = [repeated(builder, builder.load(coefficients.at(line, p))) for line in lines]
            pairs = [(factor, each) for factor in factors for each in rows]
            return [multiply_add(builder, a, b, total) for (a, b), total in zip(pairs, totals, strict=True)]

        begun = _either(
            builder,
            builder.icmp_signed("==", low, index(0)),
            opening,
            lambda: [load(builder, target) for target in targets],
        )
        start = builder.select(builder.icmp_signed("==", low, index(0)), index(1), low)
        totals = loop(builder, start, high, 1, begun, terms)
        for total, target in zip(totals, targets, strict=True):
            store(builder, total, target)
        return context.get_dummy_value()

    return _intrinsic(generate)


def _whitening_tile() -> Any:
    """Make the function of a tile of four lines of a whitener and `STRIP` rows.

    From values[k, row + n], or the constant if these are the first lines, it takes half the squares of the elements of
    whitener[line + i, p] (columns[1 + p, row + n] - centre[p]), summed over p < high. The whitener's last line,
    `bottom`, is the centre and, in the end, the constant.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (whitener, columns, values), place = unpacked(context, builder, signature, arguments)
        line, high, bottom, n_features, k, row = place
        lines = [builder.add(line, index(i)) for i in range(4)]
        places = [builder.add(row, index(LANES * j)) for j in range(WIDTH)]

        def terms(p: Value, totals: list[Value]) -> list[Value]:
            centre = repeated(builder, builder.load(whitener.at(bottom, p)))
            column = builder.add(p, index(1))
            rows = [builder.fsub(load(builder, columns.at(column, place)), centre) for place in places]
            factors = [repeated(builder, builder.load(whitener.at(each, p))) for each in lines]
            pairs = [(factor, each) for factor in factors for each in rows]
            return [multiply_add(builder, a, b, total) for (a, b), total in zip(pairs, totals, strict=True)]

        white = loop(builder, index(0), high, 1, [zeros()] * (4 * WIDTH), terms)
        begun = _either(
            builder,
            builder.icmp_signed("==", line, index(0)),
            lambda: [repeated(builder, builder.load(whitener.at(bottom, n_features)))] * WIDTH,
            lambda: [load(builder, values.at(k, place)) for place in places],
        )
        halved = repeated(builder, ir.Constant(ir.DoubleType(), -0.5))
        for j, place in enumerate(places):
            length = zeros()
            for each in white[j::WIDTH]:
                length = multiply_add(builder, each, each, length)
            store(builder, multiply_add(builder, length, halved, begun[j]), values.at(k, place))
        return context.get_dummy_value()

    return _intrinsic(generate)


def _moment_tile(height: int) -> Any:
    """Make the function of a tile of `GROUP` features and `height` components.

    To totals[p + i, k + j] it adds the sum over n < count of features[p - first + i, n] shares[k + j, n].
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (features, shares, totals), place = unpacked(context, builder, signature, arguments)
        p, first, k, count = place
        lines = [builder.add(p, index(i)) for i in range(WIDTH)]
        stored = [builder.sub(line, first) for line in lines]
        columns = [builder.add(k, index(j)) for j in range(height)]

        def terms(n: Value, sums_so_far: list[Value]) -> list[Value]:
            rows = [load(builder, shares.at(column, n)) for column in columns]
            values = [load(builder, features.at(line, n)) for line in stored]
            pairs = [(value, row) for value in values for row in rows]
            return [multiply_add(builder, a, b, total) for (a, b), total in zip(pairs, sums_so_far, strict=True)]

        found = loop(builder, index(0), count, LANES, [zeros()] * (WIDTH * height), terms)
        for i, line in enumerate(lines):
            target = totals.at(line, k)
            added = sums(builder, found[i * height : (i + 1) * height])
            store(builder, builder.fadd(load(builder, target, height), added), target)
        return context.get_dummy_value()

    return _intrinsic(generate)


def _intrinsic(generate: Callable[..., Any]) -> Any:
    """Make a function of three matrices and a tuple of integers, which returns nothing, of the code for it."""

    def tile(_context: Any, a: Any, b: Any, c: Any, place: Any) -> Any:
        return types.void(a, b, c, place), generate

    return intrinsic(tile)


def _either(builder: Any, condition: Value, first: Callable[[], list[Value]], second: Callable[[], list[Value]]) -> Any:
    """Return the vectors of `first` where the condition holds, else those of `second`."""
    with builder.if_else(condition) as (then, otherwise):
        with then:
            left, from_left = first(), builder.block
        with otherwise:
            right, from_right = second(), builder.block
    found: list[Value] = []
    for a, b in zip(left, right, strict=True):
        found.append(builder.phi(vector()))
        found[-1].add_incoming(a, from_left)
        found[-1].add_incoming(b, from_right)
    return found


_density_tiles = [_density_tile(height) for height in (4, 2, 1)]
_whiten = _whitening_tile()
_moment_tiles = [_moment_tile(height) for height in (4, 2, 1)]
_densities_4, _densities_2, _densities_1 = _density_tiles
_moments_4, _moments_2, _moments_1 = _moment_tiles


@exact
def add_densities(
    coefficients: Array, features: Array, values: Array, low: int, high: int, first: int, row: int, column: int
) -> None:
    """Add the terms from `low` to `high` of log densities to `values` (K, rows), for `STRIP` rows from `row` on.

    `coefficients` (K, P); `features` has the one numbered `first`, whose rows begin at `column`, as its first. Terms
    that begin at 0 begin the sum.
    """
    n_components = coefficients.shape[0]
    whole = n_components // 4 * 4
    for k in range(0, whole, 4):
        _densities_4(coefficients, features, values, (k, low, high, first, row, column))
    if n_components & 2:
        _densities_2(coefficients, features, values, (whole, low, high, first, row, column))
    if n_components & 1:
        _densities_1(coefficients, features, values, (n_components - 1, low, high, first, row, column))


@exact
def whitened_densities(whiteners: Array, columns: Array, values: Array) -> None:
    """Write log densities (K, padded rows) of `columns` (1 + D, padded rows) for lower triangular whiteners.

    `whiteners` (K, lines, D + 1) have lines of zeros that make up groups of four, and one more: the centre, and the
    constant.
    """
    n_features, bottom = columns.shape[0] - 1, whiteners.shape[1] - 1
    for row in range(0, values.shape[1], STRIP):
        for k in range(whiteners.shape[0]):
            for line in range(0, bottom, 4):
                place = (line, min(line + 4, n_features), bottom, n_features, k, row)
                _whiten(whiteners[k], columns, values, place)


@exact
def add_moments(features: Array, shares: Array, totals: Array, low: int, high: int, first: int, count: int) -> None:
    """Add the sums over `count` rows of features times shares (K, rows) to `totals` (P, K), rows `low` to `high`.

    `features` has the one numbered `first` as its first; `low` and `high` are multiples of `GROUP` beyond it,
    `count` is one of the number of lanes.
    """
    n_components = shares.shape[0]
    whole = n_components // 4 * 4
    for p in range(low, high, GROUP):
        for k in range(0, whole, 4):
            _moments_4(features, shares, totals, (p, first, k, count))
        if n_components & 2:
            _moments_2(features, shares, totals, (p, first, whole, count))
        if n_components & 1:
            _moments_1(features, shares, totals, (p, first, n_components - 1, count))
