"""A mixture as a transformer: rows become the probabilities that they came from each component."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from gaussmix._linalg import Array
from gaussmix.estimators.answers import checked_rows, new_rows, responsibilities
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.roles import SHARED_CONSTRAINTS, MixtureRole


class ResponsibilityTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, MixtureRole):
    """Features that say how probably a row came from each component of a mixture.

    The mixture is a `GaussianMixture` with the same parameters, fitted to the same rows.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K, and of features that come out.
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
    n_features_in_ : int
        Number of features D.
    feature_names_in_ : array (D,)
        Names of the features, where all have one.
    """

    estimator_: GaussianMixture
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SHARED_CONSTRAINTS

    def fit(self, X: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
            Rows.
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
        return self

    def transform(self, X: Any) -> Array:
        """Return the probabilities (N, K) that a row came from each component; a frame by `set_output`.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        x = checked_rows(self, X)
        return responsibilities(self.estimator_.mixture_, x)

    @property
    def _n_features_out(self) -> int:
        """Number of features that come out, by which scikit-learn names them."""
        return len(self.estimator_.weights_)
