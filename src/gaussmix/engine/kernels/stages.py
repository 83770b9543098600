"""The compiled stages of a block of rows beside its products: entropies, labels, the gathering of live rows.

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


@summing
def add_entropy(values: Array, top: Array, weights: Array, assigned: Array) -> tuple[float, float]:
    """Return the sums of weight times log of the largest responsibility, and times entropy, of log densities.

    `values` (K, at least rows); `weights` (rows,).
    To `assigned` (K,) goes the weight of the rows whose largest density is the component's. `top` (rows,) is scratch.
    """
    certainty, entropy = 0.0, 0.0
    best = np.zeros(_TILE, dtype=np.int64)
    total, product = np.empty(_TILE), np.empty(_TILE)
    for low in range(0, weights.shape[0], _TILE):
        count = min(_TILE, weights.shape[0] - low)
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
    """Write shares (K, at least rows) as `responsibilities` (rows, K), with the largest's component and complement."""
    for low in range(0, labels.shape[0], _TILE):
        high = min(low + _TILE, labels.shape[0])
        best, largest = labels[low:high], uncertainty[low:high]
        row = shares[0, low:high]
        for n in range(row.shape[0]):
            best[n] = 0
            largest[n] = row[n]
        for k in range(1, shares.shape[0]):
            row = shares[k, low:high]
            for n in range(row.shape[0]):
                better = row[n] > largest[n]
                best[n] = k if better else best[n]
                largest[n] = row[n] if better else largest[n]
        for n in range(largest.shape[0]):
            largest[n] = 1.0 - largest[n]
        for n in range(low, high):
            for k in range(shares.shape[0]):
                responsibilities[n, k] = shares[k, n]


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
