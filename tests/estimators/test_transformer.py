"""Responsibilities as features: the mixture's own, in whatever frame is asked for."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import gaussmix as gm


@pytest.fixture
def x() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    return rng.permutation(np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(40, 2)) + 3.0]))


def test_it_gives_the_responsibilities_of_the_same_mixture(x: np.ndarray[Any, Any]) -> None:
    weights = np.arange(len(x)) % 3.0
    known = gm.GaussianMixture(3, covariance_type="VEV", random_state=1).fit(x, sample_weight=weights)
    ours = gm.ResponsibilityTransformer(3, covariance_type="VEV", random_state=1).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(ours.transform(x), known.predict_proba(x))
    assert ours.n_iter_ == known.n_iter_
    np.testing.assert_allclose(ours.transform(x).sum(axis=1), 1.0, rtol=1e-12)
    plain = gm.ResponsibilityTransformer(3, random_state=1)
    np.testing.assert_array_equal(plain.fit_transform(x), plain.transform(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).transform(x), ours.transform(x))


@pytest.mark.parametrize(("kind", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_frames_come_out_as_asked(kind: str, frame: Any, x: np.ndarray[Any, Any]) -> None:
    table = frame({"width": x[:, 0], "height": x[:, 1]})
    model = gm.ResponsibilityTransformer(2, random_state=0).set_output(transform=kind).fit(table)
    out = model.transform(table)
    assert isinstance(out, frame)
    names = ["responsibilitytransformer0", "responsibilitytransformer1"]
    assert list(out.columns) == names == model.get_feature_names_out().tolist()
    np.testing.assert_array_equal(out.to_numpy(), gm.ResponsibilityTransformer(2, random_state=0).fit_transform(x))
    if kind == "pandas":  # of polars scikit-learn's older releases see no names
        with pytest.raises(ValueError, match="feature names should match"):
            model.transform(frame({"height": x[:, 1], "width": x[:, 0]}))


def test_arrow_tables_come_in(x: np.ndarray[Any, Any]) -> None:
    table = pa.table({"width": x[:, 0], "height": x[:, 1]})
    model = gm.ResponsibilityTransformer(2, random_state=0).fit(table)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    np.testing.assert_array_equal(model.transform(table), model.estimator_.predict_proba(x))


def test_it_is_a_step_among_others(x: np.ndarray[Any, Any]) -> None:
    y = (np.abs(x[:, 0] - 1.5) < 1.0).astype(int)
    columns = ColumnTransformer(
        [("soft", gm.ResponsibilityTransformer(3, random_state=0), ["a"]), ("same", "passthrough", ["b"])]
    )
    frame = pd.DataFrame(x, columns=["a", "b"])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    names = columns.fit(frame).get_feature_names_out().tolist()
    assert names == [*(f"soft__responsibilitytransformer{k}" for k in range(3)), "same__b"]
    assert pipeline.score(frame, y) > make_pipeline(LogisticRegression()).fit(frame, y).score(frame, y)
    with config_context(enable_metadata_routing=True):
        step = gm.ResponsibilityTransformer(2, random_state=0).set_fit_request(sample_weight=True)
        weights = np.arange(len(x)) % 3.0
        routed = make_pipeline(step).fit(x, sample_weight=weights)
    known = gm.ResponsibilityTransformer(2, random_state=0).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(routed[0].estimator_.means_, known.estimator_.means_)


def test_no_class_wears_two_roles() -> None:
    methods = {
        gm.GaussianMixture: {"predict", "predict_proba", "score_samples", "score"},
        gm.MixtureClassifier: {"predict", "predict_proba", "decision_function", "score"},
        gm.MixtureOutlierDetector: {"predict", "decision_function", "score_samples"},
        gm.ResponsibilityTransformer: {"transform", "fit_transform"},
    }
    every = set().union(*methods.values())
    for kind, own in methods.items():
        assert {name for name in every if hasattr(kind, name)} == own, kind
    with pytest.raises(NotFittedError):
        gm.ResponsibilityTransformer().transform([[0.0]])
