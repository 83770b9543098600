"""The same start leads to scikit-learn's result, in every parameter and at every iteration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Sklearn

import gaussmix as gm

TYPES = ("full", "tied", "diag", "spherical")
STARTS = ("kmeans", "k-means++", "random", "random_from_data")
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
AGREEMENT = 1e-8  # relative to the largest entry of a parameter

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(n_features: int, offset: float = 0.0, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng([seed, n_features])
    centres = 3.0 * rng.normal(size=(3, n_features))
    return np.concatenate([centre + rng.normal(size=(60, n_features)) for centre in centres]) + offset


def both(x: Any, **parameters: Any) -> tuple[Sklearn, gm.GaussianMixture]:
    return Sklearn(**parameters).fit(x), gm.GaussianMixture(**parameters).fit(x)


def assert_agree(theirs: Sklearn, ours: gm.GaussianMixture) -> None:
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    for name in PARAMETERS:
        mine, known = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == known.shape, name
        np.testing.assert_allclose(mine, known, rtol=0.0, atol=AGREEMENT * np.abs(known).max(), err_msg=name)


@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("n_features", [1, 3])
def test_every_iteration_agrees(n_features: int, covariance_type: str, init_params: str) -> None:
    x = rows(n_features, offset=20.0)
    for max_iter in range(1, 11):
        theirs, ours = both(
            x,
            n_components=3,
            covariance_type=covariance_type,
            init_params=init_params,
            random_state=1,
            max_iter=max_iter,
            tol=0.0,
        )
        assert_agree(theirs, ours)
        if max_iter > 1:  # the first bound is of weights that do not sum to 1, for scikit-learn
            np.testing.assert_allclose(ours.lower_bounds_[1:], theirs.lower_bounds_[1:], rtol=1e-9)
            assert ours.lower_bound_ == ours.lower_bounds_[-1]


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", [0, 5])
def test_several_starts_agree(seed: int, covariance_type: str) -> None:
    x = rows(2, seed=seed)
    for init_params in ("kmeans", "random_from_data"):
        theirs, ours = both(
            x,
            n_components=4,
            covariance_type=covariance_type,
            init_params=init_params,
            random_state=seed,
            n_init=3,
        )
        assert_agree(theirs, ours)
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        # Probabilities: a difference of 1e-8 in parameters is about that in a probability.
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-7)
        np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(x), rtol=1e-7)
        for criterion in ("score", "bic", "aic"):
            np.testing.assert_allclose(getattr(ours, criterion)(x), getattr(theirs, criterion)(x), rtol=1e-9)
        for mine, known in zip(ours.sample(50), theirs.sample(50), strict=True):
            np.testing.assert_allclose(mine, known, atol=1e-6)


def test_a_shared_random_state_is_drawn_from_alike() -> None:
    x = rows(2)
    theirs, ours = np.random.RandomState(3), np.random.RandomState(3)
    for init_params in STARTS:
        Sklearn(3, init_params=init_params, random_state=theirs, n_init=2).fit(x)
        gm.GaussianMixture(3, init_params=init_params, random_state=ours, n_init=2).fit(x)
    assert theirs.randint(1 << 30) == ours.randint(1 << 30)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_given_parameters_agree(covariance_type: str) -> None:
    x = rows(2, offset=20.0)
    first = Sklearn(3, covariance_type=covariance_type, random_state=0, max_iter=2).fit(x)
    given = {
        "weights_init": first.weights_,
        "means_init": first.means_ + 0.3,
        "precisions_init": first.precisions_,
    }
    for names in (list(given), ["means_init"], ["weights_init", "precisions_init"]):
        chosen = {name: given[name] for name in names}
        for max_iter in (1, 7):
            theirs, ours = both(
                x,
                n_components=3,
                covariance_type=covariance_type,
                random_state=0,
                max_iter=max_iter,
                tol=0.0,
                **chosen,
            )
            assert_agree(theirs, ours)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_warm_starts_agree(covariance_type: str) -> None:
    x = rows(2)
    theirs = Sklearn(3, covariance_type=covariance_type, random_state=2, max_iter=3, warm_start=True)
    ours = gm.GaussianMixture(3, covariance_type=covariance_type, random_state=2, max_iter=3, warm_start=True)
    for _ in range(4):
        assert_agree(theirs.fit(x), ours.fit(x))
    np.testing.assert_allclose(ours.lower_bound_, theirs.lower_bound_, rtol=1e-9)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_component_without_rows_goes_where_scikit_learn_sends_it(covariance_type: str) -> None:
    x = rows(2, offset=5.0)
    precisions = {
        "full": np.stack([np.eye(2)] * 2),
        "tied": np.eye(2),
        "diag": np.ones((2, 2)),
        "spherical": np.ones(2),
    }
    given: dict[str, Any] = {
        "covariance_type": covariance_type,
        "weights_init": [0.5, 0.5],
        "means_init": [x.mean(axis=0), [1e3, 1e3]],
        "precisions_init": precisions[covariance_type],
    }
    for max_iter in (1, 2, 3):
        theirs, ours = both(x, n_components=2, max_iter=max_iter, tol=0.0, **given)
        assert_agree(theirs, ours)
        if max_iter == 1:
            np.testing.assert_allclose(ours.means_[1], 0.0, atol=1e-9)  # rounding of the start's 1e3


def test_the_likelihood_told_is_that_of_the_parameters_returned() -> None:
    x = rows(3)
    ours = gm.GaussianMixture(3, random_state=0, init_params="random", max_iter=2).fit(x)
    np.testing.assert_allclose(ours.log_likelihood_, ours.score_samples(x).sum(), rtol=1e-12)
    assert ours.log_likelihood_ / len(x) > ours.lower_bound_


@pytest.mark.parametrize("covariance_type", TYPES)
def test_far_from_zero_the_answer_is_that_near_zero(covariance_type: str) -> None:
    near = np.round(rows(2) * 1024.0) / 1024.0  # so that adding the offset loses nothing
    parameters: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 0, "init_params": "random"}
    ours = gm.GaussianMixture(3, **parameters).fit(near)
    far = gm.GaussianMixture(3, **parameters).fit(near + 2.0**27)
    np.testing.assert_allclose(far.covariances_, ours.covariances_, rtol=1e-7)
    np.testing.assert_allclose(far.score(near + 2.0**27), ours.score(near), rtol=1e-9)


def test_one_bad_start_does_no_harm_to_the_others() -> None:
    x = np.array([[0.0], [0.0], [0.0], [5.0], [6.0], [7.0], [8.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = gm.GaussianMixture(2, reg_covar=0.0, init_params="random", n_init=20, random_state=0).fit(x)
    assert np.isfinite(ours.covariances_).all() and (ours.covariances_ > 0.0).all()
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        gm.GaussianMixture(2, reg_covar=0.0, init_params="random_from_data", n_init=3, random_state=0).fit(x)
