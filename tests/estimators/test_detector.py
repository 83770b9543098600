"""The detector of outliers: scikit-learn's signs, the share asked for, and explanations."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gaussmix as gm


@pytest.fixture
def x() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    parts = [rng.normal(size=(120, 2)), 0.5 * rng.normal(size=(80, 2)) + 6.0, rng.uniform(-10, 16, size=(10, 2))]
    return rng.permutation(np.concatenate(parts))


def test_signs_and_offset_are_scikit_learns(x: np.ndarray[Any, Any]) -> None:
    model = gm.MixtureOutlierDetector(2, contamination=0.05, random_state=0).fit(x)
    known = gm.GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_array_equal(model.score_samples(x), known.score_samples(x))
    np.testing.assert_array_equal(model.decision_function(x), model.score_samples(x) - model.offset_)
    np.testing.assert_array_equal(model.predict(x), np.where(model.decision_function(x) < 0.0, -1, 1))
    assert (model.predict(x) == -1).sum() == 10
    np.testing.assert_array_equal(clone(model).fit_predict(x), model.predict(x))
    assert model.n_iter_ == known.n_iter_
    found = gm.detect(known.mixture_, x, contamination=0.05)
    assert found.threshold == model.offset_
    np.testing.assert_array_equal(found.positions, np.flatnonzero(model.predict(x) == -1))
    np.testing.assert_allclose(found.shares, model.explain(x)[found.positions], rtol=1e-12)


def test_one_component_ranks_as_the_empirical_covariance_does(x: np.ndarray[Any, Any]) -> None:
    ours = gm.MixtureOutlierDetector(reg_covar=0.0).fit(x)
    distances = EmpiricalCovariance().fit(x).mahalanobis(x)
    np.testing.assert_array_equal(np.flatnonzero(ours.predict(x) == -1), np.sort(np.argsort(-distances)[:21]))


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.31, 0.5])
def test_integer_weights_are_repetitions(contamination: float, x: np.ndarray[Any, Any]) -> None:
    weights = np.random.default_rng(0).integers(0, 4, size=len(x))
    weighted = gm.MixtureOutlierDetector(contamination=contamination).fit(x, sample_weight=weights)
    repeated = gm.MixtureOutlierDetector(contamination=contamination).fit(np.repeat(x, weights, axis=0))
    np.testing.assert_allclose(weighted.offset_, repeated.offset_, rtol=1e-10)
    np.testing.assert_allclose(weighted.decision_function(x), repeated.decision_function(x), rtol=0.0, atol=1e-9)


@given(seed=st.integers(0, 2**20), contamination=st.floats(0.001, 0.5))
def test_no_more_than_the_share_and_as_many_as_can(seed: int, contamination: float) -> None:
    rng = np.random.default_rng(seed)
    x, weights = rng.normal(size=(30, 1)), rng.exponential(size=30)
    model = gm.MixtureOutlierDetector(contamination=contamination).fit(x, sample_weight=weights)
    scores, total = model.score_samples(x), weights.sum()
    assert weights[scores < model.offset_].sum() <= (contamination + 1e-9) * total
    assert weights[scores <= model.offset_].sum() > contamination * total


def test_explanations_name_the_feature_at_fault() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4)) * [1.0, 100.0, 0.01, 1.0]
    x[7, 1] += 900.0
    x[8, 2] -= 0.09
    model = gm.MixtureOutlierDetector(contamination=0.004, reg_covar=0.0).fit(x)
    assert np.flatnonzero(model.predict(x) == -1).tolist() == [7, 8]
    shares = model.explain(x)
    assert shares[7].argmax() == 1
    assert shares[8].argmax() == 2
    assert shares[[7, 8], [1, 2]].min() > 0.8
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)


def test_at_home_in_scikit_learn(x: np.ndarray[Any, Any]) -> None:
    frame = pd.DataFrame(x, columns=["a", "b"])
    model = gm.MixtureOutlierDetector(2, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    for method in (model.predict, model.explain, model.score_samples):
        with pytest.raises(ValueError, match="feature names should match"):
            method(frame[["b", "a"]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).explain(frame), model.explain(frame))
    truth = np.where(np.abs(x - 3.0).max(axis=1) > 7.5, -1, 1)
    pipeline = make_pipeline(StandardScaler(), gm.MixtureOutlierDetector(2, random_state=0))
    grid = {"mixtureoutlierdetector__contamination": [0.01, 0.4]}
    search = GridSearchCV(pipeline, grid, scoring="accuracy", cv=3).fit(x, truth)
    assert search.best_params_ == {"mixtureoutlierdetector__contamination": 0.01}
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(gm.MixtureOutlierDetector().set_fit_request(sample_weight=True))
        routed.fit(x, sample_weight=np.arange(len(x)) % 3.0)
    known = gm.MixtureOutlierDetector().fit(x, sample_weight=np.arange(len(x)) % 3.0)
    assert routed[0].offset_ == known.offset_


def test_misuse_is_named(x: np.ndarray[Any, Any]) -> None:
    for wrong in (0.0, 0.51, "auto"):
        with pytest.raises(ValueError, match="'contamination' parameter of MixtureOutlierDetector must be"):
            gm.MixtureOutlierDetector(contamination=wrong).fit(x)  # pyright: ignore[reportArgumentType]
