"""The compiled stages of the anchored form for few features: rows centred on each mean, and nothing cancelled.

Blocks lie (features, rows). A component's deviations from a tile of rows are written once and then read from the
first-level cache, four at a time, so that the arithmetic and not the memory sets the pace.
"""

from __future__ import annotations

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact, summing

GROUP = 4  # features taken together; deviations are padded with zeros to a multiple of it


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

    z (D, rows); `shares` (K, rows) weight times responsibility; `work` (padded D + 1, tile) is scratch.
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
