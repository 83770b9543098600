"""Model-based agglomerative hierarchical clustering: a start for every number of components at once.

From one cluster per distinct row, the two clusters whose union raises a criterion least are joined until one
is left. The criterion is a classification likelihood, up to constants and sign (Fraley 1998, "Algorithms for
model-based Gaussian hierarchical clustering", SIAM J. Sci. Comput. 20, 270-281; with its alpha = beta = 1):

"EII"  spheres of one size:  sum_k tr(W_k), Ward's sum of squares;
"VVV"  any ellipsoids:       sum_k n_k log( |W_k / n_k| + (tr(W_k) + tr(W) / (n D)) / n_k ).

W_k is the scatter of cluster k about its mean, n_k its mass (the sum of its rows' weights), W the scatter of
all rows and n their mass. The second part of the VVV term stands in for the determinant while that is zero or
next to it, as it is for up to D rows: without it the first flat pair would be infinitely good. A determinant
and a trace are only comparable in sensible units, so rows should be given as `svd_scaled` returns them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.errors import ParameterError, ScaleError, ShapeError, WeightError

Criterion = Literal["VVV", "EII"]

Join = Callable[[Array, Array, bool], Integers]

_EPS = float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Nested partitions of n rows, from n clusters down to one.

    Parameters
    ----------
    merges : integer array (n - 1, 2)
        In order, the clusters joined, each named by its first row; the smaller name is the union's.
    """

    merges: Integers

    def __post_init__(self) -> None:
        merges = np.array(self.merges, dtype=np.int64).reshape(-1, 2)
        merges.flags.writeable = False
        object.__setattr__(self, "merges", merges)

    @property
    def n_rows(self) -> int:
        """Number of rows n."""
        return self.merges.shape[0] + 1

    def labels(self, k: int) -> Integers:
        """Cluster (n,) of every row in the partition into `k` clusters, numbered by their first rows.

        Raises
        ------
        ParameterError
            If `k` is not between 1 and n.
        """
        if not 1 <= k <= self.n_rows:
            raise ParameterError(
                f"{k} clusters were asked of {self.n_rows} rows; give a number from 1 to {self.n_rows}"
            )
        joins = self.merges[: self.n_rows - k]
        parent = np.arange(self.n_rows)
        parent[joins[:, 1]] = joins[:, 0]
        while not np.array_equal(grandparent := parent[parent], parent):
            parent = grandparent
        return np.unique(parent, return_inverse=True)[1].astype(np.int64)


def svd_scaled(x: Array, weights: Array | None = None, *, whitening: float = 1.0) -> Array:
    """Rows (n, R) in the principal axes of the standardized columns, with mean 0, divided by their spreads.

    With full whitening every axis has variance 1, and an affine map of the rows only rotates or reflects the result;
    with half of it wide axes keep some of their weight, as in mclust's "SVD" scaling (Scrucca & Raftery 2015), and
    only the columns' units do not matter. Directions without spread are dropped. Equal rows stay equal to the bit.

    Parameters
    ----------
    x : array (n, D)
        Finite rows.
    weights : array (n,), optional
        Positive row weights, as frequencies; one each by default.
    whitening : float
        The power of its spread that each axis is divided by.
    """
    first, inverse, mass = _distinct(x, weights)
    rows = x[first][:, np.ptp(x, axis=0) > 0.0]
    if rows.shape[1] == 0:
        return np.empty((x.shape[0], 0))
    share = (mass / mass.sum())[:, None]
    rows = rows - (share * rows).sum(axis=0)
    rows /= np.sqrt((share * rows**2).sum(axis=0))
    _, spread, axes = np.linalg.svd(np.sqrt(share) * rows, full_matrices=False)
    kept = spread > max(rows.shape) * _EPS * spread[0]
    return (rows @ (axes[kept].T / spread[kept] ** whitening))[inverse]


def agglomerate(x: Array, weights: Array | None = None, *, criterion: Criterion = "VVV") -> Hierarchy:
    """Join the rows step by step, always the two clusters whose union raises the criterion least.

    Every step takes the exact least; of equal ones, the pair of clusters with the first rows. Equal rows are
    joined beforehand at no cost. Memory is 8 n^2 bytes, time about n^2 (D^3 / 6 + D^2) operations for "VVV".

    Parameters
    ----------
    x : array (n, D)
        Finite rows; for "VVV" as `svd_scaled` returns them.
    weights : array (n,), optional
        Positive row weights, as frequencies; one each by default.
    criterion : {"VVV", "EII"}
        What a join costs; see the module's text.

    Raises
    ------
    ShapeError, WeightError, ParameterError, ScaleError
        If `x` is no table with rows, a weight is not positive, `criterion` is unknown, or distances overflow.
    """
    if criterion not in ("VVV", "EII"):
        raise ParameterError(f"criterion is {criterion!r}; give one of 'VVV', 'EII'")
    first, inverse, mass = _distinct(x, weights)
    rows = np.arange(x.shape[0])
    repeated = rows[first[inverse] != rows]
    free = np.column_stack([first[inverse[repeated]], repeated])
    distinct = np.ascontiguousarray(x[first], dtype=np.float64)
    joins = fastest(*distinct.shape)(distinct, mass, criterion == "VVV")
    if (joins < 0).any():
        raise ScaleError("distances between rows overflow float64; give the rows as `svd_scaled` returns them")
    return Hierarchy(np.concatenate([free, first[joins]]))


def fastest(n_rows: int, n_features: int) -> Join:
    """Return the compiled `join_all`, or this module's where nothing is compiled yet, or can be."""
    from gaussmix.engine.kernels.choose import compiled

    if not compiled(n_rows**2 * (n_features**3 / 6.0 + n_features**2)):
        return join_all
    from gaussmix.engine.kernels import hierarchy

    return hierarchy.join_all


def _distinct(x: Array, weights: Array | None) -> tuple[Integers, Integers, Array]:
    """First positions (m,) of the distinct rows, which of them every row (n,) is, and their masses (m,)."""
    n_rows = x.shape[0]
    if x.ndim != 2 or n_rows == 0:
        raise ShapeError(f"the rows have shape {x.shape}; a table of (rows, columns) with at least one row is needed")
    weights = np.ones(n_rows) if weights is None else weights
    if weights.shape != (n_rows,) or not (weights > 0.0).all() or not np.isfinite(weights).all():
        raise WeightError(f"{n_rows} rows need as many positive finite weights; leave out rows of weight zero")
    if x.shape[1] == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(n_rows, dtype=np.int64), np.array([weights.sum()])
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    inverse = np.argsort(order)[inverse.ravel()].astype(np.int64)
    mass = np.bincount(inverse, weights=weights).astype(np.float64)
    return first[order].astype(np.int64), inverse, mass


class _Clusters(ABC):
    """n clusters, of which some have been absorbed by others.

    Parameters
    ----------
    x : array (n, D)
        One row per cluster to begin with.
    mass : array (n,)
        Its weight.
    """

    def __init__(self, x: Array, mass: Array) -> None:
        self.mass = mass.copy()
        self.means = x.copy()

    @abstractmethod
    def costs(self, i: int, others: Integers) -> Array:
        """By how much joining cluster i with each of `others` (M,) raises the criterion, (M,)."""

    @abstractmethod
    def absorb(self, i: int, j: int) -> None:
        """Join cluster j into cluster i."""


@final
class SphericalClusters(_Clusters):
    """Clusters under "EII"."""

    def costs(self, i: int, others: Integers) -> Array:
        """By how much joining cluster i with each of `others` (M,) raises the sum of squares, (M,)."""
        reduced = self.mass[i] * self.mass[others] / (self.mass[i] + self.mass[others])
        return reduced * ((self.means[others] - self.means[i]) ** 2).sum(axis=1)

    def absorb(self, i: int, j: int) -> None:
        """Join cluster j into cluster i."""
        total = self.mass[i] + self.mass[j]
        self.means[i] += self.mass[j] / total * (self.means[j] - self.means[i])
        self.mass[i] = total


@final
class FullClusters(_Clusters):
    """Clusters under "VVV"."""

    def __init__(self, x: Array, mass: Array) -> None:
        super().__init__(x, mass)
        n, n_features = x.shape
        self.sizes = np.ones(n, dtype=np.int64)
        self.scatters = np.zeros((n, n_features, n_features))
        self.traces = np.zeros(n)
        centred = x - mass @ x / mass.sum()
        self.ridge = float(mass @ (centred**2).sum(axis=1)) / (mass.sum() * n_features) if n > 1 else 1.0
        self.terms = mass * np.log(self.ridge / mass)

    def costs(self, i: int, others: Integers) -> Array:
        """By how much joining cluster i with each of `others` (M,) raises the criterion, (M,)."""
        return self._joined(i, others) - self.terms[i] - self.terms[others]

    def absorb(self, i: int, j: int) -> None:
        """Join cluster j into cluster i."""
        self.terms[i] = self._joined(i, np.array([j]))[0]
        total = self.mass[i] + self.mass[j]
        gap = self.means[j] - self.means[i]
        reduced = self.mass[i] * self.mass[j] / total
        self.scatters[i] += self.scatters[j] + reduced * np.outer(gap, gap)
        self.traces[i] += self.traces[j] + reduced * gap @ gap
        self.means[i] += self.mass[j] / total * gap
        self.mass[i] = total
        self.sizes[i] += self.sizes[j]

    def _joined(self, i: int, others: Integers) -> Array:
        """Return the term of cluster i joined with each of `others` (M,)."""
        total = self.mass[i] + self.mass[others]
        gaps = self.means[others] - self.means[i]
        reduced = self.mass[i] * self.mass[others] / total
        traces = self.traces[i] + self.traces[others] + reduced * (gaps**2).sum(axis=1)
        log_volumes = np.log((traces + self.ridge) / total)
        solid = np.flatnonzero(self.sizes[i] + self.sizes[others] > self.means.shape[1])
        gaps = gaps[solid]
        outer = (reduced[solid, None] * gaps)[:, :, None] * gaps[:, None, :]
        joined = self.scatters[i] + self.scatters[others[solid]] + outer
        log_volumes[solid] = np.logaddexp(log_volumes[solid], _log_determinants(joined / total[solid, None, None]))
        return total * log_volumes


def _log_determinants(a: Array) -> Array:
    """Log determinants (M,) of symmetric `a` (M, D, D), overwritten; -inf for one that is singular.

    The pivots are those of an L D L' factorization.
    """
    n_features = a.shape[1]
    diagonals = np.diagonal(a, axis1=1, axis2=2).copy()
    for j in range(n_features - 1):
        with np.errstate(divide="ignore", invalid="ignore"):  # singular ones, told below
            column = a[:, j + 1 :, j] / a[:, j, j, None]
        a[:, j + 1 :, j + 1 :] -= column[:, :, None] * a[:, None, j, j + 1 :]
    pivots = np.diagonal(a, axis1=1, axis2=2)
    regular = (pivots > n_features * _EPS * diagonals).all(axis=1)
    return np.log(pivots, where=regular[:, None], out=np.full(pivots.shape, -np.inf)).sum(axis=1)


def join_all(x: Array, mass: Array, full: bool) -> Integers:
    """Return the pairs (n - 1, 2) of clusters joined, the cheapest first, until one is left: the specification.

    Every cluster remembers its cheapest partner; those whose partner changed look through their costs again. Where
    distances overflow, what is left of the pairs is negative.

    Parameters
    ----------
    x, mass : array (n, D), array (n,)
        Distinct rows and their weights.
    full : bool
        Whether the criterion is "VVV", not "EII".
    """
    clusters = FullClusters(x, mass) if full else SphericalClusters(x, mass)
    n = clusters.mass.shape[0]
    merges = np.full((n - 1, 2), -1, dtype=np.int64)
    costs = _all_costs(clusters)
    partner = costs.argmin(axis=1)
    least = costs.min(axis=1)
    others = np.arange(n)
    for step in range(n - 1):
        i = int(least.argmin())
        if not np.isfinite(least[i]):
            break
        j = int(partner[i])
        merges[step] = i, j
        clusters.absorb(i, j)
        costs[j] = costs[:, j] = least[j] = np.inf
        others = others[others != j]
        joinable = others[others != i]
        costs[i, joinable] = costs[joinable, i] = fresh = clusters.costs(i, joinable)
        closer = (fresh < least[joinable]) | ((fresh == least[joinable]) & (i < partner[joinable]))
        least[joinable[closer]] = fresh[closer]
        partner[joinable[closer]] = i
        stale = others[(partner[others] == i) | (partner[others] == j) | (others == i)]
        partner[stale] = costs[stale].argmin(axis=1)
        least[stale] = costs[stale, partner[stale]]
    return merges


def _all_costs(clusters: _Clusters) -> Array:
    n = clusters.mass.shape[0]
    costs = np.full((n, n), np.inf)
    for i in range(n - 1):
        costs[i, i + 1 :] = costs[i + 1 :, i] = clusters.costs(i, np.arange(i + 1, n))
    return costs
