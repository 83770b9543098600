"""The search as an estimator: it is gaussmix.select, its winner a fitted GaussianMixture, weights are repetitions."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gaussmix as gm
from gaussmix.errors import DegenerateFitWarning

GRID = {"n_components": (1, 2, 3), "covariance_type": ("full", "tied", "EII")}


@pytest.fixture
def x() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    return rng.permutation(np.concatenate([rng.normal(size=(80, 2)), 0.5 * rng.normal(size=(60, 2)) + 5.0]))


@pytest.fixture
def search(x: np.ndarray[Any, Any]) -> gm.GaussianMixtureSearch:
    return gm.GaussianMixtureSearch(**GRID, random_state=3).fit(x)


def test_it_is_the_selection_of_sorted_rows(search: gm.GaussianMixtureSearch, x: np.ndarray[Any, Any]) -> None:
    known = gm.select(x[np.lexsort(x.T[::-1])], (1, 2, 3), ("VVV", "EEE", "EII"), seed=3)
    assert search.best_params_ == {"n_components": 2, "covariance_type": "full"}
    assert search.best_criterion_ == known.best.bic == min(search.results_["bic"])
    np.testing.assert_array_equal(search.mixture_.means, known.best.mixture.means)
    results = search.results_
    assert {len(column) for column in results.values()} == {9}
    assert results["params"][search.best_index_] == search.best_params_
    assert results["rank"][search.best_index_] == 1
    assert sorted(results["rank"]) == list(range(1, 10))
    assert results["param_covariance_type"].tolist() == ["full"] * 3 + ["tied"] * 3 + ["EII"] * 3
    assert results["param_n_components"].tolist() == [1, 2, 3] * 3
    assert results["reason"][search.best_index_] == "converged"


def test_the_winner_is_a_fitted_mixture(search: gm.GaussianMixtureSearch, x: np.ndarray[Any, Any]) -> None:
    best = search.best_estimator_
    assert type(best) is gm.GaussianMixture
    assert best.get_params() | search.best_params_ | {"random_state": 3} == best.get_params()
    for name in ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl"):
        np.testing.assert_array_equal(getattr(search, name)(x), getattr(best, name)(x))
    np.testing.assert_allclose(search.bic(x), search.best_criterion_, rtol=1e-12)
    np.testing.assert_allclose(best.log_likelihood_, best.score_samples(x).sum(), rtol=1e-12)
    np.testing.assert_array_equal(search.sample(5)[0], best.sample(5)[0])
    np.testing.assert_allclose(best.to_sklearn().score_samples(x), best.score_samples(x), rtol=1e-9)
    assert best.lower_bound_ == pytest.approx(best.score(x), rel=1e-9)
    np.testing.assert_array_equal(clone(search).fit_predict(x), search.predict(x))
    assert search.summary() == best.summary()
    before = best.means_.copy()
    assert not np.array_equal(best.partial_fit(x[:20]).means_, before)


def test_weights_are_repetitions_to_the_bit(x: np.ndarray[Any, Any]) -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, size=len(x))
    weighted = gm.GaussianMixtureSearch(**GRID, random_state=3).fit(x, sample_weight=weights)
    repeated = gm.GaussianMixtureSearch(**GRID, random_state=3).fit(rng.permutation(np.repeat(x, weights, axis=0)))
    np.testing.assert_array_equal(weighted.results_["bic"], repeated.results_["bic"])
    np.testing.assert_array_equal(weighted.best_estimator_.covariances_, repeated.best_estimator_.covariances_)


def test_threads_make_no_difference(search: gm.GaussianMixtureSearch, x: np.ndarray[Any, Any]) -> None:
    for n_jobs in (1, -1, -2):
        other = clone(search).set_params(n_jobs=n_jobs).fit(x)
        np.testing.assert_array_equal(other.results_["bic"], search.results_["bic"])
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        clone(search).set_params(n_jobs=0).fit(x)


def test_degenerate_candidates_never_win() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(14, 6))
    search = gm.GaussianMixtureSearch((1, 2, 3, 4), covariance_type=("VVV", "VII")).fit(x)
    degenerate = search.results_["degenerate"]
    assert degenerate.any()
    assert not degenerate[search.best_index_]
    # With ten components on as many distinct rows the likelihood is as high as the regularization lets it be.
    few = np.repeat(rng.normal(size=(10, 2)), 5, axis=0)
    search = gm.GaussianMixtureSearch((1, 10), covariance_type="spherical").fit(few)
    assert search.results_["bic"][1] < search.results_["bic"][0]
    assert search.best_params_["n_components"] == 1
    search = gm.GaussianMixtureSearch((4, 5), covariance_type="full")
    with pytest.warns(DegenerateFitWarning), pytest.raises(ValueError, match="every one of 2 candidates is degenerate"):
        search.fit(x)
    assert search.results_["degenerate"].tolist() == [True, True]


def test_effort_is_handed_on(x: np.ndarray[Any, Any]) -> None:
    quick = gm.GaussianMixtureSearch(**GRID, effort="quick", random_state=0).fit(x)
    assert all(len(result.starts) == 1 for result in quick.selection_.results.values())
    with pytest.raises(ValueError, match="'effort' parameter"):
        gm.GaussianMixtureSearch(effort="none").fit(x)


def test_a_few_distinct_rows_are_enough_for_an_answer() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    search = gm.GaussianMixtureSearch(random_state=0).fit(corners, sample_weight=[13, 4, 4, 4])
    assert np.isfinite(search.score(corners))
    assert not search.results_["degenerate"][search.best_index_]


@pytest.mark.parametrize("criterion", ["icl", "aic", "heldout"])
def test_other_criteria_choose(criterion: str, x: np.ndarray[Any, Any]) -> None:
    search = gm.GaussianMixtureSearch((1, 2), covariance_type="full", criterion=criterion, random_state=0).fit(x)
    assert search.best_criterion_ == search.results_[criterion].min()
    assert search.best_params_["n_components"] == 2
    assert search.best_estimator_.n_samples_seen_ == len(x)


def test_frames_pipelines_pickles_and_routes(x: np.ndarray[Any, Any]) -> None:
    frame = pd.DataFrame(x, columns=["a", "b"])
    search = gm.GaussianMixtureSearch(**GRID, random_state=0).fit(frame)
    assert search.feature_names_in_.tolist() == search.best_estimator_.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        search.predict(frame[["b", "a"]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(search)).predict(frame), search.predict(frame))
    assert np.isfinite(cross_val_score(make_pipeline(StandardScaler(), clone(search)), x, cv=2)).all()
    with config_context(enable_metadata_routing=True):
        routed = clone(search).set_fit_request(sample_weight=True)
        assert routed.get_metadata_routing().fit.requests == {"sample_weight": True}


def test_one_column_has_its_own_structures(x: np.ndarray[Any, Any]) -> None:
    search = gm.GaussianMixtureSearch((1, 2), random_state=0).fit(x[:, :1])
    assert set(search.results_["param_covariance_type"]) == {"E", "V"}
    assert search.best_estimator_.covariances_.shape[1:] == (1, 1)
    named = gm.GaussianMixtureSearch(2, covariance_type="diag", random_state=0).fit(x[:, :1])
    assert named.best_params_ == {"n_components": 2, "covariance_type": "diag"}
    assert named.best_estimator_.covariances_.shape == (2, 1)


def test_misuse_is_named(x: np.ndarray[Any, Any]) -> None:
    with pytest.raises(NotFittedError):
        gm.GaussianMixtureSearch().predict(x)
    assert not hasattr(gm.GaussianMixtureSearch(), "mixture_")
    for wrong, message in (
        ({"criterion": "r2"}, "'criterion' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"n_components": []}, "n_components is empty"),
        ({"n_components": (1, 0.5)}, "n_components=0.5"),
        ({"covariance_type": ("full", "round")}, "'round' is not a known structure"),
        ({"holdout": 1.0}, "'holdout' parameter"),
    ):
        with pytest.raises(ValueError, match=message):
            gm.GaussianMixtureSearch(**wrong).fit(x)
    with pytest.raises(ValueError, match="covariance_type='tied': the mixture has the structure VVV"):
        gm.GaussianMixture.from_mixture(gm.fit(x, 2).mixture, covariance_type="tied")


def test_callbacks_may_end_the_search_early(x: np.ndarray[Any, Any]) -> None:
    pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")

    class Impatient:
        reads = 0

        def setup(self, estimator: Any, context: Any) -> None: ...
        def teardown(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
            self.reads += context.task_name == "read"
            return self.reads >= 4

    impatient = Impatient()
    with pytest.warns(gm.errors.ConvergenceWarning, match="interrupted"):
        search = gm.GaussianMixtureSearch(random_state=0).set_callbacks(impatient).fit(x)
    assert impatient.reads == 4
    assert "interrupted" in search.results_["reason"]
    assert np.isfinite(search.score(x))
