"""The compiled stages of the anchored form for few features: rows centred on each mean, and nothing cancelled.

Blocks lie (features, rows). A component's deviations from a tile of rows are written once and then read from the
first-level cache, four at a time, so that the arithmetic and not the memory sets the pace.
"""

from __future__ import annotations

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact, summing

GROUP = 4  # features taken together; whiteners and deviations are padded with zeros to a multiple of it


@exact
def _minus(value: float, shift: float) -> float:
    """Return the difference, rounded at once also where the caller's sums may be reassociated."""
    return value - shift


@exact
def _centre(z: Array, low: int, centre: Array, deviations: Array, count: int) -> None:
    """Write z (D, rows) from row `low` minus one centre (D,) to `deviations` (at least D, tile)."""
    for i in range(z.shape[0]):
        row, deviation, shift = z[i], deviations[i], centre[i]
        for n in range(count):
            deviation[n] = row[low + n] - shift


@exact
def _accumulate(factors: Array, j: int, deviations: Array, white: Array, count: int) -> None:
    """Add four columns of a whitener, from column j, times four deviations to four rows of `white`."""
    d0, d1, d2, d3 = deviations[j], deviations[j + 1], deviations[j + 2], deviations[j + 3]
    for i in range(4):
        a, b, c, d = factors[i, j], factors[i, j + 1], factors[i, j + 2], factors[i, j + 3]
        row = white[i]
        if j == 0:
            for n in range(count):
                row[n] = a * d0[n] + b * d1[n] + c * d2[n] + d * d3[n]
        else:
            for n in range(count):
                row[n] += a * d0[n] + b * d1[n] + c * d2[n] + d * d3[n]


@exact
def _finish(factors: Array, j: int, deviations: Array, white: Array, count: int, density: Array) -> None:
    """Add the triangle that ends four rows of a whitener, from column j, and subtract their squares from `density`."""
    d0, d1, d2, d3 = deviations[j], deviations[j + 1], deviations[j + 2], deviations[j + 3]
    w0, w1, w2, w3 = white[0], white[1], white[2], white[3]
    a0 = factors[0, j]
    a1, b1 = factors[1, j], factors[1, j + 1]
    a2, b2, c2 = factors[2, j], factors[2, j + 1], factors[2, j + 2]
    a3, b3, c3, e3 = factors[3, j], factors[3, j + 1], factors[3, j + 2], factors[3, j + 3]
    for n in range(count):
        y0 = w0[n] + a0 * d0[n]
        y1 = w1[n] + a1 * d0[n] + b1 * d1[n]
        y2 = w2[n] + a2 * d0[n] + b2 * d1[n] + c2 * d2[n]
        y3 = w3[n] + a3 * d0[n] + b3 * d1[n] + c3 * d2[n] + e3 * d3[n]
        density[n] -= 0.5 * (y0 * y0 + y1 * y1 + y2 * y2 + y3 * y3)


@exact
def triangular_densities(
    z: Array, constants: Array, centres: Array, whiteners: Array, work: Array, values: Array
) -> None:
    """Write log densities (K, rows) of z (D, rows) for lower triangular `whiteners` (G, padded D, padded D).

    `work` (padded D + 4, tile) is scratch, zero where it is padding.
    """
    tile, padded = work.shape[1], whiteners.shape[1]
    deviations, white = work[:padded], work[padded:]
    for low in range(0, z.shape[1], tile):
        count = min(tile, z.shape[1] - low)
        for k in range(constants.shape[0]):
            _centre(z, low, centres[k], deviations, count)
            density = values[k, low : low + count]
            for n in range(count):
                density[n] = constants[k]
            for i in range(0, padded, 4):
                factors = whiteners[k % whiteners.shape[0], i : i + 4]
                for n in range(count if i == 0 else 0):
                    white[0, n] = white[1, n] = white[2, n] = white[3, n] = 0.0
                for j in range(0, i, 4):
                    _accumulate(factors, j, deviations, white, count)
                _finish(factors, i, deviations, white, count, density)


@exact
def diagonal_densities(z: Array, constants: Array, centres: Array, whiteners: Array, values: Array) -> None:
    """Write log densities (K, rows) of z (D, rows) for diagonal `whiteners` (G, D)."""
    for k in range(constants.shape[0]):
        whitener, centre, density = whiteners[k % whiteners.shape[0]], centres[k], values[k]
        for n in range(density.shape[0]):
            density[n] = constants[k]
        for i in range(z.shape[0]):
            row, shift, scale = z[i], centre[i], whitener[i]
            for n in range(density.shape[0]):
                white = (row[n] - shift) * scale
                density[n] -= 0.5 * white * white


@summing
def add_outer(z: Array, anchors: Array, shares: Array, work: Array, totals: Array) -> None:
    """Add mass, first and packed second moments about `anchors` (K, D) to `totals` (K, 1 + D + D(D+1)/2).

    z (D, rows); `shares` (K, rows) weight times responsibility; `work` (padded D + 4, tile) is scratch.
    """
    n_features, n_rows = z.shape
    tile = work.shape[1]
    weighted = work[work.shape[0] - 1]
    for low in range(0, n_rows, tile):
        count = min(tile, n_rows - low)
        for k in range(shares.shape[0]):
            share, total = shares[k, low : low + count], totals[k]
            _centre(z, low, anchors[k], work, count)
            mass = 0.0
            for n in range(count):
                mass += share[n]
            total[0] += mass
            at = 1 + n_features
            for i in range(n_features):
                row = work[i]
                moment = 0.0
                for n in range(count):
                    weighted[n] = share[n] * row[n]
                    moment += weighted[n]
                total[1 + i] += moment
                for j in range(0, i + 1, 4):
                    first, second, third, fourth = work[j], work[j + 1], work[j + 2], work[j + 3]
                    a, b, c, d = 0.0, 0.0, 0.0, 0.0
                    for n in range(count):
                        a += weighted[n] * first[n]
                        b += weighted[n] * second[n]
                        c += weighted[n] * third[n]
                        d += weighted[n] * fourth[n]
                    total[at] += a
                    if j + 1 <= i:
                        total[at + 1] += b
                    if j + 2 <= i:
                        total[at + 2] += c
                    if j + 3 <= i:
                        total[at + 3] += d
                    at += min(4, i + 1 - j)


@summing
def add_squares_of_deviations(z: Array, anchors: Array, shares: Array, totals: Array) -> None:
    """Add mass, first moments and squares about `anchors` (K, D) to `totals` (K, 1 + 2D)."""
    n_features = z.shape[0]
    for k in range(shares.shape[0]):
        share, total = shares[k], totals[k]
        mass = 0.0
        for n in range(share.shape[0]):
            mass += share[n]
        total[0] += mass
        for i in range(n_features):
            row, shift = z[i], anchors[k, i]
            moment, squares = 0.0, 0.0
            for n in range(share.shape[0]):
                deviation = _minus(row[n], shift)
                weighted = share[n] * deviation
                moment += weighted
                squares += weighted * deviation
            total[1 + i] += moment
            total[1 + n_features + i] += squares
