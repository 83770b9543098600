"""Laws of the mixture as a distribution: it integrates to one, samples as it says, conditions and marginalizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nature import ALL, random_mixture, seeds
from scipy import stats

import gaussmix as gm
from gaussmix.coordinates import Coordinates

FALSE_ALARM = 1e-7  # of all Monte Carlo assertions of one test together


@given(seed=seeds, structure=st.sampled_from(["E", "V"]), k=st.integers(1, 5))
def test_a_density_of_one_feature_integrates_to_one(seed: int, structure: str, k: int) -> None:
    mixture = random_mixture(np.random.default_rng(seed), structure, k, 1)
    reach = 9.0 * mixture.standard_deviations.max()
    x, step = np.linspace(mixture.means.min() - reach, mixture.means.max() + reach, 40_001, retstep=True)
    # The trapezoidal rule converges exponentially for functions that vanish at both ends.
    assert np.exp(mixture.log_prob(x[:, None])).sum() * step == pytest.approx(1.0, abs=1e-12)


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 3))
@settings(max_examples=10)
def test_a_density_of_two_features_integrates_to_one(seed: int, structure: str, k: int) -> None:
    mixture = random_mixture(np.random.default_rng(seed), structure, k, 2, apart=1.0)
    reach = 8.0 * mixture.standard_deviations.max(axis=0)
    low, high = mixture.means.min(axis=0) - reach, mixture.means.max(axis=0) + reach
    axes = [np.linspace(a, b, 601) for a, b in zip(low, high, strict=True)]
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    assert np.exp(mixture.log_prob(grid)).sum() * cell == pytest.approx(1.0, abs=1e-9)


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 5), d=st.integers(1, 5))
def test_log_prob_is_what_a_multivariate_normal_says(seed: int, structure: str, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    x = 4.0 * rng.standard_normal((20, d))
    parts = np.array(
        [
            np.log(w) + stats.multivariate_normal(mean, covariance).logpdf(x)
            for w, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
        ]
    )
    np.testing.assert_allclose(mixture.component_log_prob(x).T, parts, rtol=1e-9)
    np.testing.assert_allclose(mixture.log_prob(x), np.logaddexp.reduce(parts), rtol=1e-9)
    shares = mixture.responsibilities(x)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose(shares, np.exp(parts - np.logaddexp.reduce(parts)).T, rtol=1e-8, atol=1e-300)
    assert (mixture.predict(x) == parts.argmax(axis=0)).all()


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 4), d=st.integers(1, 3))
def test_a_sample_has_the_moments_of_its_mixture(seed: int, structure: str, k: int, d: int) -> None:
    n = 20_000
    mixture = random_mixture(np.random.default_rng(seed), structure, k, d)
    x, labels = mixture.sample_labelled(n, seed)
    mean = mixture.weights @ mixture.means
    gaps = mixture.means - mean
    covariance = np.einsum("k,kij->ij", mixture.weights, mixture.covariances + gaps[:, :, None] * gaps[:, None, :])
    z = x - mean
    products = z[:, :, None] * z[:, None, :]
    counts = np.bincount(labels, minlength=k)
    found = np.concatenate([z.mean(axis=0), products.mean(axis=0).ravel(), counts / n])
    wanted = np.concatenate([np.zeros(d), covariance.ravel(), mixture.weights])
    errors = np.concatenate(
        [z.std(axis=0), products.std(axis=0).ravel(), np.sqrt(mixture.weights * (1.0 - mixture.weights))]
    )
    # Bonferroni over all moments of all 25 examples; the central limit theorem holds well enough at this n.
    limit = stats.norm.isf(FALSE_ALARM / (2 * 25 * len(found)))
    assert (np.abs(found - wanted) <= limit * errors / np.sqrt(n) + 1e-12).all()


@given(seed=seeds, k=st.integers(2, 4))
def test_labels_of_a_sample_tell_the_component(seed: int, k: int) -> None:
    mixture = random_mixture(np.random.default_rng(seed), "VVV", k, 2)
    x, labels = mixture.sample_labelled(4_000, seed)
    for i in range(k):
        mine = x[labels == i] - mixture.means[i]
        white = np.linalg.solve(np.linalg.cholesky(mixture.covariances[i]), mine.T)
        squares = np.square(white).sum()
        # A sum of squares of independent standard normals.
        degrees = white.size
        level = FALSE_ALARM / (2 * 4 * 25)
        assert stats.chi2.ppf(level, degrees) <= squares <= stats.chi2.isf(level, degrees)


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 4), d=st.integers(2, 5), data=st.data())
def test_a_joint_density_is_the_marginal_times_the_conditional(
    seed: int, structure: str, k: int, d: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    order = rng.permutation(d)
    n_given = data.draw(st.integers(1, d - 1))
    known, rest = order[:n_given].tolist(), sorted(order[n_given:].tolist())
    x = mixture.sample(5, rng)
    marginal = mixture.marginal(known)
    for row in x:
        conditional = mixture.condition({i: float(row[i]) for i in known})
        parts = marginal.log_prob(row[None, known]) + conditional.log_prob(row[None, rest])
        np.testing.assert_allclose(parts, mixture.log_prob(row[None]), rtol=1e-9, atol=1e-9)


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 4), d=st.integers(1, 5))
def test_a_marginal_has_the_parameters_of_its_features(seed: int, structure: str, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    chosen = rng.permutation(d)[: rng.integers(1, d + 1)]
    marginal = mixture.marginal(chosen.tolist())
    np.testing.assert_allclose(marginal.means, mixture.means[:, chosen], rtol=1e-14)
    wanted = mixture.covariances[:, chosen][:, :, chosen]
    np.testing.assert_allclose(marginal.covariances, wanted, rtol=1e-12, atol=1e-13 * np.abs(wanted).max())
    assert marginal.n_parameters <= mixture.n_parameters or marginal.structure == "VVV"


@given(seed=seeds, k=st.integers(1, 4), far=st.sampled_from([50.0, 1e4, 1e30]))
def test_far_out_the_conditional_is_that_of_the_nearest_component(seed: int, k: int, far: float) -> None:
    mixture = random_mixture(np.random.default_rng(seed), "VVV", k, 2)
    conditional = mixture.condition({0: far})
    assert np.isfinite(conditional.means).all()
    assert conditional.weights.sum() == pytest.approx(1.0, abs=1e-12)
    nearest = ((far - mixture.means[:, 0]) / mixture.standard_deviations[:, 0]).argmin()
    if far >= 1e4:
        slope = mixture.covariances[nearest, 0, 1] / mixture.covariances[nearest, 0, 0]
        wanted = mixture.means[nearest, 1] + slope * (far - mixture.means[nearest, 0])
        assert conditional.means[conditional.weights.argmax(), 0] == pytest.approx(wanted, rel=1e-9)


@given(
    seed=seeds,
    structure=st.sampled_from(ALL),
    k=st.integers(1, 4),
    d=st.integers(1, 4),
    names=st.lists(st.text(min_size=1, max_size=5), min_size=4, max_size=4, unique=True),
    named=st.booleans(),
)
def test_saving_and_loading_change_no_bit(
    seed: int, structure: str, k: int, d: int, names: list[str], named: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    coordinates = Coordinates(rng.standard_normal(d), rng.integers(-300, 300, d))
    moved = gm.Mixture.within(
        coordinates,
        mixture.weights,
        mixture.centres,
        mixture.spread,
        mixture.structure,
        tuple(names[:d]) if named else None,
    )
    moved.save(tmp_path / "model")
    again = gm.load(tmp_path / "model")
    for name in ("weights", "centres", "means", "covariances"):
        np.testing.assert_array_equal(getattr(again, name), getattr(moved, name))
    np.testing.assert_array_equal(again.spread.arrays, moved.spread.arrays)
    assert type(again.spread) is type(moved.spread)
    assert again.coordinates.same_as(coordinates)
    assert (again.structure, again.feature_names) == (moved.structure, moved.feature_names)
    assert again.n_parameters == moved.n_parameters


@given(seed=seeds, structure=st.sampled_from(ALL), k=st.integers(1, 4), d=st.integers(1, 4))
def test_coordinates_are_only_a_way_of_writing(seed: int, structure: str, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, k, d)
    there = mixture.expressed_in(Coordinates(rng.standard_normal(d), rng.integers(-9, 9, d)))
    back = there.expressed_in(mixture.coordinates)
    x = mixture.sample(10, rng)
    np.testing.assert_allclose(there.log_prob(x), mixture.log_prob(x), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(there.means, mixture.means, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(there.covariances, mixture.covariances, rtol=1e-13)
    np.testing.assert_allclose(back.centres, mixture.centres, rtol=1e-11, atol=1e-11)
