"""Model-based hierarchical clustering, compiled.

The specification is the function of the same name and arguments in `fitting.starts.hierarchical`, in NumPy; this one
makes the same joins, without temporary arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, float64, int64

from gaussmix._linalg import Array, Integers
from gaussmix.engine.kernels.compiling import Unit, inner

_EPS = float(np.finfo(np.float64).eps)


class Clusters(NamedTuple):
    """n clusters, of which some have been absorbed: masses, rows, means, scatters, traces and terms; W's ridge."""

    full: bool
    mass: Array
    sizes: Integers
    means: Array
    scatters: Array
    traces: Array
    terms: Array
    ridge: float


def _join_all(x: Array, mass: Array, full: bool) -> Integers:
    """Return the pairs (n - 1, 2) of clusters joined, the cheapest first; negative from where distances overflow."""
    n = x.shape[0]
    merges = np.full((n - 1, 2), -1, dtype=np.int64)
    clusters, work, fresh = _begin(x, mass, full), np.empty((x.shape[1], x.shape[1])), np.empty(n)
    costs, partner, least, left = np.full((n, n), np.inf), np.zeros(n, dtype=np.int64), np.full(n, np.inf), np.arange(n)
    for i in range(n):
        _fill_costs(clusters, i, left[i + 1 :], work, fresh)
        for j in range(i + 1, n):
            costs[i, j] = fresh[j - i - 1]
            costs[j, i] = costs[i, j]
    for i in range(n):
        _look_through(costs, partner, least, left, i)
    for step in range(n - 1):
        i = left[0]
        for other in left:
            if least[other] < least[i]:
                i = other
        if not np.isfinite(least[i]):
            break
        j = int(partner[i])
        merges[step, 0], merges[step, 1] = i, j
        _absorb(clusters, i, j, work)
        left = _without(left, j)
        _fill_costs(clusters, i, left, work, fresh)
        _renew(costs, partner, least, left, fresh, i, j)
    return merges


join_all = Unit(_join_all, int64[:, ::1](float64[:, ::1], float64[::1], boolean))


@inner
def _begin(x: Array, mass: Array, full: bool) -> Clusters:
    n, n_features = x.shape
    total, squares = 0.0, 0.0
    for i in range(n):
        total += mass[i]
    for a in range(n_features):
        mean = 0.0
        for i in range(n):
            mean += mass[i] * x[i, a] / total
        for i in range(n):
            squares += mass[i] * (x[i, a] - mean) ** 2
    ridge = squares / (total * n_features) if n > 1 else 1.0
    scatters = np.zeros((n, n_features, n_features))
    terms = np.zeros(n)
    if full:
        for i in range(n):
            terms[i] = mass[i] * np.log(ridge / mass[i])
    return Clusters(full, mass.copy(), np.ones(n, dtype=np.int64), x.copy(), scatters, np.zeros(n), terms, ridge)


@inner
def _fill_costs(clusters: Clusters, i: int, others: Integers, work: Array, fresh: Array) -> None:
    """Fill in by how much joining cluster i with each of `others` raises the criterion; i itself is without bound."""
    full, mass, sizes, means, scatters, traces, terms, ridge = clusters
    n_features = means.shape[1]
    for place in range(others.shape[0]):
        j = others[place]
        total = mass[i] + mass[j]
        reduced = mass[i] * mass[j] / total
        squares = 0.0
        for a in range(n_features):
            squares += (means[j, a] - means[i, a]) ** 2
        if i == j:
            fresh[place] = np.inf
        elif not full:
            fresh[place] = reduced * squares
        else:
            volume = (traces[i] + traces[j] + reduced * squares + ridge) / total
            if sizes[i] + sizes[j] > n_features:
                for a in range(n_features):
                    difference = reduced * (means[j, a] - means[i, a])
                    for b in range(a + 1):
                        gap = means[j, b] - means[i, b]
                        work[a, b] = (scatters[i, a, b] + scatters[j, a, b] + difference * gap) / total
                volume += _determinant(work)
            fresh[place] = total * np.log(volume) - terms[i] - terms[j]


@inner
def _determinant(a: Array) -> float:
    """Determinant of the symmetric `a` (D, D), of which the lower triangle is read and overwritten.

    The pivots are those of an L D L' factorization; one at rounding level makes the matrix singular.
    """
    n_features = a.shape[0]
    product = 1.0
    for j in range(n_features):
        diagonal = a[j, j]
        pivot = diagonal
        for k in range(j):
            pivot -= a[j, k] * a[j, k] * a[k, k]
        if not pivot > n_features * _EPS * diagonal:
            return 0.0
        a[j, j] = pivot
        product *= pivot
        for i in range(j + 1, n_features):
            value = a[i, j]
            for k in range(j):
                value -= a[i, k] * a[j, k] * a[k, k]
            a[i, j] = value / pivot
    return product


@inner
def _absorb(clusters: Clusters, i: int, j: int, work: Array) -> None:
    """Join cluster j into cluster i."""
    full, mass, sizes, means, scatters, traces, terms, _ = clusters
    total = mass[i] + mass[j]
    reduced = mass[i] * mass[j] / total
    if full:
        cost = np.empty(1)
        _fill_costs(clusters, i, np.array([j]), work, cost)
        terms[i] += terms[j] + cost[0]
        traces[i] += traces[j]
        for a in range(means.shape[1]):
            difference = means[j, a] - means[i, a]
            traces[i] += reduced * difference * difference
            for b in range(means.shape[1]):
                scatters[i, a, b] += scatters[j, a, b] + reduced * difference * (means[j, b] - means[i, b])
    for a in range(means.shape[1]):
        means[i, a] += mass[j] / total * (means[j, a] - means[i, a])
    mass[i] = total
    sizes[i] += sizes[j]


@inner
def _without(left: Integers, j: int) -> Integers:
    """Return the clusters that are left once j is not."""
    place = 0
    for other in left:
        if other != j:
            left[place] = other
            place += 1
    return left[:place]


@inner
def _renew(costs: Array, partner: Integers, least: Array, left: Integers, fresh: Array, i: int, j: int) -> None:
    """Take in the costs of cluster i, which has absorbed j; those whose partner was one of them look at all again."""
    for place in range(left.shape[0]):
        other = left[place]
        cost = fresh[place]
        costs[i, other], costs[other, i] = cost, cost
        if partner[other] == i or partner[other] == j or other == i:
            partner[other] = -1
        elif cost < least[other] or (cost == least[other] and i < partner[other]):
            least[other], partner[other] = cost, i
    for other in left:
        if partner[other] == -1:
            _look_through(costs, partner, least, left, other)


@inner
def _look_through(costs: Array, partner: Integers, least: Array, left: Integers, i: int) -> None:
    """Find a cluster's cheapest partner, the first among equals."""
    best, where = np.inf, -1
    for other in left:
        if other != i and (where == -1 or costs[i, other] < best):
            best, where = costs[i, other], other
    least[i], partner[i] = best, where
