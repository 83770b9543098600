"""Comparison of two mixtures: laws of distances and matchings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import ALL, random_mixture, seeds
from scipy.integrate import quad

import gaussmix as gm
from gaussmix.errors import ColumnError, ParameterError, ShapeError

DISTANCES = ("hellinger", "kullback_leibler", "means")


@given(seeds, st.sampled_from(ALL), st.integers(1, 5), st.integers(2, 4))
def test_a_mixture_is_itself_in_any_order(seed: int, structure: str, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    order = rng.permutation(k)
    for by in DISTANCES:
        found = gm.compare(mixture, mixture.take(order), by=by)
        assert (order[found.pairs[:, 1]] == np.arange(k)).all()
        # Rounding of relative eigenvalues, under a root.
        np.testing.assert_allclose(found.matched.hellinger, 0.0, atol=1e-6)
        np.testing.assert_allclose(found.matched.kullback_leibler, 0.0, atol=1e-12)
        np.testing.assert_allclose(found.matched.overlap, 1.0, atol=1e-12)
        np.testing.assert_allclose(found.weight_differences, 0.0, atol=0.0)
        assert [each.size for each in found.unmatched] == [0, 0]


@given(seeds, st.integers(1, 4), st.integers(1, 4), st.sampled_from(DISTANCES))
def test_no_pairing_is_nearer(seed: int, k: int, other: int, by: str) -> None:
    rng = np.random.default_rng(seed)
    a, b = random_mixture(rng, "VVV", k, 2), random_mixture(rng, "VEE", other, 2)
    found, back = gm.compare(a, b, by=by), gm.compare(b, a, by=by)  # type: ignore[arg-type]
    costs = found.distances.named(by)
    np.testing.assert_allclose(costs, back.distances.named(by).T, rtol=1e-9, atol=1e-12)
    assert len(found.pairs) == min(k, other)
    assert found.unmatched[0].size == k - len(found.pairs)
    assert found.unmatched[1].size == other - len(found.pairs)
    wide = costs if k <= other else costs.T
    least = min(
        sum(wide[i, j] for i, j in enumerate(chosen)) for chosen in permutations(range(wide.shape[1]), len(wide))
    )
    assert found.total == pytest.approx(least, rel=1e-12)


@given(seeds)
def test_distances_do_not_depend_on_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = random_mixture(rng, "VVV", 3, 3), random_mixture(rng, "VVV", 2, 3)
    turn = rng.standard_normal((3, 3)) * 10.0 ** rng.uniform(-2, 2, 3)

    def moved(mixture: gm.Mixture) -> gm.Mixture:
        covariances = turn @ mixture.covariances @ turn.T
        return gm.Mixture(
            mixture.weights, mixture.means @ turn.T + 7.0, 0.5 * (covariances + np.swapaxes(covariances, 1, 2))
        )

    before, after = gm.compare(a, b).distances, gm.compare(moved(a), moved(b)).distances
    for by in DISTANCES:
        np.testing.assert_allclose(after.named(by), before.named(by), rtol=1e-6)


@given(st.floats(-3, 3), st.floats(0.2, 5.0))
def test_formulas_are_the_integrals(mean: float, deviation: float) -> None:
    a, b = gm.Mixture([1.0], [0.0], [1.0]), gm.Mixture([1.0], [mean], [deviation**2])

    def log_p(mixture: gm.Mixture, x: float) -> float:
        return float(mixture.log_prob([[x]])[0])

    def integral(values: object) -> float:
        return quad(values, -40.0, 40.0, points=(0.0, mean), limit=200, epsabs=1e-10)[0]  # type: ignore[arg-type]

    found = gm.compare(a, b).distances
    overlap = integral(lambda x: np.exp(0.5 * (log_p(a, x) + log_p(b, x))))
    jeffreys = integral(lambda x: (np.exp(log_p(a, x)) - np.exp(log_p(b, x))) * (log_p(a, x) - log_p(b, x)))
    assert found.overlap.item() == pytest.approx(overlap, abs=1e-8)
    assert found.hellinger.item() ** 2 == pytest.approx(1.0 - overlap, abs=1e-8)
    assert found.kullback_leibler.item() == pytest.approx(0.5 * jeffreys, rel=1e-6, abs=1e-8)
    assert found.means.item() == pytest.approx(abs(mean) / np.sqrt(0.5 * (1.0 + deviation**2)), rel=1e-12)


def test_far_and_thin_components_have_distances() -> None:
    a = gm.Mixture([0.5, 0.5], [[0.0, 0.0], [1e8, 1e8]], np.array([np.eye(2), np.diag([1.0, 1e-18])]))
    found = gm.compare(a, a.take(np.array([1, 0])))
    assert found.pairs.tolist() == [[0, 1], [1, 0]]
    assert found.distances.hellinger[0, 0] == 1.0
    assert found.matched.hellinger.max() < 1e-7
    assert "0-1" in repr(found)


def test_features_are_matched_by_name() -> None:
    a = gm.Mixture([1.0], [[0.0, 5.0]], [np.diag([1.0, 2.0])], feature_names=["u", "v"])
    b = gm.Mixture([1.0], [[5.0, 0.0]], [np.diag([2.0, 1.0])], feature_names=["v", "u"])
    assert gm.compare(a, b).total == pytest.approx(0.0, abs=1e-7)
    with pytest.raises(ColumnError, match="u, v and u, w"):
        gm.compare(a, gm.Mixture([1.0], [[5.0, 0.0]], [np.eye(2)], feature_names=["u", "w"]))
    with pytest.raises(ShapeError, match="2 and 1 features"):
        gm.compare(a, gm.Mixture([1.0], [5.0], [1.0]))
    with pytest.raises(ParameterError, match="hellinger"):
        gm.compare(a, b, by="euclid")  # type: ignore[arg-type]
