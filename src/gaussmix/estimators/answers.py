"""What every fitted mixture answers: labels, probabilities, densities and criteria of rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from gaussmix import criteria
from gaussmix._linalg import Array
from gaussmix.data.open import open_source
from gaussmix.engine.evaluator import appraise_source, score_all, score_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.kernels.kernel import RowScores
from gaussmix.engine.scoring import Appraisal
from gaussmix.estimators.checks import weighted_rows
from gaussmix.mixture import Mixture
from gaussmix.reporting.text import report_text

_LEAST_ROWS = 2


def scored(mixture: Mixture, x: NDArray[Any]) -> Iterator[RowScores]:
    """Yield what a mixture says of consecutive stretches of the rows (N, D)."""
    for _, scores in score_source(mixture, open_source(x), LocalEngine()):
        yield scores


def labels(mixture: Mixture, x: NDArray[Any]) -> NDArray[np.int64]:
    """Return the most probable component (N,) of every row."""
    return np.concatenate([scores.labels for scores in scored(mixture, x)])


def responsibilities(mixture: Mixture, x: NDArray[Any]) -> Array:
    """Return the probabilities (N, K) that a row came from each component."""
    return score_all(mixture, open_source(x), LocalEngine()).responsibilities


def log_densities(mixture: Mixture, x: NDArray[Any]) -> Array:
    """Return the log density (N,) of every row."""
    return np.concatenate([scores.log_prob for scores in scored(mixture, x)])


def checked_rows(estimator: Any, X: Any) -> NDArray[Any]:
    """Return the rows (N, D) that a fitted estimator is asked about, in the columns that it has seen.

    Raises
    ------
    NotFittedError
        When it has seen none.
    """
    check_is_fitted(estimator)
    return cast("NDArray[Any]", validate_data(estimator, X, reset=False))


def new_rows(estimator: Any, X: Any) -> NDArray[Any]:
    """Return the rows (N, D), two at least, that an estimator is fitted to, and have it remember their columns."""
    found = validate_data(estimator, X, dtype=[np.float64, np.float32], ensure_min_samples=_LEAST_ROWS)
    return cast("NDArray[Any]", found)


class Documented(BaseEstimator):
    """An estimator whose HTML representation says beside every parameter what it is."""

    # scikit-learn shows what the docstring says of a parameter only where there is a link to go with it.
    _doc_link_module = "gaussmix"
    _doc_link_template = "#{estimator_module}.{estimator_name}"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] - as its documentation has it


class MixtureAnswers(DensityMixin, Documented):
    """What a fitted mixture says of rows, for estimators that are one."""

    @property
    @abstractmethod
    def mixture_(self) -> Mixture:
        """The fitted mixture as a frozen value."""

    def summary(self) -> str:
        """Return a text that tells of the components, for a person to read."""
        return report_text(self.mixture_)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the most probable component (N,) of every row.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return labels(*self._asked(X))

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities (N, K) that a row came from each component.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return responsibilities(*self._asked(X))

    def score_samples(self, X: Any) -> Array:
        """Return the log density (N,) of every row.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return log_densities(*self._asked(X))

    def score(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride] - the mixin returns nothing
        """Return the mean log density per row.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        y : None
            Not looked at.
        sample_weight : array-like (N,), optional
            How often each row counts.
        """
        return self._appraisal(X, sample_weight).score

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion on the rows X (N, D); lower is better."""
        seen = self._appraisal(X)
        return criteria.bic(seen.log_likelihood, self.mixture_.n_parameters, float(seen.mass.sum()))

    def aic(self, X: Any) -> float:
        """Return the Akaike information criterion on the rows X (N, D); lower is better."""
        return criteria.aic(self._appraisal(X).log_likelihood, self.mixture_.n_parameters)

    def icl(self, X: Any) -> float:
        """Return the integrated completed likelihood on the rows X (N, D), on BIC's scale; lower is better."""
        seen = self._appraisal(X)
        n = float(seen.mass.sum())
        return criteria.icl(seen.log_likelihood, self.mixture_.n_parameters, n, seen.classification)

    def _asked(self, X: Any) -> tuple[Mixture, NDArray[Any]]:
        x = checked_rows(self, X)
        return self.mixture_, x

    def _appraisal(self, X: Any, sample_weight: Any = None) -> Appraisal:
        rows = weighted_rows(checked_rows(self, X), sample_weight)
        return appraise_source([self.mixture_], open_source(rows.x, weights=rows.weights), LocalEngine())[0]
