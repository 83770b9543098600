"""Stepwise EM: what one batch does is written out, weights are repetitions, and many batches come near one fit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.mixture import GaussianMixture as Sklearn

import gaussmix as gm
from gaussmix.covariance import NAMES

AGREEMENT = 1e-10  # of the largest entry of a parameter
PARAMETERS = ("weights_", "means_", "covariances_", "lower_bound_", "log_likelihood_")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def batches(seed: int, n: int = 3, size: int = 60, offset: float = 0.0) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, -3.0]])
    roots = np.array([np.diag([1.0, 0.5, 2.0]), [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.2, -0.3, 0.7]]])
    found = []
    for _ in range(n):
        which = rng.integers(2, size=size)
        found.append(centres[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(size, 3))) + offset)
    return found


def assert_same(mine: Any, known: Any, tolerance: float = AGREEMENT) -> None:
    for name in PARAMETERS:
        value, expected = getattr(mine, name), getattr(known, name)
        atol = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(value, expected, rtol=0.0, atol=atol, err_msg=name)


def begun(covariance_type: str, x: np.ndarray[Any, Any]) -> gm.GaussianMixture:
    """A mixture of two, fitted a little to a first batch."""
    return gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=3, tol=0.0).partial_fit(x)


@pytest.mark.parametrize("covariance_type", NAMES)
def test_the_first_batch_is_fitted(covariance_type: str) -> None:
    (x,) = batches(0, 1)
    fitted = gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=3, tol=0.0).fit(x)
    assert_same(begun(covariance_type, x), fitted)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_one_component_is_a_weighted_mean_of_moments(offset: float) -> None:
    first, second, third = batches(1, 3, offset=offset)
    third = third[:7]
    model = gm.GaussianMixture(1, reg_covar=1e-4).partial_fit(first)
    mean, square, seen = (first - offset).mean(axis=0), (first - offset).T @ (first - offset) / len(first), len(first)
    for x in (second, third):
        model.partial_fit(x)
        share = (len(x) / (seen + len(x))) ** 0.6
        y = x - offset
        mean = (1.0 - share) * mean + share * y.mean(axis=0)
        square = (1.0 - share) * square + share * (y.T @ y) / len(x)
        seen += len(x)
    covariance = square - np.outer(mean, mean) + 1e-4 * np.eye(3)
    digits = 1e-11 if offset == 0.0 else 1e-8  # rows at 1e6 have ten digits after the point
    np.testing.assert_allclose(model.means_[0] - offset, mean, rtol=0.0, atol=digits * 10.0)
    np.testing.assert_allclose(model.covariances_[0], covariance, rtol=0.0, atol=digits * 10.0)
    assert model.n_samples_seen_ == seen
    assert not model.converged_
    assert len(model.lower_bounds_) == model.n_iter_


def test_two_components_follow_the_formula() -> None:
    """The recursion of the paper for full covariances, in plain NumPy on scikit-learn's responsibilities."""
    first, *others = batches(2, 4)
    model = begun("full", first)
    n, weights, means, covariances = 60.0, model.weights_, model.means_, model.covariances_ - 1e-6 * np.eye(3)
    s0, s1 = weights, weights[:, None] * means
    s2 = weights[:, None, None] * (covariances + means[:, :, None] * means[:, None, :])
    known = model.to_sklearn()
    for x in others:
        r = known.predict_proba(x)
        share = (len(x) / (n + len(x))) ** 0.6
        n += len(x)
        s0 = (1.0 - share) * s0 + share * r.mean(axis=0)
        s1 = (1.0 - share) * s1 + share * r.T @ x / len(x)
        s2 = (1.0 - share) * s2 + share * np.einsum("nk,ni,nj->kij", r, x, x) / len(x)
        means = s1 / s0[:, None]
        covariances = s2 / s0[:, None, None] - means[:, :, None] * means[:, None, :] + 1e-6 * np.eye(3)
        np.testing.assert_allclose(known.score(x), model.partial_fit(x).lower_bound_, rtol=1e-9)
        for name, value in (("weights_", s0), ("means_", means), ("covariances_", covariances)):
            np.testing.assert_allclose(getattr(model, name), value, rtol=1e-8, atol=1e-9, err_msg=name)
            setattr(known, name, value)
        known.precisions_cholesky_ = np.array([np.linalg.inv(np.linalg.cholesky(c)).T for c in covariances])


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**20))
@pytest.mark.parametrize("covariance_type", NAMES)
def test_integer_weights_are_repetitions(covariance_type: str, seed: int) -> None:
    first, *others = batches(seed, 3, 40)
    weighted, repeated = begun(covariance_type, first), begun(covariance_type, first)
    for i, x in enumerate(others):
        weights = np.random.default_rng([seed, i]).integers(0, 4, size=len(x))
        weighted.partial_fit(x, sample_weight=weights)
        repeated.partial_fit(np.repeat(x, weights, axis=0))
    assert_same(weighted, repeated)
    assert weighted.n_samples_seen_ == repeated.n_samples_seen_


@pytest.mark.parametrize("covariance_type", NAMES)
def test_many_batches_come_near_one_fit(covariance_type: str) -> None:
    parts = batches(3, 40, 200)
    model = gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    for x in parts:
        model.partial_fit(x)
    rows = np.concatenate(parts)
    fitted = gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0, tol=1e-6, max_iter=500).fit(rows)
    # 40 batches, the last with a share of 11 %: worth some 2,000 rows, whose fit is p / 4000 = 0.005 away.
    assert model.score(rows) > fitted.score(rows) - 0.02
    order = np.argsort(model.means_[:, 0]), np.argsort(fitted.means_[:, 0])
    np.testing.assert_allclose(model.means_[order[0]], fitted.means_[order[1]], atol=0.3)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_fit_is_gone_on_from(covariance_type: str) -> None:
    """Statistics behind the parameters: with a batch of no consequence they give the parameters back."""
    x, batch = batches(4, 2, 400)
    model = gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(x)
    before = clone(model).fit(x)
    model.partial_fit(batch, sample_weight=np.full(len(batch), 1e-30))
    for name in PARAMETERS[:3]:
        value, expected = getattr(model, name), getattr(before, name)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12, err_msg=name)
    model.partial_fit(batch)
    assert not np.allclose(model.means_, before.means_, atol=1e-6)


def test_given_parameters_weigh_nothing() -> None:
    (x,) = batches(5, 1)
    start = gm.GaussianMixture(2, random_state=1, max_iter=1).fit(x)
    made = gm.GaussianMixture.from_parameters(start.weights_, start.means_, start.covariances_, tol=0.0, max_iter=1)
    given_start = {
        "weights_init": start.weights_,
        "means_init": start.means_,
        "precisions_init": start.precisions_,
        "max_iter": 1,
    }
    expected = gm.GaussianMixture(2, **given_start).fit(x)
    assert_same(made.partial_fit(x), expected, 1e-9)
    assert_same(gm.GaussianMixture.from_sklearn(start.to_sklearn()).partial_fit(x), expected, 1e-9)


def test_parameters_changed_by_hand_and_pickles_are_gone_on_from() -> None:
    first, second, third = batches(6, 3)
    model = begun("VEV", first).partial_fit(second)
    copy = pickle.loads(pickle.dumps(model))
    assert_same(copy.partial_fit(third), model.partial_fit(third))
    moved = begun("full", first)
    moved.means_ = moved.means_ + 0.5
    changed, plain = moved.partial_fit(second), begun("full", first).partial_fit(second)
    assert not np.allclose(changed.means_, plain.means_, atol=1e-3)
    assert isinstance(model.to_sklearn(), Sklearn)


def test_weights_are_routed() -> None:
    first, second = batches(7, 2)
    weights = np.arange(len(second)) % 3.0
    with config_context(enable_metadata_routing=True):
        model = begun("full", first).set_partial_fit_request(sample_weight=True)
        assert model.get_metadata_routing().partial_fit.requests == {"sample_weight": True}
        routed = model.partial_fit(second, sample_weight=weights)
    assert_same(routed, begun("full", first).partial_fit(second, sample_weight=weights))


def test_misuse_is_refused_and_leaves_the_mixture_alone() -> None:
    first, second = batches(8, 2)
    with pytest.raises(ValueError, match=r"n_samples >= n_components .*first batch of partial_fit"):
        gm.GaussianMixture(5).partial_fit(first[:4])
    model = begun("full", first)
    model.partial_fit(second[:1])
    before = model.means_.copy()
    with pytest.raises(ValueError, match="expecting 3 features"):
        model.partial_fit(second[:, :2])
    with pytest.raises(ValueError, match="Negative"):
        model.partial_fit(second, sample_weight=np.full(len(second), -1.0))
    with pytest.raises(ValueError, match="partial_fit: the last fit had 2 components"):
        model.set_params(n_components=3).partial_fit(second)
    with pytest.raises(ValueError, match="partial_fit: the last fit had the structure VVV"):
        model.set_params(n_components=2, covariance_type="tied").partial_fit(second)
    np.testing.assert_array_equal(model.means_, before)


def test_a_component_without_rows_stays() -> None:
    first, second = batches(9, 2)
    model = begun("full", first)
    apart = int(model.means_[:, 0].argmax())
    lonely = second[second[:, 0] < 2.0]
    for _ in range(60):
        model.partial_fit(lonely)
    assert np.isfinite(model.means_).all()
    assert np.isfinite(model.score(second))
    assert model.weights_[apart] < 0.05
