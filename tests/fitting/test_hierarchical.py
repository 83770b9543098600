"""Hierarchical starts: every join is the cheapest, by a specification that tries all pairs from the rows."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussmix.engine.kernels import hierarchy as compiled
from gaussmix.errors import ParameterError, ScaleError, ShapeError, WeightError
from gaussmix.fitting.starts import hierarchical
from gaussmix.fitting.starts.hierarchical import (
    Hierarchy,
    agglomerate,
    join_all,
    svd_scaled,
)

IRIS = Path(__file__).parent.parent / "oracles" / "data" / "iris.csv"
CRITERIA = ("VVV", "EII")


def scatter(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    centred = x - np.average(x, axis=0, weights=w)
    return (w[:, None] * centred).T @ centred


def term(x: np.ndarray, w: np.ndarray, criterion: str, ridge: float) -> float:
    """One cluster's part of the criterion, straight from its rows and the formula."""
    inner, mass = scatter(x, w), w.sum()
    if criterion == "EII":
        return float(np.trace(inner))
    flat = len(np.unique(x, axis=0)) <= x.shape[1]
    determinant = 0.0 if flat else np.linalg.det(inner / mass)
    return mass * float(np.log(determinant + (np.trace(inner) + ridge) / mass))


def brute_force(x: np.ndarray, w: np.ndarray, criterion: str) -> list[tuple[int, int]]:
    """All joins, each found by trying every pair of clusters; equal rows first."""
    ridge = float(np.trace(scatter(x, w))) / (w.sum() * x.shape[1])
    clusters: dict[int, list[int]] = {}
    joins = []
    for row in range(len(x)):
        twin = next((name for name in clusters if (x[name] == x[row]).all()), row)
        clusters.setdefault(twin, []).append(row)
        joins += [(twin, row)] if twin != row else []

    def value(rows: list[int]) -> float:
        return term(x[rows], w[rows], criterion, ridge)

    def cost(pair: tuple[int, int]) -> float:
        a, b = clusters[pair[0]], clusters[pair[1]]
        return value(a + b) - value(a) - value(b)

    while len(clusters) > 1:
        joins.append(min(itertools.combinations(sorted(clusters), 2), key=cost))
        clusters[joins[-1][0]] += clusters.pop(joins[-1][1])
    return joins


def rows(seed: int, n: int, n_features: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n_features)) * rng.uniform(0.2, 2, n_features) + 3.0 * rng.integers(0, 3, (n, 1))


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985)."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    pairs, first, second, every = (
        (v * (v - 1) / 2).sum() for v in (table, table.sum(1), table.sum(0), np.array(len(a)))
    )
    chance = first * second / every
    return float((pairs - chance) / ((first + second) / 2 - chance))


# Laws

data = st.builds(rows, st.integers(0, 2**32), st.integers(2, 14), st.integers(1, 4))


@pytest.mark.parametrize("criterion", CRITERIA)
@given(x=data, seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_every_join_is_the_cheapest(criterion, x, seed):
    w = np.random.default_rng(seed).uniform(0.3, 3.0, len(x))
    assert agglomerate(x, w, criterion=criterion).merges.tolist() == [
        list(pair) for pair in brute_force(x, w, criterion)
    ]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_join_is_the_cheapest_among_more_rows(criterion):
    x = rows(1, 40, 2)
    assert agglomerate(x, criterion=criterion).merges.tolist() == [
        list(pair) for pair in brute_force(x, np.ones(40), criterion)
    ]


@pytest.mark.parametrize("full", [True, False])
@given(x=st.builds(rows, st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 6)))
@settings(deadline=None)
def test_the_compiled_joins_are_those_of_the_specification(full, x):
    weights = np.random.default_rng(len(x)).uniform(0.3, 3.0, len(x))
    assert np.array_equal(compiled.join_all(x, weights, full), join_all(x, weights, full))


@pytest.mark.parametrize("criterion", CRITERIA)
@given(x=data, repeats=st.integers(0, 2**32))
@settings(deadline=None)
def test_partitions_are_nested_and_have_as_many_clusters_as_asked(criterion, x, repeats):
    x = x[np.random.default_rng(repeats).integers(0, len(x), len(x))]
    hierarchy = agglomerate(x, criterion=criterion)
    finer = hierarchy.labels(len(x))
    assert finer.tolist() == list(range(len(x)))
    for k in range(len(x) - 1, 0, -1):
        labels = hierarchy.labels(k)
        assert list(dict.fromkeys(labels)) == list(range(k))  # numbered by first appearance
        assert len(set(zip(finer, labels, strict=True))) == k + 1
        finer = labels


@pytest.mark.parametrize("criterion", CRITERIA)
@given(x=data, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_neither_the_order_of_rows_nor_a_shift_matters(criterion, x, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    original = agglomerate(x, criterion=criterion)
    moved = agglomerate(x[order] + 100.0, criterion=criterion)
    assert all(same_partition(moved.labels(k), original.labels(k)[order]) for k in range(1, len(x) + 1))


@pytest.mark.parametrize("criterion", CRITERIA)
@given(seed=st.integers(0, 2**32), n_features=st.integers(1, 4))
@settings(deadline=None)
def test_after_scaling_no_affine_map_matters(criterion, seed, n_features):
    x, rng = rows(seed, 20, n_features), np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    mapped = x @ (rotation * rng.uniform(0.01, 100.0, n_features)) + rng.normal(size=n_features)
    w = rng.uniform(0.5, 2.0, 20)
    one, other = (agglomerate(svd_scaled(v, w), w, criterion=criterion) for v in (x, mapped))
    assert np.array_equal(one.merges, other.merges)


@pytest.mark.parametrize("criterion", CRITERIA)
@given(x=data, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_a_weight_is_a_number_of_equal_rows(criterion, x, seed):
    times = np.random.default_rng(seed).integers(1, 4, len(x))
    repeated = np.repeat(np.arange(len(x)), times)
    weighted = agglomerate(svd_scaled(x, times.astype(float)), times.astype(float), criterion=criterion)
    copied = agglomerate(svd_scaled(x[repeated]), criterion=criterion)
    assert all(np.array_equal(copied.labels(k), weighted.labels(k)[repeated]) for k in range(1, len(x) + 1))


@given(x=data, seed=st.integers(0, 2**32))
def test_scaled_rows_have_unit_covariance(x, seed):
    w = np.random.default_rng(seed).uniform(0.5, 2.0, len(x))
    z = svd_scaled(x, w)
    # Whitening loses the square of the digits that the condition of the standardized columns costs.
    tolerance = 1e-14 * np.linalg.cond((x - x.mean(axis=0)) / x.std(axis=0)) ** 2 if z.shape[1] == x.shape[1] else 1e-9
    np.testing.assert_allclose(scatter(z, w) / w.sum(), np.eye(z.shape[1]), atol=max(tolerance, 1e-12))
    np.testing.assert_allclose(w @ z / w.sum(), 0.0, atol=max(tolerance, 1e-12))


# Reference numbers


def test_three_clusters_of_iris_are_like_the_species():
    x = np.loadtxt(IRIS, delimiter=",", skiprows=1)
    species = np.repeat([0, 1, 2], 50)
    measured = {
        criterion: agreement(agglomerate(svd_scaled(x), criterion=criterion).labels(3), species)
        for criterion in CRITERIA
    }
    assert measured == pytest.approx({"VVV": 0.590, "EII": 0.590}, abs=5e-4)  # chance would give 0


# Examples


def test_equal_rows_are_joined_first_and_for_free():
    x = np.array([[0.0], [5.0], [0.0], [0.1], [5.0], [-0.0]])
    assert agglomerate(x).merges.tolist()[:3] == [[0, 2], [1, 4], [0, 5]]
    assert agglomerate(x).labels(2).tolist() == [0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_rows_that_are_all_equal_and_a_single_row(criterion):
    for x in (np.full((4, 2), 7.0), np.empty((4, 0)), svd_scaled(np.full((4, 2), 7.0))):
        assert agglomerate(x, criterion=criterion).merges.tolist() == [[0, 1], [0, 2], [0, 3]]
    assert agglomerate(np.ones((1, 2)), criterion=criterion).labels(1).tolist() == [0]


def test_directions_without_spread_are_dropped():
    x = rows(3, 30, 2)
    padded = np.column_stack([x, np.full(30, 0.1), x[:, 0] - 2 * x[:, 1]])
    assert svd_scaled(padded).shape == (30, 2)
    assert np.array_equal(agglomerate(svd_scaled(padded)).merges, agglomerate(svd_scaled(x)).merges)


def test_flat_clusters_keep_finite_costs():
    line = np.column_stack([np.arange(12.0), 2.0 * np.arange(12.0), np.zeros(12)])
    x = np.concatenate([line**1.1, rows(4, 12, 3) + 50.0])
    assert len(set(agglomerate(x).labels(2)[:12])) == 1


def test_the_slow_path_makes_the_same_joins(monkeypatch):
    x = svd_scaled(rows(5, 60, 3))
    fast = agglomerate(x)
    monkeypatch.setattr("gaussmix.engine.kernels.choose.compiled", lambda _work: False)
    assert hierarchical.fastest(10, 2) is join_all
    assert np.array_equal(agglomerate(x).merges, fast.merges)


def test_importing_does_not_load_numba():
    code = "import sys, gaussmix.fitting.starts.hierarchical; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_hierarchies_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Hierarchy(np.array([[0, 1]])).merges[0, 0] = 1


def test_calls_that_cannot_be_answered():
    x = rows(6, 5, 2)
    with pytest.raises(ParameterError, match="6 clusters were asked of 5 rows"):
        agglomerate(x).labels(6)
    with pytest.raises(ParameterError, match="'VVV', 'EII'"):
        agglomerate(x, criterion="EEE")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="at least one row"):
        agglomerate(np.empty((0, 2)))
    with pytest.raises(WeightError, match="5 rows need as many positive"):
        agglomerate(x, np.array([1.0, 1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(ScaleError, match="svd_scaled"), np.errstate(all="ignore"):
        agglomerate(1e200 * x, criterion="EII")
