"""The compiled inner loop of model-based hierarchical clustering: what joining two clusters would cost.

The specification is the function of the same name and arguments in `fitting.starts.hierarchical`, in NumPy;
this one makes the same operations, one pair at a time and without temporary arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gaussmix._linalg import Array, Integers

_EPS = float(np.finfo(np.float64).eps)


@njit(cache=True, nogil=True, error_model="numpy")
def log_determinant(a: Array) -> float:
    """Log determinant of the symmetric `a` (D, D), of which the lower triangle is read and overwritten.

    The pivots are those of an L D L' factorization; one at rounding level makes the matrix singular (-inf).
    """
    n_features = a.shape[0]
    total = 0.0
    for j in range(n_features):
        diagonal = a[j, j]
        pivot = diagonal
        for k in range(j):
            pivot -= a[j, k] * a[j, k] * a[k, k]
        if not pivot > n_features * _EPS * diagonal:
            return -np.inf
        a[j, j] = pivot
        total += np.log(pivot)
        for i in range(j + 1, n_features):
            value = a[i, j]
            for k in range(j):
                value -= a[i, k] * a[j, k] * a[k, k]
            a[i, j] = value / pivot
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def joined_log_determinant(i: int, j: int, mass: Array, means: Array, scatters: Array, work: Array) -> float:
    """Log determinant of the covariance that clusters i and j would have joined; `work` (D, D) is scratch."""
    total = mass[i] + mass[j]
    reduced = mass[i] * mass[j] / total
    for a in range(means.shape[1]):
        difference = reduced * (means[j, a] - means[i, a])
        for b in range(a + 1):
            gap = means[j, b] - means[i, b]
            work[a, b] = (scatters[i, a, b] + scatters[j, a, b] + difference * gap) / total
    return log_determinant(work)


@njit(cache=True, nogil=True, error_model="numpy")
def joined_terms(
    i: int,
    others: Integers,
    mass: Array,
    sizes: Integers,
    means: Array,
    scatters: Array,
    traces: Array,
    ridge: float,
) -> Array:
    """Return the criterion's term for cluster i joined with each of `others` (M,).

    Clusters are given by mass (n,), distinct rows (n,), means (n, D), scatters (n, D, D), their traces (n,).
    """
    n_features = means.shape[1]
    terms = np.empty(others.shape[0])
    work = np.empty((n_features, n_features))
    for position in range(others.shape[0]):
        j = others[position]
        total = mass[i] + mass[j]
        squares = 0.0
        for a in range(n_features):
            squares += (means[j, a] - means[i, a]) ** 2
        trace = traces[i] + traces[j] + mass[i] * mass[j] / total * squares
        log_volume = np.log((trace + ridge) / total)
        if sizes[i] + sizes[j] > n_features:
            determinant = joined_log_determinant(i, j, mass, means, scatters, work)
            log_volume = np.logaddexp(log_volume, determinant)
        terms[position] = total * log_volume
    return terms
