"""Partitions of a row sample: what is compiled does as its specification does, in NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.fitting.starts import kmeans as plain
from gaussmix.fitting.starts.kmeans import kmeans, lloyd, plus_plus
from gaussmix.fitting.starts.partition import partition, partition_by_rows

seeds = st.integers(0, 2**32)
sizes = st.tuples(st.integers(10, 200), st.integers(1, 10), st.integers(1, 8))  # rows, columns, clusters


def clustered(rng: np.random.Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    z = rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 3, (n, 1))
    return z - z.mean(axis=0), rng.uniform(0.3, 3.0, n)


@given(seed=seeds, size=sizes)
def test_the_compiled_k_means_gives_the_labels_of_its_specification(seed, size):
    n, d, k = size
    z, w = clustered(np.random.default_rng(seed), n, d)
    labels = kmeans(z, w, k, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    first, lots = int(rng.choice(n, p=w / w.sum())), rng.random((k - 1, 2 + int(np.log(k))))
    assert np.array_equal(labels, lloyd(z, w, plus_plus(z, w, first, lots), 20))


@given(seed=seeds, size=sizes)
def test_the_compiled_parts_are_those_of_its_specification(seed, size):
    n, d, k = size
    rng = np.random.default_rng(seed)
    z, w = clustered(rng, n, d)
    labels = rng.permutation(np.arange(n) % k)
    for one, other in zip(partition(z, w, labels, k), partition_by_rows(z, w, labels, k), strict=True):
        # Sums of up to 200 rows in two orders.
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())


def test_seeds_lie_in_all_clusters_that_are_far_apart():
    rng = np.random.default_rng(0)
    which = np.arange(300) % 6
    z = rng.normal(size=(300, 3)) + 1000.0 * which[:, None]
    labels = kmeans(z, np.ones(300), 6, rng)
    assert all(len(np.unique(labels[which == k])) == 1 for k in range(6))
    assert len(np.unique(labels)) == 6


def test_without_numba_numpy_takes_over(monkeypatch):
    z, w = clustered(np.random.default_rng(1), 50, 2)
    fast = kmeans(z, w, 3, np.random.default_rng(0))
    parts = partition(z, w, fast, 3)
    monkeypatch.setattr(plain, "compiled", lambda: False)
    monkeypatch.setattr("gaussmix.fitting.starts.partition.compiled", lambda: False)
    assert np.array_equal(kmeans(z, w, 3, np.random.default_rng(0)), fast)
    assert all(np.allclose(*pair) for pair in zip(partition(z, w, fast, 3), parts, strict=True))
