"""scikit-learn's progress callbacks, told of every start and iteration, and obeyed when they ask to stop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import gaussmix as gm

callback = pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Diary:
    """Writes down what it is told; stops every start after `patience` iterations."""

    def __init__(self, patience: int | None = None) -> None:
        self.patience = patience
        self.events: list[tuple[str, str]] = []
        self.scores: list[float] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.events.append(("setup", context.task_name))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.events.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.events.append(("begin", context.task_name))

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, metadata: Any = None, fitted_estimator: Any = None
    ) -> bool:
        self.events.append(("end", context.task_name))
        if context.task_name != "iteration":
            return False
        self.scores.append(fitted_estimator.score(X, sample_weight=metadata["sample_weight"]))
        return self.patience is not None and context.task_id + 1 >= self.patience


@pytest.fixture
def x() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    return np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(40, 2)) + 2.0])


def test_every_start_and_iteration_is_told(x: np.ndarray[Any, Any]) -> None:
    diary = Diary()
    weights = np.arange(len(x)) % 3.0
    model = gm.GaussianMixture(2, random_state=0, max_iter=6, tol=0.0, n_init=2).set_callbacks(diary)
    model.fit(x, sample_weight=weights)
    start = [("begin", "start"), *[("begin", "iteration"), ("end", "iteration")] * 6, ("end", "start")]
    expected = [("setup", "fit"), ("begin", "fit"), *start, *start, ("end", "fit"), ("teardown", "fit")]
    assert diary.events == expected
    assert model.score(x, sample_weight=weights) in (diary.scores[5], diary.scores[11])
    plain = gm.GaussianMixture(2, random_state=0, max_iter=6, tol=0.0, n_init=2).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(model.means_, plain.means_)


def test_a_callback_may_stop_a_start(x: np.ndarray[Any, Any]) -> None:
    model = gm.GaussianMixture(2, random_state=0, tol=0.0).set_callbacks(Diary(patience=3)).fit(x)
    assert model.n_iter_ == 3
    np.testing.assert_array_equal(
        model.means_, gm.GaussianMixture(2, random_state=0, tol=0.0, max_iter=3).fit(x).means_
    )


def test_errors_tear_callbacks_down(x: np.ndarray[Any, Any]) -> None:
    diary = Diary()
    model = gm.GaussianMixture(2, reg_covar=0.0).set_callbacks(diary)
    with pytest.raises(ValueError, match="ill-defined"):
        model.fit(np.ones((10, 2)))
    assert diary.events[-1] == ("teardown", "fit")


def test_searches_pass_progress_bars_on(x: np.ndarray[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    search = GridSearchCV(gm.GaussianMixture(random_state=0, max_iter=5), {"n_components": [1, 2]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(x)
    told = capsys.readouterr().out
    assert told.count("| GaussianMixture - fit") == 5, "two candidates in two splits, and the best on all rows"
    assert told.count("GaussianMixture - start #0") == 5
