"""The classifier against scikit-learn's discriminants and Bayes' rule written out."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn import config_context
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gaussmix as gm
from gaussmix.covariance import NAMES

AGREEMENT = 1e-10

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(seed: int, n: int = 40, classes: int = 3) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    sizes = [n + 10 * c for c in range(classes)]
    parts = [rng.normal(size=(size, 3)) @ rng.normal(size=(3, 3)) + 2.0 * rng.normal(size=3) for size in sizes]
    y = np.repeat(np.array(["ant", "bee", "cat"])[:classes], sizes)
    return np.concatenate(parts), y


@pytest.mark.parametrize("classes", [2, 3])
def test_tied_gaussians_are_linear_discriminant_analysis(classes: int) -> None:
    x, y = rows(0, classes=classes)
    ours = gm.MixtureClassifier(covariance_type="tied", reg_covar=0.0).fit(x, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    if classes == 2:
        np.testing.assert_allclose(ours.decision_function(x), theirs.decision_function(x), rtol=1e-8, atol=1e-8)


def test_diagonal_gaussians_are_naive_bayes() -> None:
    x, y = rows(1)
    weights = np.arange(len(x)) % 4.0
    ours = gm.MixtureClassifier(covariance_type="diag", reg_covar=0.0).fit(x, y, sample_weight=weights)
    theirs = GaussianNB(var_smoothing=0.0).fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(ours.predict_log_proba(x), theirs.predict_log_proba(x), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.priors_, theirs.class_prior_, rtol=1e-12)
    assert ours.score(x, y, sample_weight=weights) == theirs.score(x, y, sample_weight=weights)


def test_full_gaussians_are_bayes_rule() -> None:
    x, y = rows(2)
    priors = np.array([0.5, 0.2, 0.3])
    ours = gm.MixtureClassifier(covariance_type="full", reg_covar=0.0, priors=priors).fit(x, y)
    parts = [x[y == name] for name in np.unique(y)]
    joint = np.column_stack(
        [
            np.log(prior) + multivariate_normal(part.mean(axis=0), np.cov(part.T, bias=True)).logpdf(x)
            for prior, part in zip(priors, parts, strict=True)
        ]
    )
    np.testing.assert_allclose(ours.decision_function(x), joint, rtol=1e-9, atol=1e-9)
    odds = np.exp(joint)
    np.testing.assert_allclose(ours.predict_proba(x), odds / odds.sum(axis=1, keepdims=True), rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("covariance_type", NAMES)
def test_letters_say_what_the_classes_share(covariance_type: str) -> None:
    x, y = rows(3)
    mixtures = gm.MixtureClassifier(covariance_type=covariance_type).fit(x, y).mixtures_
    covariances = np.array([mixture.covariances[0] for mixture in mixtures])
    values = np.linalg.eigvalsh(covariances)
    volumes = np.exp(np.log(values).mean(axis=1))
    shapes = values / volumes[:, None]
    if covariance_type[0] == "E":
        np.testing.assert_allclose(volumes, volumes[0], rtol=1e-5)  # reg_covar is added afterwards
    else:
        assert np.ptp(volumes) > 1e-3
    if covariance_type[1] == "E":
        np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), rtol=1e-4)
    if covariance_type[2] == "E":
        one, two = covariances[0], covariances[1]
        np.testing.assert_allclose(one @ two, two @ one, atol=1e-5 * np.abs(one @ two).max())
    assert {mixture.structure for mixture in mixtures} == {covariance_type}


@pytest.mark.parametrize("covariance_type", ["full", "VEE", "diag"])
def test_several_components_are_a_mixture_for_each_class(covariance_type: str) -> None:
    x, y = rows(4, 60)
    settings_ = {"covariance_type": covariance_type, "random_state": 0}
    model = gm.MixtureClassifier([2, 1, 3], **settings_).fit(x, y)
    known = [gm.GaussianMixture(k, **settings_).fit(x[y == c]) for k, c in zip((2, 1, 3), model.classes_, strict=True)]
    joint = np.column_stack([each.score_samples(x) for each in known]) + np.log(model.priors_)
    np.testing.assert_allclose(model.decision_function(x), joint, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(x), model.classes_[joint.argmax(axis=1)])
    assert model.n_iter_ == max(each.n_iter_ for each in known)


def test_mixtures_tell_classes_apart_that_gaussians_cannot() -> None:
    rng = np.random.default_rng(5)
    corners = np.array([[0, 0], [4, 4], [0, 4], [4, 0]])
    which = rng.integers(4, size=400)
    x, y = corners[which] + 0.6 * rng.normal(size=(400, 2)), which // 2
    assert gm.MixtureClassifier(1, covariance_type="diag").fit(x, y).score(x, y) < 0.8
    assert gm.MixtureClassifier(2, covariance_type="diag", random_state=0).fit(x, y).score(x, y) > 0.99


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**20))
@pytest.mark.parametrize("covariance_type", NAMES)
def test_integer_weights_are_repetitions(covariance_type: str, seed: int) -> None:
    x, y = rows(seed, 30)
    weights = np.random.default_rng(seed).integers(0, 4, size=len(x))
    weighted = gm.MixtureClassifier(covariance_type=covariance_type).fit(x, y, sample_weight=weights)
    repeated = gm.MixtureClassifier(covariance_type=covariance_type)
    repeated.fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.priors_, repeated.priors_, rtol=AGREEMENT)
    for mine, known in zip(weighted.mixtures_, repeated.mixtures_, strict=True):
        np.testing.assert_allclose(mine.means, known.means, rtol=0.0, atol=AGREEMENT * np.abs(known.means).max())
        scale = np.abs(known.covariances).max()
        np.testing.assert_allclose(mine.covariances, known.covariances, rtol=0.0, atol=AGREEMENT * scale)


def test_a_class_without_weight_is_none() -> None:
    x, y = rows(6)
    weights = np.where(y == "bee", 0.0, 1.0)
    model = gm.MixtureClassifier().fit(x, y, sample_weight=weights)
    assert model.classes_.tolist() == ["ant", "cat"]
    with pytest.raises(ValueError, match="greater than one; got 1 class"):
        gm.MixtureClassifier().fit(x, y, sample_weight=np.where(y == "bee", 1.0, 0.0))


def test_rows_too_far_for_any_density_go_to_the_nearest() -> None:
    x, y = rows(7)
    model = gm.MixtureClassifier(covariance_type="tied", priors=[0.7, 0.3, 0.0]).fit(x, y)
    far = np.array([[1e200, 0.0, 0.0], [-1e200, 0.0, 0.0], [0.0, 0.0, 0.0]])
    probabilities = model.predict_proba(far)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities[:, 2] == 0.0).all()
    assert set(model.predict(far[:2])) <= {"ant", "bee"}


def test_far_from_zero_nothing_is_lost() -> None:
    x, y = rows(8)
    near, far = gm.MixtureClassifier().fit(x, y), gm.MixtureClassifier().fit(x + 2.0**20, y)
    np.testing.assert_allclose(far.decision_function(x + 2.0**20), near.decision_function(x), rtol=1e-6, atol=1e-6)


def test_at_home_in_scikit_learn() -> None:
    x, y = rows(9)
    table = pa.table(dict(zip("abc", x.T, strict=True)))
    model = gm.MixtureClassifier(2, random_state=0).fit(table, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pd.DataFrame(x, columns=["c", "b", "a"]))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(table), model.predict_proba(table))
    assert not hasattr(clone(model), "mixtures_")
    grid = {"mixtureclassifier__covariance_type": ["EII", "VVV"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), gm.MixtureClassifier()), grid, cv=3).fit(x, y)
    assert search.best_params_ == {"mixtureclassifier__covariance_type": "VVV"}
    with config_context(enable_metadata_routing=True):
        weighted = gm.MixtureClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_val_score(weighted, x, y, params={"sample_weight": np.ones(len(x))}, cv=3)
    np.testing.assert_allclose(scores, cross_val_score(gm.MixtureClassifier(), x, y, cv=3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"priors": [0.5, 0.5]}, "Number of priors must match number of classes"),
        ({"priors": [0.5, 0.4, 0.3]}, "The sum of the priors should be 1"),
        ({"priors": [0.5, 0.7, -0.2]}, "Priors must be non-negative"),
        ({"n_components": [1, 2]}, "one for each of 3 classes"),
        ({"n_components": [1, 2, 0]}, "at least 1"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"covariance_type": "round"}, "'covariance_type' parameter"),
        ({"n_components": [1, 1, 61]}, "n_components = 61, n_samples = 60 in class cat"),
    ],
)
def test_misuse_is_named(wrong: dict[str, Any], message: str) -> None:
    x, y = rows(10)
    with pytest.raises(ValueError, match=message):
        gm.MixtureClassifier(**wrong).fit(x, y)
    if "priors" in wrong:  # in scikit-learn's words
        with pytest.raises(ValueError, match=message):
            GaussianNB(**wrong).fit(x, y)


def test_classes_without_spread_are_refused_without_regularization() -> None:
    x = np.repeat([[0.0, 1.0], [2.0, 3.0]], 5, axis=0)
    with pytest.raises(ValueError, match="ill-defined"):
        gm.MixtureClassifier(reg_covar=0.0).fit(x, np.repeat([0, 1], 5))
    assert gm.MixtureClassifier().fit(x, np.repeat([0, 1], 5)).score(x, np.repeat([0, 1], 5)) == 1.0
