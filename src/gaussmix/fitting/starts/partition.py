"""What M-steps need of a partition of a row sample."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.engine.kernels.choose import compiled


def partition(z: Array, weights: Array, labels: Integers, n_clusters: int) -> tuple[Array, Array, Array]:
    """Masses (K,), means (K, D) and scatters (K, D, D) of labelled rows; every label has some."""
    d = z.shape[1]
    if compiled():
        from gaussmix.engine.kernels.seeding import partition as compiled_partition

        parts = np.empty(n_clusters), np.empty((n_clusters, d)), np.empty((n_clusters, d, d))
        compiled_partition(np.array(z.T, order="C"), weights.copy(), labels, *parts)
        return parts
    return partition_by_rows(z, weights, labels, n_clusters)


def partition_by_rows(z: Array, weights: Array, labels: Integers, n_clusters: int) -> tuple[Array, Array, Array]:
    """Return the same, in NumPy."""
    d = z.shape[1]
    mass = np.bincount(labels, weights=weights, minlength=n_clusters).astype(np.float64)
    means, scatters = np.empty((n_clusters, d)), np.empty((n_clusters, d, d))
    for k in range(n_clusters):
        mine = labels == k
        means[k] = weights[mine] @ z[mine] / mass[k]
        deviations = z[mine] - means[k]
        scatters[k] = (deviations * weights[mine, None]).T @ deviations
    return mass, means, scatters
