"""The Gaussian mixture as scikit-learn's users know it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from gaussmix._linalg import Array
from gaussmix.data.open import open_source
from gaussmix.engine.evaluator import Evaluator, appraise_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.kernels.choose import prompt
from gaussmix.errors import ParameterError
from gaussmix.estimators.answers import MixtureAnswers, checked_rows, labels, new_rows
from gaussmix.estimators.callbacks import CallbackSupportMixin, Task, ending_callbacks
from gaussmix.estimators.checks import (
    COLLAPSED,
    FIRST_BATCH,
    NO_SAMPLE,
    PARAMETER_CONSTRAINTS,
    UNCONVERGED,
    checked_covariances,
    checked_means,
    checked_weights,
    require_rows,
    weighted_rows,
)
from gaussmix.estimators.exchange import as_sklearn, copied, current_mixture, names_of
from gaussmix.estimators.finding import Last, best_ascent
from gaussmix.estimators.parameters import mixture_from, parameters_of, structure_of
from gaussmix.estimators.sampling import draw
from gaussmix.estimators.stepwise import step
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_SAMPLED = 2048  # rows by which the coordinates of constant columns are found


class GaussianMixture(CallbackSupportMixin, MixtureAnswers):
    """A Gaussian mixture with scikit-learn's parameters, attributes and results.

    Everything that `sklearn.mixture.GaussianMixture` takes and has means the same here, and the same start leads to the
    same parameters. `docs/from-scikit-learn.md` lists the differences.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    covariance_type : str, default="full"
        "full", "tied", "diag", "spherical", or one of mclust's names, such as "VEV". Covariances of a structure that
        scikit-learn lacks are written as those of "full".
    tol : float, default=1e-3
        Stop when the mean log-likelihood per row changes by less than this in an iteration.
    reg_covar : float, default=1e-6
        Added to the diagonal of every covariance.
    max_iter : int, default=100
        Most iterations; 0 leaves the start as it is.
    n_init : int, default=1
        Number of starts, of which the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        Where to start.
    weights_init : array-like (K,), default=None
        Weights to start from.
    means_init : array-like (K, D), default=None
        Means to start from.
    precisions_init : array-like, default=None
        Inverse covariances to start from: (K, D, D) if "full", (D, D) if "tied", (K, D) if "diag", (K,) if "spherical".
    random_state : int, RandomState or None, default=None
        Randomness of the starts, and of `sample`.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last one ended.
    verbose : int, default=0
        Whether to print how the fit goes; 2 for times and gains too.
    verbose_interval : int, default=10
        Iterations between two lines.

    Attributes
    ----------
    weights_ : array (K,)
        Mixing weights.
    means_ : array (K, D)
        Component means.
    covariances_ : array
        Component covariances, in the shape of `precisions_init`.
    precisions_ : array
        Their inverses, in the same shape.
    precisions_cholesky_ : array
        Upper triangular U with precision U U'; reciprocal standard deviations for "diag" and "spherical".
    converged_ : bool
        Whether the best start met `tol`.
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood per row of the parameters before the last M-step.
    lower_bounds_ : list of float
        The same for every iteration of the best start.
    log_likelihood_ : float
        Log-likelihood of all rows under the parameters that are returned.
    n_samples_seen_ : float
        Sum of the weights of all rows that were fitted, which says what a further batch weighs beside them.
    n_features_in_ : int
        Number of features D.
    feature_names_in_ : array (D,)
        Names of the features, where all have one.
    """

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_: Array
    precisions_cholesky_: Array
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    log_likelihood_: float
    n_samples_seen_: float
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    # The mixture that the attributes were written from, to the last bit, and the statistics of all batches.
    _kept: Mixture | None = None
    _running: Statistics | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = PARAMETER_CONSTRAINTS

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    # Fitting

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
            When a parameter or the rows cannot be used, or every start ends in a singular covariance.
        """
        self._fit(X, sample_weight)
        return self

    def fit_predict(self, X: Any, y: object = None, *, sample_weight: Any = None) -> NDArray[np.int64]:
        """Fit the mixture, and return the most probable component (N,) of every row.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        x = self._fit(X, sample_weight)
        return labels(self.mixture_, x)

    def partial_fit(self, X: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """Correct the mixture by a batch of rows: stepwise EM (Cappe & Moulines 2009).

        The first call is a `fit` of its batch. Later ones may bring any number of rows: with batches of total weight n
        before it, one of weight w gets the share (w / (n + w))^0.6 in the statistics from which the parameters follow;
        with batches of one size that is t^-0.6 at the t-th. What was fitted before, by `fit` too, is gone on from;
        parameters of `from_parameters` are where the first batch begins, and weigh nothing.

        Afterwards `n_iter_` counts iterations and batches, `lower_bound_` belongs to the parameters before the batch,
        `log_likelihood_` is that of the batch's rows, and `converged_` is False, since `tol` is not looked at.

        Parameters
        ----------
        X : array-like or dataframe (N, D)
            Rows; the first batch needs at least as many as there are components.
        y : None
            Not looked at.
        sample_weight : array-like (N,), optional
            How often each row counts.

        Raises
        ------
        ValueError
            When a parameter or the rows cannot be used, or a covariance becomes singular; the mixture stays as it was.
        """
        if not hasattr(self, "converged_"):
            self._fit(X, sample_weight, partial=True)
            return self
        self._validate_params()
        x = checked_rows(self, X)
        rows = weighted_rows(x, sample_weight)
        mixture = self._last("partial_fit").mixture
        known = self._running if mixture is self._kept else None
        seen = getattr(self, "n_samples_seen_", 0.0)  # of parameters that came from elsewhere nothing is known
        made = step(self, mixture, known, seen, rows)
        self._keep(made.mixture, self.covariance_type, [*self.lower_bounds_, made.bound], converged=False)
        self._running, self.n_samples_seen_ = made.statistics, seen + made.weight
        self.log_likelihood_ = self._appraisal(x, sample_weight).log_likelihood
        return self

    @ending_callbacks
    def _fit(self, X: Any, sample_weight: Any, *, partial: bool = False) -> NDArray[Any]:
        """Fit; return the rows as an array."""
        self._validate_params()
        rows = weighted_rows(x := new_rows(self, X), sample_weight)
        require_rows(rows, self.n_components, FIRST_BATCH if partial else "")
        task = Task.fit(self, self.n_init, x, sample_weight)
        with prompt(), one_blas_thread():
            evaluator = Evaluator.open(open_source(rows.x, weights=rows.weights), LocalEngine(), 0, _SAMPLED)
            last = self._last("warm_start") if self.warm_start and hasattr(self, "converged_") else None
            best = best_ascent(self, rows, evaluator, last, task)
        if not best.converged and self.max_iter > 0:
            warnings.warn(COLLAPSED if best.collapsed else UNCONVERGED, ConvergenceWarning, stacklevel=4)
        self._keep(best.mixture, self.covariance_type, best.bounds, best.converged)
        self.log_likelihood_ = appraise_source([best.mixture], evaluator.source, evaluator.executor)[0].log_likelihood
        self.n_samples_seen_ = evaluator.summary.weight
        task.end()
        return x

    def _last(self, by: str) -> Last:
        """Return where a warm start or a further batch goes on from."""
        structure = structure_of(self.covariance_type, self.n_features_in_).name
        kept = self._kept
        if kept is not None and kept.structure != structure:
            raise ParameterError(f"{by}: the last fit had the structure {kept.structure}, not {structure}; fit a clone")
        mixture = current_mixture(self)
        if (mixture.n_components, mixture.n_features) != (self.n_components, self.n_features_in_):
            raise ParameterError(
                f"{by}: the last fit had {mixture.n_components} components in {mixture.n_features} features, "
                f"this one has {self.n_components} in {self.n_features_in_}; fit a clone"
            )
        return Last(mixture, self.lower_bound_)

    def _keep(self, mixture: Mixture, covariance_type: str, bounds: Sequence[float], converged: bool) -> None:
        """Take a mixture as this estimator's, and how it came about."""
        structure = structure_of(covariance_type, mixture.n_features).name
        self._kept, self._running = mixture.renamed(structure, names_of(self)), None
        written = parameters_of(mixture, covariance_type)
        self.weights_, self.means_, self.covariances_, self.precisions_, self.precisions_cholesky_ = written
        self.converged_, self.n_iter_, self.lower_bounds_ = converged, len(bounds), list(bounds)
        self.lower_bound_ = bounds[-1] if bounds else -math.inf

    # What it is

    @property
    def mixture_(self) -> Mixture:
        """The fitted mixture as a frozen value; made of the attributes where somebody has changed them."""
        check_is_fitted(self)
        return current_mixture(self)

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> tuple[Array, NDArray[np.int64]]:
        """Draw rows (n_samples, D), component by component, and their components (n_samples,).

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState or None, default=None
            Randomness of this call; the estimator's own by default.
        """
        mixture = self.mixture_
        if n_samples < 1:
            raise ParameterError(NO_SAMPLE.format(n_samples))
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return draw(mixture, self.covariance_type, n_samples, rng)

    def _n_parameters(self) -> int:
        """Return the number of free parameters; private in scikit-learn too, and widely called."""
        return self.mixture_.n_parameters

    # There and back

    @classmethod
    def from_parameters(
        cls,
        weights: Any,
        means: Any,
        covariances: Any,
        *,
        covariance_type: str = "full",
        feature_names: Sequence[str] | None = None,
        **parameters: Any,
    ) -> Self:
        """Return a fitted estimator that has these parameters.

        Parameters
        ----------
        weights : array-like (K,)
            Mixing weights.
        means : array-like (K, D)
            Component means.
        covariances : array-like
            In the shape of the covariance type.
        covariance_type : str, default="full"
            As for the estimator.
        feature_names : sequence of str, optional
            Names of the features.
        **parameters
            Further parameters of the estimator.

        Raises
        ------
        ParameterError
            When these are not the parameters of a mixture.
        """
        n_components, n_features = np.shape(means)
        cls(n_components, covariance_type=covariance_type, **parameters)._validate_params()
        spread = checked_covariances(covariances, covariance_type, n_components, n_features)
        checked = checked_weights(weights, n_components), checked_means(means, n_components, n_features)
        names = None if feature_names is None else tuple(feature_names)
        mixture = mixture_from(*checked, spread, covariance_type, names)
        return cls.from_mixture(mixture, covariance_type=covariance_type, **parameters)

    @classmethod
    def from_mixture(cls, mixture: Mixture, *, covariance_type: str | None = None, **parameters: Any) -> Self:
        """Return a fitted estimator that is this mixture.

        Parameters
        ----------
        mixture : Mixture
            As `gaussmix.fit(...).mixture` and `gaussmix.load` give it.
        covariance_type : str, optional
            Another name of the mixture's structure; the mixture's own by default.
        **parameters
            Further parameters of the estimator.

        Raises
        ------
        ParameterError
            When the mixture has another structure.
        """
        name = mixture.structure if covariance_type is None else covariance_type
        if structure_of(name, mixture.n_features).name != mixture.structure:
            raise ParameterError(f"covariance_type={name!r}: the mixture has the structure {mixture.structure}")
        estimator = cls(mixture.n_components, covariance_type=name, **parameters)
        estimator._validate_params()
        estimator.n_features_in_ = mixture.n_features
        if mixture.feature_names is not None:
            estimator.feature_names_in_ = np.array(mixture.feature_names, dtype=object)
        estimator._keep(mixture, name, (), converged=True)
        return estimator

    @classmethod
    def from_sklearn(cls, model: SklearnMixture) -> Self:
        """Return the same estimator as one of gaussmix, fitted if `model` is.

        Parameters
        ----------
        model : sklearn.mixture.GaussianMixture
        """
        return copied(model, cls(**model.get_params(deep=False)))

    def to_sklearn(self) -> SklearnMixture:
        """Return the same estimator as one of scikit-learn, fitted if this one is.

        A structure that scikit-learn lacks is written as the plainest of its types that can hold it.
        """
        return as_sklearn(self)
