"""A mixture for every class: discriminant analysis by mixtures, or by Gaussians of which covariances share a part."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from gaussmix._linalg import Array, Integers, log_sum_exp
from gaussmix.data.open import open_source
from gaussmix.engine.assignment import Labelled
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.kernels.choose import prompt
from gaussmix.errors import DataError, ParameterError
from gaussmix.estimators.answers import checked_rows, log_densities
from gaussmix.estimators.checks import ILL_DEFINED, Rows, checked_sample_weight, counting
from gaussmix.estimators.finding import model_of
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.roles import SHARED_CONSTRAINTS, MixtureRole
from gaussmix.estimators.starting import mixture_of_groups
from gaussmix.fitting.maximize import Collapsed
from gaussmix.mixture import Mixture

_PRIORS_ROUNDING = 1e-8


class MixtureClassifier(ClassifierMixin, MixtureRole):
    """A classifier by Bayes' rule from a mixture for every class.

    With one component for each class (the default) the classes' covariances share the parts that the letters of the
    structure call equal: eigenvalue decomposition discriminant analysis (Bensmail & Celeux 1996), which with "tied" is
    linear discriminant analysis, with "full" quadratic, with "diag" Gaussian naive Bayes. With more components each
    class is fitted a `GaussianMixture` of its own: mixture discriminant analysis (Hastie & Tibshirani 1996; Fraley &
    Raftery 2002), where letters share within a class.

    Parameters
    ----------
    n_components : int or array-like (C,), default=1
        Number of components of every class, or of each in the order of `classes_`.
    priors : array-like (C,), default=None
        Probabilities of the classes; their shares of the rows by default.
    covariance_type : str, default="full"
        "full", "tied", "diag", "spherical", or one of mclust's names, such as "VEV".
    tol : float, default=1e-3
        Stop when the mean log-likelihood per row changes by less than this in an iteration.
    reg_covar : float, default=1e-6
        Added to the diagonal of every covariance.
    max_iter : int, default=100
        Most iterations.
    n_init : int, default=1
        Number of starts of each class's mixture, of which the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        Where to start.
    random_state : int, RandomState or None, default=None
        Randomness of the starts.

    Attributes
    ----------
    classes_ : array (C,)
        Labels of the classes.
    mixtures_ : list of Mixture
        Of every class, as frozen values.
    priors_ : array (C,)
        Probabilities of the classes.
    n_iter_ : int
        Most iterations of a class's mixture; 1 where each class has one component.
    n_features_in_ : int
        Number of features D.
    feature_names_in_ : array (D,)
        Names of the features, where all have one.
    """

    classes_: NDArray[Any]
    mixtures_: list[Mixture]
    priors_: Array
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SHARED_CONSTRAINTS | {
        "n_components": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "priors": ["array-like", None],
    }

    def __init__(
        self,
        n_components: Any = 1,
        *,
        priors: Any = None,
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
        self.priors = priors

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Fit the mixtures of the classes.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
            Rows.
        y : array-like (N,)
            Their classes.
        sample_weight : array-like (N,), optional
            How often each row counts.

        Raises
        ------
        ValueError
            When a parameter or the rows cannot be used, there is one class only, or a covariance is singular.
        """
        self._validate_params()
        x, y = cast(Any, validate_data(self, X, y, dtype=[np.float64, np.float32]))
        check_classification_targets(y)
        weights = checked_sample_weight(x, sample_weight)
        rows, used = counting(x, weights)
        self.classes_, labels = np.unique(y[used], return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise DataError(f"The number of classes has to be greater than one; got {n_classes} class")
        counts = self._counts(n_classes)
        self._require_rows(labels, counts)
        shares = np.bincount(labels, rows.weights, minlength=n_classes)
        self.priors_ = shares / shares.sum() if self.priors is None else _checked_priors(self.priors, n_classes)
        if (counts == 1).all():
            self.mixtures_, self.n_iter_ = self._gaussians(rows, labels), 1
        else:
            fitted = self._fitted(rows, labels, counts)
            self.mixtures_, self.n_iter_ = [each.mixture_ for each in fitted], max(each.n_iter_ for each in fitted)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class (N,) of every row.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        joint = self._joint(X)
        return self.classes_[joint.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities (N, C) that a row is of each class.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logs (N, C) of the probabilities that a row is of each class.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        joint = self._joint(X)
        return joint - log_sum_exp(joint)[:, None]

    def decision_function(self, X: Any) -> Array:
        """Return log prior plus log density (N, C) of every class; of two classes the second's less the first's (N,).

        Parameters
        ----------
        X : array-like or dataframe (N, D)
        """
        joint = self._joint(X)
        return joint[:, 1] - joint[:, 0] if joint.shape[1] == 2 else joint

    def _joint(self, X: Any) -> Array:
        """Return log prior plus log density (N, C); of rows too far out for any density, 0 and -inf for the nearest."""
        x = checked_rows(self, X)
        with np.errstate(divide="ignore"):
            priors = np.log(self.priors_)
        joint = np.column_stack([log_densities(mixture, x) for mixture in self.mixtures_]) + priors
        far = ~np.isfinite(joint).any(axis=1)
        if far.any():
            with np.errstate(divide="ignore"):
                joint[far] = np.log(self._nearest(x[far]))
        return joint

    def _nearest(self, x: NDArray[Any]) -> Array:
        """Return 1 for the class of the component nearest by Mahalanobis distance, 0 for the others (N, C)."""
        possible = np.flatnonzero(self.priors_ > 0.0)
        parts = [self.mixtures_[c] for c in possible]
        weights = np.concatenate([self.priors_[c] * self.mixtures_[c].weights for c in possible])
        means = np.concatenate([each.means for each in parts])
        together = Mixture(weights, means, np.concatenate([each.covariances for each in parts]))
        owners = np.repeat(possible, [each.n_components for each in parts])
        return together.responsibilities(x) @ np.eye(len(self.priors_))[owners]

    def _counts(self, n_classes: int) -> Integers:
        """Return the number of components of every class."""
        asked = np.asarray(self.n_components)
        if asked.ndim and asked.shape != (n_classes,):
            raise ParameterError(
                f"n_components: expected a number, or one for each of {n_classes} classes, found {asked}"
            )
        if asked.dtype.kind not in "iu" or (asked < 1).any():
            raise ParameterError(f"n_components: expected integers of at least 1, found {asked}")
        return np.broadcast_to(asked.astype(np.int64), (n_classes,))

    def _require_rows(self, labels: Integers, counts: Integers) -> None:
        """Refuse a class that has fewer rows than components."""
        for name, n, k in zip(self.classes_, np.bincount(labels), counts, strict=True):
            if n < k:
                raise DataError(
                    f"Expected n_samples >= n_components but got n_components = {k}, n_samples = {n} in class {name}"
                )

    def _gaussians(self, rows: Rows, labels: Integers) -> list[Mixture]:
        """Return a Gaussian for each class, their covariances of one structure."""
        n_classes = len(self.classes_)
        with prompt(), one_blas_thread():
            evaluator = Evaluator.open(open_source(rows.x, weights=rows.weights), LocalEngine(), 0)
            model = model_of(self, evaluator)
            try:
                joined = mixture_of_groups(Labelled(labels, n_classes), n_classes, model, evaluator)
            except Collapsed as error:
                raise DataError(ILL_DEFINED) from error
        return [joined.without(np.delete(np.arange(n_classes), c)) for c in range(n_classes)]

    def _fitted(self, rows: Rows, labels: Integers, counts: Integers) -> list[GaussianMixture]:
        """Return a mixture for each class, fitted to its rows alone."""
        found: list[GaussianMixture] = []
        for c, k in enumerate(counts):
            mine = labels == c
            weights = None if rows.weights is None else rows.weights[mine]
            found.append(self._unfitted(n_components=int(k)).fit(rows.x[mine], sample_weight=weights))
        return found


def _checked_priors(priors: Any, n_classes: int) -> Array:
    """Return probabilities (C,), or refuse them in scikit-learn's words.

    Raises
    ------
    ParameterError
    """
    checked = np.asarray(priors, dtype=np.float64)
    if checked.shape != (n_classes,):
        raise ParameterError(f"Number of priors must match number of classes, {n_classes}; found {checked.shape}.")
    if not np.isclose(checked.sum(), 1.0, rtol=0.0, atol=_PRIORS_ROUNDING):
        raise ParameterError(f"The sum of the priors should be 1, found {checked.sum():.6g}.")
    if (checked < 0.0).any():
        raise ParameterError("Priors must be non-negative.")
    return checked
