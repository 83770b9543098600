"""A mixture as a detector of outliers: rows whose density is lower than that of nearly all rows it was fitted to."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval

from gaussmix._linalg import Array
from gaussmix.detection import MOST_CONTAMINATION, ROUNDING, n_below
from gaussmix.engine.fold import MOST_SEGMENT
from gaussmix.estimators.answers import checked_rows, log_densities, new_rows
from gaussmix.estimators.checks import Rows, weighted_rows
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.roles import SHARED_CONSTRAINTS, MixtureRole
from gaussmix.mixture.explanation import improbability_shares


class MixtureOutlierDetector(OutlierMixin, MixtureRole):
    """Outliers are the rows that a mixture finds least probable.

    The mixture is a `GaussianMixture` with the same parameters, fitted to the same rows. `explain` tells which features
    make a row improbable.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    contamination : float, default=0.1
        Share of the rows fitted to take for outliers, above 0 and at most 0.5: at most this share gets a density below
        `offset_`, as much as can.
    covariance_type : str, default="full"
        "full", "tied", "diag", "spherical", or one of mclust's names, such as "VEV".
    tol : float, default=1e-3
        Stop when the mean log-likelihood per row changes by less than this in an iteration.
    reg_covar : float, default=1e-6
        Added to the diagonal of every covariance.
    max_iter : int, default=100
        Most iterations.
    n_init : int, default=1
        Number of starts, of which the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        Where to start.
    random_state : int, RandomState or None, default=None
        Randomness of the starts.

    Attributes
    ----------
    estimator_ : GaussianMixture
        The fitted mixture.
    n_iter_ : int
        Its iterations.
    offset_ : float
        Log density below which a row is an outlier; `decision_function` is `score_samples` less this.
    n_features_in_ : int
        Number of features D.
    feature_names_in_ : array (D,)
        Names of the features, where all have one.
    """

    estimator_: GaussianMixture
    offset_: float
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SHARED_CONSTRAINTS | {
        "contamination": [Interval(Real, 0.0, MOST_CONTAMINATION, closed="right")]
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        contamination: float = 0.1,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_components,
            covariance_type=covariance_type,
            tol=tol,
            reg_covar=reg_covar,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            random_state=random_state,
        )
        self.contamination = contamination

    def fit(self, X: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """Fit the mixture, and find the density below which rows are outliers.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
            Rows, outliers among them.
        y : None
            Not looked at.
        sample_weight : array-like (N,), optional
            How often each row counts.

        Raises
        ------
        ValueError
            When a parameter or the rows cannot be used.
        """
        self._validate_params()
        x = new_rows(self, X)
        self.estimator_ = self._unfitted().fit(x, sample_weight=sample_weight)
        self.n_iter_ = self.estimator_.n_iter_
        self.offset_ = self._threshold(weighted_rows(x, sample_weight))
        return self

    def score_samples(self, X: Any) -> Array:
        """Return the log density (N,) of every row: the lower, the more abnormal.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        x = checked_rows(self, X)
        return log_densities(self.estimator_.mixture_, x)

    def decision_function(self, X: Any) -> Array:
        """Return the log density less `offset_` (N,): below zero for outliers.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return -1 for outliers and 1 for all other rows (N,).

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def explain(self, X: Any) -> Array:
        """Return each feature's share (N, D) of the improbability of every row; the shares of a row sum to 1.

        What is shared out is the squared Mahalanobis distance to the row's component (to each of them by the row's
        responsibilities): with standard deviations s and correlations C of the component, feature j has u_j^2 of it,
        where u = C^-1/2 (x - mean) / s by the symmetric root (Garthwaite & Koch 2016).

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        x = checked_rows(self, X)
        mixture = self.estimator_.mixture_
        pieces = [improbability_shares(mixture, x[i : i + MOST_SEGMENT]) for i in range(0, len(x), MOST_SEGMENT)]
        return np.concatenate(pieces)

    def _threshold(self, rows: Rows) -> float:
        """Return the highest log density of a row with at most the contamination's share of the weight below it."""
        densities = log_densities(self.estimator_.mixture_, rows.x)
        if rows.weights is None:
            rank = n_below(len(densities), self.contamination)
            return float(np.partition(densities, rank)[rank])
        order = np.argsort(densities)
        below = np.cumsum(rows.weights[order])
        allowed = below[-1] * (self.contamination + ROUNDING)
        return float(densities[order[np.searchsorted(below, allowed, side="right")]])
