"""k-means on a row sample: seeding by k-means++, then Lloyd's iterations."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array, Integers


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
    centres = plus_plus(z, weights, n_clusters, rng)
    labels = nearest(z, centres)
    for _ in range(iterations):
        mass = np.bincount(labels, weights=weights, minlength=n_clusters)
        sums = np.stack([np.bincount(labels, weights=weights * column, minlength=n_clusters) for column in z.T], axis=1)
        filled = mass > 0.0
        centres[filled] = sums[filled] / mass[filled, None]
        before, labels = labels, nearest(z, centres)
        if (labels == before).all():
            break
    return labels


def plus_plus(z: Array, weights: Array, n_clusters: int, rng: np.random.Generator) -> Array:
    """Seeds (K, D) drawn one by one with probability proportional to squared distance (Arthur & Vassilvitskii 2007).

    The greedy variant: of a few candidates the one that lowers the sum of squares most is taken.
    """
    trials = 2 + int(np.log(n_clusters))
    centres = np.empty((n_clusters, z.shape[1]))
    centres[0] = z[rng.choice(len(z), p=weights / weights.sum())]
    distances = np.square(z - centres[0]).sum(axis=1)
    for k in range(1, n_clusters):
        potential = np.cumsum(weights * distances)
        candidates = np.searchsorted(potential, rng.random(trials) * potential[-1])
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
