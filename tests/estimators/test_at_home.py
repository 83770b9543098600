"""Frames, pickles, clones, pipelines, scikit-learn's own objects, and what the estimator has beyond them."""

from __future__ import annotations

import html
import inspect
import pickle
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture as Sklearn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import gaussmix as gm
from gaussmix.covariance import NAMES

ESTIMATORS = (
    gm.GaussianMixture,
    gm.GaussianMixtureSearch,
    gm.MixtureClassifier,
    gm.MixtureOutlierDetector,
    gm.ResponsibilityTransformer,
)


knows_polars = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="older releases take names from a protocol that polars has left",
)


@pytest.fixture
def x() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    return rng.permutation(np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(40, 2)) + 5.0]))


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame, pytest.param(pl.DataFrame, marks=knows_polars), pa.table],
    ids=["pandas", "polars", "pyarrow"],
)
def test_frames_are_matched_by_name(frame: Any, x: np.ndarray[Any, Any]) -> None:
    table = frame({"width": x[:, 0], "height": x[:, 1]})
    model = gm.GaussianMixture(2, random_state=0).fit(table)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    assert model.mixture_.feature_names == ("width", "height")
    np.testing.assert_array_equal(model.predict(table), gm.GaussianMixture(2, random_state=0).fit_predict(x))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame({"height": x[:, 1], "width": x[:, 0]}))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", *NAMES])
def test_pickles_and_exchanges_say_the_same(covariance_type: str, x: np.ndarray[Any, Any]) -> None:
    model = gm.GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=500, tol=1e-6).fit(x)
    expected = model.score_samples(x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(x), expected)
    theirs = model.to_sklearn()
    assert type(theirs) is Sklearn
    np.testing.assert_allclose(theirs.score_samples(x), expected, rtol=1e-9)
    if covariance_type == theirs.covariance_type:
        np.testing.assert_allclose(gm.GaussianMixture.from_sklearn(theirs).score_samples(x), expected, rtol=1e-9)
    made = gm.GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=covariance_type
    )
    np.testing.assert_allclose(made.score_samples(x), expected, rtol=1e-9)
    np.testing.assert_allclose(model.mixture_.log_prob(x), expected, rtol=1e-9)
    assert model.mixture_.n_parameters == made.mixture_.n_parameters


def test_unfitted_ones_are_exchanged_too() -> None:
    model = gm.GaussianMixture(3, covariance_type="tied", random_state=7)
    assert model.to_sklearn().get_params() == model.get_params()
    assert gm.GaussianMixture.from_sklearn(Sklearn(3, tol=0.1)).tol == 0.1
    assert list(model.get_params()) == list(Sklearn().get_params())
    assert gm.GaussianMixture().get_params() == Sklearn().get_params()
    with pytest.raises(NotFittedError):
        gm.GaussianMixture().predict([[0.0]])
    assert not hasattr(model, "mixture_")


def test_pipelines_searches_and_clones(x: np.ndarray[Any, Any]) -> None:
    pipeline = make_pipeline(StandardScaler(), gm.GaussianMixture(random_state=0))
    search = GridSearchCV(pipeline, {"gaussianmixture__n_components": [1, 2]}, cv=3).fit(x)
    assert search.best_params_ == {"gaussianmixture__n_components": 2}
    fitted = gm.GaussianMixture(2, means_init=[[0.0, 0.0], [5.0, 5.0]]).fit(x)
    assert not hasattr(clone(fitted), "means_")
    assert fitted.means_init == [[0.0, 0.0], [5.0, 5.0]]


def test_sample_weights_are_routed_through_searches(x: np.ndarray[Any, Any]) -> None:
    weights = np.random.default_rng(0).integers(1, 4, size=len(x)).astype(float)
    with config_context(enable_metadata_routing=True):
        model = gm.GaussianMixture(random_state=0).set_fit_request(sample_weight=True)
        model = model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"n_components": [2]}, cv=2).fit(x, sample_weight=weights)
    expected = gm.GaussianMixture(2, random_state=0).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(search.best_estimator_.weights_, expected.weights_)
    assert not np.allclose(expected.weights_, gm.GaussianMixture(2, random_state=0).fit(x).weights_)


def test_parameters_assigned_by_hand_count(x: np.ndarray[Any, Any]) -> None:
    model = gm.GaussianMixture(2, random_state=0).fit(x)
    before = model.predict(x)
    model.means_ = model.means_[::-1].copy()
    model.precisions_cholesky_ = model.precisions_cholesky_[::-1].copy()
    model.weights_ = model.weights_[::-1].copy()
    np.testing.assert_array_equal(model.predict(x), 1 - before)


def test_draws_and_texts(x: np.ndarray[Any, Any]) -> None:
    model = gm.GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_array_equal(model.sample(5)[0], model.sample(5)[0])
    assert not np.array_equal(model.sample(5, random_state=1)[0], model.sample(5)[0])
    with pytest.raises(ValueError, match="at least one sample"):
        model.sample(0)
    assert "VVV" in model.summary()
    shares = model.predict_proba(x).max(axis=1)
    np.testing.assert_allclose(model.icl(x), model.bic(x) - 2.0 * np.log(shares).sum(), rtol=1e-9)


def test_verbose_tells_of_starts_and_iterations(x: np.ndarray[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    gm.GaussianMixture(2, n_init=2, verbose=1, verbose_interval=1, random_state=0).fit(x)
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["Initialization 0", "  Iteration 1"]
    assert told[-1] == "Initialization converged."
    gm.GaussianMixture(2, verbose=2, verbose_interval=1, random_state=0).fit(x)
    assert "ll change" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"covariance_type": "round"}, "covariance_type"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"weights_init": [0.5, 0.6]}, "should be normalized"),
        ({"weights_init": [1.5, -0.5]}, r"in the range \[0, 1\]"),
        ({"means_init": [[0.0]]}, "'means' should have the shape"),
        ({"precisions_init": -np.ones((2, 2, 2))}, "symmetric, positive-definite"),
        ({"covariance_type": "diag", "precisions_init": -np.ones((2, 2))}, "should be positive"),
        ({"n_components": 101}, "n_samples >= n_components"),
    ],
)
def test_misuse_is_refused_in_scikit_learn_s_words(
    wrong: dict[str, Any], message: str, x: np.ndarray[Any, Any]
) -> None:
    for estimator in (gm.GaussianMixture, Sklearn):
        with pytest.raises(ValueError, match=message):
            estimator(**{"n_components": 2, "covariance_type": "full"} | wrong).fit(x)


def test_importing_the_package_imports_no_scikit_learn() -> None:
    code = "import sys, gaussmix as gm; print(*sys.modules); gm.GaussianMixture; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (line.split() for line in run.stdout.splitlines())
    assert not {"sklearn", "scipy", "numba", "numpy"} & set(before)
    assert "sklearn" in after


def described(estimator: type, section: str) -> dict[str, str]:
    """The entries of a section of a docstring, and the first line of what is said of each."""
    text = str(inspect.getdoc(estimator)).split(f"{section}\n{'-' * len(section)}\n")[1]
    return dict(re.findall(r"^(\w+) : .*\n    (.*)$", text.split("\n\n")[0], flags=re.MULTILINE))


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="older releases show no descriptions"
)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: each.__name__)
def test_notebooks_say_what_each_parameter_is(estimator: Any) -> None:
    shown = estimator()._repr_html_()
    found = described(estimator, "Parameters")
    assert set(found) == set(inspect.signature(estimator).parameters)
    for name, line in found.items():
        assert html.escape(line) in shown, name


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: each.__name__)
def test_fitted_attributes_are_described(estimator: Any, x: np.ndarray[Any, Any]) -> None:
    model = estimator(random_state=0).fit(pd.DataFrame(x, columns=["a", "b"]), np.arange(len(x)) % 2)
    assert {name for name in vars(model) if name.endswith("_")} == set(described(estimator, "Attributes"))
