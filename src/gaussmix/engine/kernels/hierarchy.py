"""Model-based hierarchical clustering, compiled.

The specification is the function of the same name and arguments in `fitting.starts.hierarchical`, in NumPy; this one
makes the same joins, without temporary arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, float64, int64, types

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


_CLUSTERS = types.NamedTuple(
    (boolean, float64[::1], int64[::1], float64[:, ::1], float64[:, :, ::1], float64[::1], float64[::1], float64),
    Clusters,
)


def _join(
    clusters: Clusters, costs: Array, partner: Integers, least: Array, left: Integers, work: Array, merges: Integers
) -> int:
    """Fill in the pairs (n - 1, 2) of clusters joined, the cheapest first; return how many before distances overflow.

    Parameters
    ----------
    clusters : Clusters
        Rows to begin with.
    costs : array (n + 1, n)
        Overwritten by what joins cost, and in the last row by those of the latest union.
    partner, least, left : arrays (n,)
        Overwritten by every cluster's cheapest partner, what that join costs, and the clusters that are left.
    work : array (D, D)
        Scratch.
    merges : array (n - 1, 2)
        The pairs.
    """
    n = left.shape[0]
    fresh = costs[n]
    for i in range(n):
        left[i] = i
    for i in range(n):
        _fill_costs(clusters, i, left, n, work, fresh)
        for j in range(i, n):
            costs[i, j] = fresh[j]
            costs[j, i] = fresh[j]
    for i in range(n):
        _look_through(costs, partner, least, left, n, i)
    for step in range(n - 1):
        n_left = n - step
        i = left[0]
        for place in range(1, n_left):
            i = left[place] if least[left[place]] < least[i] else i
        if not np.isfinite(least[i]):
            return step
        j = int(partner[i])
        merges[step, 0], merges[step, 1] = i, j
        _absorb(clusters, i, partner, work, fresh)
        _leave_out(left, n_left, j)
        _fill_costs(clusters, i, left, n_left - 1, work, fresh)
        _renew(costs, partner, least, left, n_left - 1, i, j)
    return n - 1


_joined = Unit(
    _join,
    int64(_CLUSTERS, float64[:, ::1], int64[::1], float64[::1], int64[::1], float64[:, ::1], int64[:, ::1]),
)


def join_all(x: Array, mass: Array, full: bool) -> Integers:
    """Return the pairs (n - 1, 2) of clusters joined, the cheapest first; negative from where distances overflow."""
    n, n_features = x.shape
    centred = x - mass @ x / mass.sum()
    ridge = float(mass @ (centred**2).sum(axis=1)) / (mass.sum() * n_features) if n > 1 else 1.0
    scatters, traces = np.zeros((n, n_features, n_features)), np.zeros(n)
    terms = mass * np.log(ridge / mass) if full else np.zeros(n)
    clusters = Clusters(full, mass.copy(), np.ones(n, dtype=np.int64), x.copy(), scatters, traces, terms, ridge)
    costs, least, merges = np.empty((n + 1, n)), np.empty(n), np.full((n - 1, 2), -1, dtype=np.int64)
    partner, left = np.empty((2, n), dtype=np.int64)
    _joined(clusters, costs, partner, least, left, np.empty((n_features, n_features)), merges)
    return merges


@inner
def _fill_costs(clusters: Clusters, i: int, others: Integers, count: int, work: Array, fresh: Array) -> None:
    """Fill in by how much joining cluster i with each of the others raises the criterion; i itself is without bound."""
    full, mass, sizes, means, scatters, traces, terms, ridge = clusters
    n_features = means.shape[1]
    for place in range(count):
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
def _absorb(clusters: Clusters, i: int, partner: Integers, work: Array, cost: Array) -> None:
    """Join its cheapest partner into cluster i; the first of `cost` is scratch."""
    full, mass, sizes, means, scatters, traces, terms, _ = clusters
    j = int(partner[i])
    total = mass[i] + mass[j]
    reduced = mass[i] * mass[j] / total
    if full:
        _fill_costs(clusters, i, partner[i : i + 1], 1, work, cost)
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
def _leave_out(left: Integers, n_left: int, j: int) -> None:
    """Take cluster j out of those that are left, whose order stays."""
    place = 0
    for old in range(n_left):
        if left[old] != j:
            left[place] = left[old]
            place += 1


@inner
def _renew(costs: Array, partner: Integers, least: Array, left: Integers, n_left: int, i: int, j: int) -> None:
    """Take in the costs of cluster i, which has absorbed j; those whose partner was one of them look at all again."""
    for place in range(n_left):
        other = left[place]
        cost = costs[costs.shape[1], place]
        costs[i, other], costs[other, i] = cost, cost
        if partner[other] == i or partner[other] == j or other == i:
            partner[other] = -1
        elif cost < least[other] or (cost == least[other] and i < partner[other]):
            least[other], partner[other] = cost, i
    for place in range(n_left):
        if partner[left[place]] == -1:
            _look_through(costs, partner, least, left, n_left, left[place])


@inner
def _look_through(costs: Array, partner: Integers, least: Array, left: Integers, n_left: int, i: int) -> None:
    """Find a cluster's cheapest partner, the first among equals."""
    best, where = np.inf, -1
    for place in range(n_left):
        other = left[place]
        if other != i and (where == -1 or costs[i, other] < best):
            best, where = costs[i, other], other
    least[i], partner[i] = best, where
