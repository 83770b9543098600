"""The number of components and the covariance structure, chosen by a criterion in one search over shared reads."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from gaussmix._linalg import Array
from gaussmix.api import select
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.errors import DataError, ParameterError
from gaussmix.estimators.answers import MixtureAnswers, labels, new_rows
from gaussmix.estimators.callbacks import CallbackSupportMixin, Task, ending_callbacks
from gaussmix.estimators.checks import merged, weighted_rows
from gaussmix.estimators.exchange import names_of
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.parameters import structure_of
from gaussmix.fitting.algorithm import ACCELERATIONS
from gaussmix.fitting.drive import Progress
from gaussmix.fitting.effort import EFFORTS
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection
from gaussmix.selection.table import CRITERIA, Row

_LARGEST_SEED = 2**31 - 1


class GaussianMixtureSearch(CallbackSupportMixin, MixtureAnswers):
    """A search for the number of components and the covariance structure of a Gaussian mixture.

    All candidates are fitted by the same reads of the rows, suggest starts to each other, and are compared by a
    criterion; there is no cross-validation, but `criterion="heldout"` holds rows out. It is `gaussmix.select` as an
    estimator: fits go on until nothing is left to gain, and are regularized by a millionth of a row, so they are not
    those that `GridSearchCV` over `GaussianMixture` would make. Degenerate candidates never win, unless they are
    allowed. Rows are sorted and equal ones merged beforehand: neither their order nor whether they are repeated or
    weighted makes a difference.

    Parameters
    ----------
    n_components : int or sequence of int, default=(1, 2, 3, 4, 5, 6, 7, 8, 9)
        Numbers of components to try.
    covariance_type : str or sequence of str, default="all"
        Structures to try, by scikit-learn's or mclust's names; "all" for all fourteen.
    criterion : {"bic", "icl", "aic", "aicc", "heldout"}, default="bic"
        By which the best is chosen; of each lower is better. "heldout" is minus twice the log-likelihood of rows that
        were kept from the fits.
    prune : bool, default=True
        Whether to stop candidates early that are not going to come near the best.
    holdout : float, default=0.2
        Share of the rows to hold out, for "heldout".
    tol : float, default=1e-8
        Stop a fit when the gain per row, and the estimate of all that is left to gain, are below this.
    max_iter : int, default=1000
        Most iterations of one fit.
    n_init : int or "auto", default="auto"
        Number of starts of each candidate.
    effort : {"quick", "default", "thorough"}, default="default"
        How much is spent on looking for better optima: starts of a candidate, and rounds of suggestions between them.
    acceleration : {"squarem", "anderson", "none"}, default="squarem"
        How EM leaves out passes where it is slow; the optima are the same.
    allow_spurious : bool, default=False
        Whether candidates with degenerate components may win.
    init_params : {"auto", "kmeans", "hierarchical", "random", "rows"}, default="auto"
        Kind of starts.
    regularization : "auto", None or gaussmix regularization, default="auto"
        What keeps covariances away from singular ones; None for plain maximum likelihood.
    n_jobs : int or None, default=None
        Threads; None and -1 for all of them, -2 for all but one. Answers do not depend on it.
    random_state : int, RandomState or None, default=None
        Randomness of the starts, of the rows held out, and of `sample`.

    Attributes
    ----------
    best_estimator_ : GaussianMixture
        The winner, fitted to all rows; components by weight, largest first.
    best_params_ : dict
        Its `n_components` and `covariance_type`.
    best_index_ : int
        Where it stands in `results_`.
    best_criterion_ : float
        Its criterion.
    results_ : dict of arrays
        For every candidate: `params`, `param_n_components`, `param_covariance_type`, `bic`, `icl`, `aic`, `aicc`,
        `heldout`, `log_likelihood`, `n_parameters`, `entropy`, `n_iter`, `degenerate`, `reason` for which its fit
        ended, and `rank`.
    selection_ : Selection
        What `gaussmix.select` returns: every candidate's fit.
    n_features_in_ : int
        Number of features D.
    feature_names_in_ : array (D,)
        Names of the features, where all have one.
    """

    best_estimator_: GaussianMixture
    best_params_: dict[str, Any]
    best_index_: int
    best_criterion_: float
    results_: dict[str, Any]
    selection_: Selection
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "covariance_type": [str, "array-like"],
        "criterion": [StrOptions(set(CRITERIA))],
        "prune": ["boolean"],
        "holdout": [Interval(Real, 0.0, 1.0, closed="neither")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "effort": [StrOptions(set(EFFORTS))],
        "acceleration": [StrOptions(set(ACCELERATIONS))],
        "allow_spurious": ["boolean"],
        "init_params": [StrOptions({"auto", "kmeans", "hierarchical", "random", "rows"})],
        "regularization": [StrOptions({"auto"}), Regularization, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: Any = (1, 2, 3, 4, 5, 6, 7, 8, 9),
        *,
        covariance_type: Any = "all",
        criterion: str = "bic",
        prune: bool = True,
        holdout: float = 0.2,
        tol: float = 1e-8,
        max_iter: int = 1000,
        n_init: Any = "auto",
        effort: str = "default",
        acceleration: str = "squarem",
        allow_spurious: bool = False,
        init_params: str = "auto",
        regularization: Any = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.criterion = criterion
        self.prune = prune
        self.holdout = holdout
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.effort = effort
        self.acceleration = acceleration
        self.allow_spurious = allow_spurious
        self.init_params = init_params
        self.regularization = regularization
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """Fit every candidate, and keep the best.

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
            When a parameter or the rows cannot be used, or every candidate is degenerate; `results_` tells of them.
        """
        self._fit(X, sample_weight)
        return self

    def fit_predict(self, X: Any, y: object = None, *, sample_weight: Any = None) -> NDArray[np.int64]:
        """Fit every candidate, and return the best one's most probable component (N,) of every row.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        x = self._fit(X, sample_weight)
        return labels(self.mixture_, x)

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> tuple[Array, NDArray[np.int64]]:
        """Draw rows (n_samples, D), component by component, and their components (n_samples,).

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState or None, default=None
            Randomness of this call; the search's own by default.
        """
        check_is_fitted(self)
        return self.best_estimator_.sample(n_samples, random_state=random_state)

    @property
    def mixture_(self) -> Mixture:
        """The best candidate's mixture as a frozen value."""
        check_is_fitted(self)
        return self.best_estimator_.mixture_

    @ending_callbacks
    def _fit(self, X: Any, sample_weight: Any) -> NDArray[Any]:
        """Search; return the rows as an array."""
        self._validate_params()
        x = new_rows(self, X)
        rows = merged(weighted_rows(x, sample_weight))
        task = Task.fit(self, None, x, sample_weight)
        selection = select(
            rows.x,
            self.n_components,
            self.covariance_type,
            criterion=self.criterion,
            prune=bool(self.prune),
            holdout=float(self.holdout),
            weights=rows.weights,
            start=self.init_params,
            n_starts=self.n_init,
            effort=cast(Any, self.effort),
            acceleration=cast(Any, self.acceleration),
            allow_spurious=bool(self.allow_spurious),
            tol=float(self.tol),
            max_passes=self.max_iter,
            regularization=self.regularization,
            seed=_seed(self.random_state),
            engine=_engine(self.n_jobs),
            watch=_told(task),
        )
        self._keep(selection)
        task.end()
        return x

    def _keep(self, selection: Selection) -> None:
        criterion, table, best = selection.criterion, selection.table, selection.best
        names = self._names()
        self.selection_, self.results_ = selection, _results(selection, names)
        winner = table.ranked(criterion)[0]
        if not winner.may_win(table.allow_spurious):
            raise DataError(
                f"every one of {len(table)} candidates is degenerate or was not fitted to the end, as results_ says of "
                "each; try fewer components, plainer structures, or more rows"
            )
        self.best_index_ = table.rows.index(winner)
        self.best_params_ = self.results_["params"][self.best_index_]
        self.best_criterion_ = winner.value(criterion)
        mixture = best.mixture.renamed(best.mixture.structure, names_of(self))
        name = self.best_params_["covariance_type"]
        found = GaussianMixture.from_mixture(mixture, covariance_type=name, random_state=self.random_state)
        found.converged_, found.n_iter_ = best.converged, best.passes
        found.lower_bound_, found.lower_bounds_ = best.score, [each / best.weight for each in best.trace]
        found.log_likelihood_, found.n_samples_seen_ = best.log_likelihood, best.weight
        self.best_estimator_ = found

    def _names(self) -> dict[str, str]:
        """Return by which names the user has called the structures."""
        asked = [self.covariance_type] if isinstance(self.covariance_type, str) else list(self.covariance_type)
        named = [str(name) for name in reversed(asked) if name != "all"]
        return {structure_of(name, self.n_features_in_).name: name for name in named}


def _results(selection: Selection, names: dict[str, str]) -> dict[str, Any]:
    """Return the table as arrays by column name."""
    rows = selection.table.rows
    ranks = {id(row): place for place, row in enumerate(selection.table.ranked(selection.criterion), start=1)}
    params = [
        {"n_components": row.n_components, "covariance_type": names.get(row.structure, row.structure)} for row in rows
    ]
    told = ("log_likelihood", "n_parameters", "entropy", "degenerate", "reason")
    return {
        "params": params,
        "param_n_components": np.array([each["n_components"] for each in params]),
        "param_covariance_type": np.array([each["covariance_type"] for each in params], dtype=object),
        **{name: _column(rows, name) for name in (*CRITERIA, *told)},
        "n_iter": _column(rows, "passes"),
        "rank": np.array([ranks[id(row)] for row in rows]),
    }


def _column(rows: tuple[Row, ...], name: str) -> NDArray[Any]:
    values = [getattr(row, name) for row in rows]
    return np.array(values, dtype=object if name == "reason" else None)


def _seed(random_state: Any) -> int:
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(_LARGEST_SEED))


def _engine(n_jobs: int | None) -> LocalEngine:
    """Return the threads that scikit-learn's `n_jobs` means.

    Raises
    ------
    ParameterError
        When it is 0.
    """
    if n_jobs == 0:
        raise ParameterError("n_jobs == 0 has no meaning; give a number of threads, or None for all of them")
    every = LocalEngine()
    if n_jobs is None or n_jobs == -1:
        return every
    return LocalEngine(n_jobs if n_jobs > 0 else max(1, every.threads + 1 + n_jobs))


def _told(task: Task) -> Any:
    """Return what tells callbacks of every read; where one asks to stop, the search ends with the best so far."""

    def watch(_: Progress) -> None:
        if task.begin("read").end():
            raise KeyboardInterrupt

    return watch
