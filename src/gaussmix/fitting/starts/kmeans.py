"""k-means on a row sample: seeding by k-means++, then Lloyd's iterations."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.engine.kernels.choose import compiled


def kmeans(z: Array, weights: Array, n_clusters: int, rng: np.random.Generator, iterations: int = 20) -> Integers:
    """Labels (rows,) of a k-means partition.

    Parameters
    ----------
    z : array (rows, D)
        Rows, in units in which distances mean something.
    weights : array (rows,)
        Row weights, above zero.
    n_clusters : int
        K; at most the number of distinct rows.
    rng : numpy Generator
        Source of randomness.
    iterations : int
        Most iterations of Lloyd's algorithm; it stops when no label changes.
    """
    first = int(rng.choice(len(z), p=weights / weights.sum()))
    lots = rng.random((n_clusters - 1, 2 + int(np.log(n_clusters))))
    if compiled():
        from gaussmix.engine.kernels.seeding import kmeans as compiled_kmeans

        return compiled_kmeans(np.array(z.T, order="C"), weights.copy(), first, lots, iterations)
    return lloyd(z, weights, plus_plus(z, weights, first, lots), iterations)


def lloyd(z: Array, weights: Array, centres: Array, iterations: int) -> Integers:
    """Labels (rows,) after Lloyd's iterations from given centres (K, D), which are moved."""
    n_clusters, labels = len(centres), nearest(z, centres)
    for _ in range(iterations):
        mass = np.bincount(labels, weights=weights, minlength=n_clusters)
        sums = np.stack([np.bincount(labels, weights=weights * column, minlength=n_clusters) for column in z.T], axis=1)
        filled = mass > 0.0
        centres[filled] = sums[filled] / mass[filled, None]
        before, labels = labels, nearest(z, centres)
        if (labels == before).all():
            break
    return labels


def plus_plus(z: Array, weights: Array, first: int, lots: Array) -> Array:
    """Seeds (K, D) drawn one by one with probability proportional to squared distance (Arthur & Vassilvitskii 2007).

    The greedy variant: of a few candidates the one that lowers the sum of squares most is taken.

    Parameters
    ----------
    z, weights : array (rows, D), array (rows,)
        As for `kmeans`.
    first : int
        The row that is the first seed.
    lots : array (K - 1, trials)
        Numbers between 0 and 1 by which candidates for the others are drawn.
    """
    centres = np.empty((len(lots) + 1, z.shape[1]))
    centres[0] = z[first]
    distances = np.square(z - centres[0]).sum(axis=1)
    for k, drawn in enumerate(lots, start=1):
        potential = np.cumsum(weights * distances)
        candidates = np.searchsorted(potential, drawn * potential[-1])
        candidates = np.minimum(candidates, len(z) - 1)
        reduced = np.minimum(squared_distances(z, z[candidates]), distances[:, None])
        best = (weights @ reduced).argmin()
        centres[k] = z[candidates[best]]
        distances = reduced[:, best]
    return centres


def nearest(z: Array, centres: Array) -> Integers:
    """Index (rows,) of the centre nearest to each row."""
    return squared_distances(z, centres).argmin(axis=1)


def squared_distances(z: Array, centres: Array) -> Array:
    """Squared distances (rows, K); rows are assumed to be centred, so that the product form loses no digits."""
    products = z @ centres.T
    squares = np.square(z).sum(axis=1)[:, None] - 2.0 * products + np.square(centres).sum(axis=1)
    return np.maximum(squares, 0.0, out=squares)
