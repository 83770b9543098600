"""Starts from a row sample, compiled; `fitting.starts` is the specification, in NumPy."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, types

from gaussmix._linalg import Array, Integers
from gaussmix.engine.kernels.compiling import Unit, inner


def _kmeans(columns: Array, weights: Array, first: int, lots: Array, iterations: int) -> Integers:
    """Labels (rows,) of a k-means partition.

    Parameters
    ----------
    columns : array (D, rows)
        Rows, transposed.
    weights : array (rows,)
        Row weights.
    first : int
        The row that is the first seed.
    lots : array (K - 1, trials)
        Numbers between 0 and 1 by which candidates for the other seeds are drawn.
    iterations : int
        Most iterations of Lloyd's algorithm.
    """
    n_rows, n_clusters = columns.shape[1], lots.shape[0] + 1
    centres = _plus_plus(columns, weights, first, lots)
    labels, before, mass = np.empty(n_rows, dtype=np.int64), np.empty(n_rows, dtype=np.int64), np.empty(n_clusters)
    sums, squares, nearest = np.empty((n_clusters, columns.shape[0])), np.empty(n_rows), np.empty(n_rows)
    _assign(columns, centres, squares, nearest, labels)
    for _ in range(iterations):
        _add_up(columns, weights, labels, mass, sums)
        for k in range(n_clusters):
            if mass[k] > 0.0:
                for a in range(columns.shape[0]):
                    centres[k, a] = sums[k, a] / mass[k]
        labels, before = before, labels
        _assign(columns, centres, squares, nearest, labels)
        if not _differ(labels, before):
            break
    return labels


kmeans = Unit(_kmeans, int64[::1](float64[:, ::1], float64[::1], int64, float64[:, ::1], int64))


@inner
def _plus_plus(columns: Array, weights: Array, first: int, lots: Array) -> Array:
    """Seeds (K, D): of a few candidates, drawn by squared distance, the one that lowers the sum of squares most."""
    n_features, n_rows = columns.shape
    centres = np.empty((lots.shape[0] + 1, n_features))
    nearest, squares, best, potential = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    _fill(nearest, np.inf)
    chosen = first
    for k in range(centres.shape[0]):
        least = np.inf
        for trial in range(lots.shape[1] if k > 0 else 1):
            candidate = first if k == 0 else _drawn(potential, lots[k - 1, trial])
            for a in range(n_features):
                centres[k, a] = columns[a, candidate]
            _measure(columns, centres[k], squares)
            total = 0.0
            for i in range(n_rows):
                squares[i] = min(squares[i], nearest[i])
                total += weights[i] * squares[i]
            if total < least:
                least, chosen = total, candidate
                _copy(squares, best)
        for a in range(n_features):
            centres[k, a] = columns[a, chosen]
        total = 0.0
        for i in range(n_rows):
            nearest[i] = best[i]
            total += weights[i] * nearest[i]
            potential[i] = total
    return centres


@inner
def _drawn(potential: Array, lot: float) -> int:
    """Return the row on which a lot falls, by potentials that were added up."""
    low, high = 0, potential.shape[0] - 1
    wanted = lot * potential[high]
    while low < high:
        middle = (low + high) // 2
        if potential[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _copy(source: Array, target: Array) -> None:
    for i in range(source.shape[0]):
        target[i] = source[i]


@inner
def _fill(values: Array, value: float) -> None:
    for i in range(values.shape[0]):
        values[i] = value


@inner
def _measure(columns: Array, centre: Array, squares: Array) -> None:
    """Fill in squared distances of all rows from a centre."""
    _fill(squares, 0.0)
    for a in range(columns.shape[0]):
        for i in range(squares.shape[0]):
            gap = columns[a, i] - centre[a]
            squares[i] += gap * gap


@inner
def _assign(columns: Array, centres: Array, squares: Array, nearest: Array, labels: Integers) -> None:
    """Label every row with its nearest centre."""
    _fill(nearest, np.inf)
    for k in range(centres.shape[0]):
        _measure(columns, centres[k], squares)
        for i in range(nearest.shape[0]):
            labels[i] = k if squares[i] < nearest[i] else labels[i]
            nearest[i] = min(squares[i], nearest[i])


@inner
def _differ(labels: Integers, before: Integers) -> bool:
    changes = 0
    for i in range(labels.shape[0]):
        changes += labels[i] != before[i]
    return changes > 0


@inner
def _add_up(columns: Array, weights: Array, labels: Integers, mass: Array, sums: Array) -> None:
    """Fill in the weight (K,) and the weighted sums (K, D) of every cluster."""
    _fill(mass, 0.0)
    for k in range(mass.shape[0]):
        _fill(sums[k], 0.0)
    for i in range(labels.shape[0]):
        mass[labels[i]] += weights[i]
    for a in range(columns.shape[0]):
        for i in range(labels.shape[0]):
            sums[labels[i], a] += weights[i] * columns[a, i]


def _partition(columns: Array, weights: Array, labels: Integers, mass: Array, means: Array, scatters: Array) -> None:
    """Fill in masses (K,), means (K, D) and scatters (K, D, D) of labelled rows."""
    n_features = columns.shape[0]
    _add_up(columns, weights, labels, mass, means)
    for k in range(mass.shape[0]):
        for a in range(n_features):
            means[k, a] /= mass[k]
            _fill(scatters[k, a], 0.0)
    for a in range(n_features):
        for b in range(a + 1):
            for i in range(labels.shape[0]):
                k = labels[i]
                gap = (columns[a, i] - means[k, a]) * (columns[b, i] - means[k, b])
                scatters[k, a, b] += weights[i] * gap
            for k in range(mass.shape[0]):
                scatters[k, b, a] = scatters[k, a, b]


partition = Unit(
    _partition,
    types.void(float64[:, ::1], float64[::1], int64[::1], float64[::1], float64[:, ::1], float64[:, :, ::1]),
)
