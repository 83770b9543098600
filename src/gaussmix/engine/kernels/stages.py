"""The compiled stages of a block of rows: columns, second moments, softmax, sums of shares, labels.

Arrays lie (components, rows) or (features, rows), so every inner loop runs along rows and is vectorised. Only sums
along a block's rows are reassociated; a block's length does not change from call to call, so bits do not either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact, summing
from gaussmix.engine.kernels.exponential import exponential, logarithm

_TILE = 128  # rows whose shares stay in the first-level cache from one loop to the next


@exact
def columns(x: NDArray[np.floating], origin: Array, units: Array, z: Array) -> None:
    """Write the rows x (rows, D), minus `origin` and times `units` (D,), as columns z (D, rows)."""
    for i in range(x.shape[1]):
        column = z[i]
        shift, unit = origin[i], units[i]
        for n in range(x.shape[0]):
            column[n] = (x[n, i] - shift) * unit


@exact
def exponentiate(values: Array, top: Array, total: Array) -> bool:
    """Replace log densities `values` (K, rows) by their exponentials relative to the row's largest.

    `top` (rows,) receives the largest and `total` (rows,) the sums of the exponentials, which are not finite in rows
    that are infinitely far from every component. Return whether there is no such row.
    """
    infinite = 0
    for low in range(0, values.shape[1], _TILE):
        high = min(low + _TILE, values.shape[1])
        largest, sums = top[low:high], total[low:high]
        row = values[0, low:high]
        for n in range(row.shape[0]):
            largest[n] = row[n]
            sums[n] = 0.0
        for k in range(1, values.shape[0]):
            row = values[k, low:high]
            for n in range(row.shape[0]):
                largest[n] = row[n] if row[n] > largest[n] else largest[n]
        for k in range(values.shape[0]):
            row = values[k, low:high]
            for n in range(row.shape[0]):
                row[n] = exponential(row[n] - largest[n])
                sums[n] += row[n]
        for n in range(sums.shape[0]):
            infinite += not sums[n] < np.inf
    return infinite == 0


@summing
def share_out(
    values: Array, top: Array, total: Array, weights: Array, least: float, kish: Array, scalars: Array
) -> None:
    """Turn what `exponentiate` left into weight times responsibility; add to `kish` (K,) and `scalars` (3,).

    `top` becomes the log density of the rows. What is below `least` of a row's largest share becomes zero.
    """
    weighted_sum, weighted_size, weight = 0.0, 0.0, 0.0
    for n in range(top.shape[0]):
        top[n] += logarithm(total[n])
        total[n] = weights[n] / total[n]
        weighted = weights[n] * top[n]
        weighted_sum += weighted
        weighted_size += abs(weighted)
        weight += weights[n]
    scalars[0] += weighted_sum
    scalars[1] += weighted_size
    scalars[2] += weight
    for k in range(values.shape[0]):
        row = values[k]
        squares = 0.0
        for n in range(row.shape[0]):
            share = row[n] * total[n] if row[n] > least else 0.0
            row[n] = share
            squares += share * share
        kish[k] += squares


@summing
def add_entropy(values: Array, top: Array, weights: Array, assigned: Array) -> tuple[float, float]:
    """Return the sums of weight times log of the largest responsibility, and times entropy, of log densities (K, rows).

    To `assigned` (K,) goes the weight of the rows whose largest density is the component's. `top` (rows,) is scratch.
    """
    certainty, entropy = 0.0, 0.0
    best = np.zeros(_TILE, dtype=np.int64)
    total, product = np.empty(_TILE), np.empty(_TILE)
    for low in range(0, values.shape[1], _TILE):
        count = min(_TILE, values.shape[1] - low)
        largest = top[low : low + count]
        for n in range(count):
            largest[n] = values[0, low + n]
            best[n] = 0
            total[n] = 0.0
            product[n] = 0.0
        for k in range(1, values.shape[0]):
            row = values[k, low : low + count]
            for n in range(count):
                best[n] = k if row[n] > largest[n] else best[n]
                largest[n] = row[n] if row[n] > largest[n] else largest[n]
        for k in range(values.shape[0]):
            row = values[k, low : low + count]
            for n in range(count):
                difference = max(row[n] - largest[n], -1000.0)
                share = exponential(difference)
                total[n] += share
                product[n] += share * difference
        for n in range(count):
            log_total = logarithm(total[n])
            certainty -= weights[low + n] * log_total
            entropy += weights[low + n] * (log_total - product[n] / total[n])
            assigned[best[n]] += weights[low + n]
    return certainty, entropy


@exact
def rank(shares: Array, responsibilities: Array, labels: NDArray[np.int64], uncertainty: Array) -> None:
    """Write shares (K, rows) as `responsibilities` (rows, K), with the largest one's component and complement."""
    for low in range(0, shares.shape[1], _TILE):
        high = min(low + _TILE, shares.shape[1])
        for n in range(low, high):
            labels[n] = 0
            uncertainty[n] = shares[0, n]
        for k in range(1, shares.shape[0]):
            row = shares[k]
            for n in range(low, high):
                better = row[n] > uncertainty[n]
                labels[n] = k if better else labels[n]
                uncertainty[n] = row[n] if better else uncertainty[n]
        for n in range(low, high):
            uncertainty[n] = 1.0 - uncertainty[n]
            for k in range(shares.shape[0]):
                responsibilities[n, k] = shares[k, n]


@summing
def add_squares(white: Array, constant: float, values: Array) -> None:
    """Write `constant` minus half the squared length of the rows of `white` (rows, D) to `values` (rows,)."""
    for n in range(white.shape[0]):
        row = white[n]
        total = 0.0
        for i in range(row.shape[0]):
            total += row[i] * row[i]
        values[n] = constant - 0.5 * total


@exact
def gather(
    z: Array,
    anchors: Array,
    shares: Array,
    buffers: Array,
    counts: NDArray[np.int64],
    totals: Array,
) -> None:
    """Collect, component by component, the rows that have a share in it.

    To `buffers` (K, capacity, D), after the `counts` (K,) rows already there, go the rows of z (rows, D) minus the
    anchors (K, D), times the roots of their shares (K, rows); to `totals` (K, 1 + D) mass and first moments.
    """
    for k in range(shares.shape[0]):
        share, anchor, buffer, total = shares[k], anchors[k], buffers[k], totals[k]
        at = counts[k]
        for n in range(z.shape[0]):
            if share[n] > 0.0:
                root = np.sqrt(share[n])
                row, scaled = z[n], buffer[at]
                total[0] += share[n]
                for i in range(row.shape[0]):
                    deviation = row[i] - anchor[i]
                    total[1 + i] += share[n] * deviation
                    scaled[i] = root * deviation
                at += 1
        counts[k] = at


@exact
def add_lower(matrices: Array, totals: Array) -> None:
    """Add the lower triangles of `matrices` (K, D, D), in packed order, to `totals` (K, 1 + D + D(D+1)/2)."""
    for k in range(matrices.shape[0]):
        at = 1 + matrices.shape[1]
        for i in range(matrices.shape[1]):
            row = matrices[k, i]
            for j in range(i + 1):
                totals[k, at + j] += row[j]
            at += i + 1
