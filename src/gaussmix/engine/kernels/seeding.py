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
    labels, mass = np.zeros(n_rows, dtype=np.int64), np.empty(n_clusters)
    sums, squares, nearest = np.empty((n_clusters, columns.shape[0])), np.empty(n_rows), np.empty(n_rows)
    changed = _assign(columns, centres, squares, nearest, labels)
    for _ in range(iterations):
        _add_up(columns, weights, labels, mass, sums)
        for k in range(n_clusters):
            if mass[k] > 0.0:
                for a in range(columns.shape[0]):
                    centres[k, a] = sums[k, a] / mass[k]
        changed = _assign(columns, centres, squares, nearest, labels)
        if not changed:
            break
    return labels


kmeans = Unit(_kmeans, int64[::1](float64[:, ::1], float64[::1], int64, float64[:, ::1], int64))


@inner
def _plus_plus(columns: Array, weights: Array, first: int, lots: Array) -> Array:
    """Seeds (K, D): of a few candidates, drawn by squared distance, the one that lowers the sum of squares most."""
    n_features, n_rows = columns.shape
    centres = np.empty((lots.shape[0] + 1, n_features))
    nearest, squares, best = np.full(n_rows, np.inf), np.empty(n_rows), np.empty(n_rows)
    potential = np.empty(n_rows)
    chosen = first
    for k in range(centres.shape[0]):
        least = np.inf
        for trial in range(lots.shape[1] if k > 0 else 1):
            candidate = first if k == 0 else _drawn(potential, lots[k - 1, trial])
            _measure(columns, columns[:, candidate].copy(), squares)
            total = 0.0
            for i in range(n_rows):
                squares[i] = min(squares[i], nearest[i])
                total += weights[i] * squares[i]
            if total < least:
                least, chosen = total, candidate
                best[:] = squares
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
    return min(np.searchsorted(potential, lot * potential[-1]), potential.shape[0] - 1)


@inner
def _measure(columns: Array, centre: Array, squares: Array) -> None:
    """Fill in squared distances of all rows from a centre."""
    squares[:] = 0.0
    for a in range(columns.shape[0]):
        for i in range(squares.shape[0]):
            gap = columns[a, i] - centre[a]
            squares[i] += gap * gap


@inner
def _assign(columns: Array, centres: Array, squares: Array, nearest: Array, labels: Integers) -> bool:
    """Label every row with its nearest centre; say whether a label changed."""
    best = np.zeros(labels.shape[0], dtype=np.int64)
    nearest[:] = np.inf
    for k in range(centres.shape[0]):
        _measure(columns, centres[k], squares)
        for i in range(nearest.shape[0]):
            best[i] = k if squares[i] < nearest[i] else best[i]
            nearest[i] = min(squares[i], nearest[i])
    changed = False
    for i in range(labels.shape[0]):
        changed = changed or labels[i] != best[i]
        labels[i] = best[i]
    return changed


@inner
def _add_up(columns: Array, weights: Array, labels: Integers, mass: Array, sums: Array) -> None:
    """Fill in the weight (K,) and the weighted sums (K, D) of every cluster."""
    mass[:] = 0.0
    sums[:] = 0.0
    for i in range(labels.shape[0]):
        mass[labels[i]] += weights[i]
    for a in range(columns.shape[0]):
        for i in range(labels.shape[0]):
            sums[labels[i], a] += weights[i] * columns[a, i]


def _partition(columns: Array, weights: Array, labels: Integers, mass: Array, means: Array, scatters: Array) -> None:
    """Fill in masses (K,), means (K, D) and scatters (K, D, D) of labelled rows."""
    n_features = columns.shape[0]
    _add_up(columns, weights, labels, mass, means)
    scatters[:] = 0.0
    for k in range(mass.shape[0]):
        for a in range(n_features):
            means[k, a] /= mass[k]
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
