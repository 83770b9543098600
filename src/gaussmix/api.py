"""The verbs: fit, select, predict, score, load."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from gaussmix import _validation, criteria
from gaussmix._linalg import Array
from gaussmix.covariance import ALIASES, Family, distinct_families, family
from gaussmix.covariance.regularization import Regularization, Unregularized
from gaussmix.data.open import columns_for, open_source
from gaussmix.data.transform import Scaled
from gaussmix.engine.assignment import Assignment, Labelled, given
from gaussmix.engine.evaluator import Evaluator, appraise_source, score_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.errors import (
    ConvergenceWarning,
    DegenerateFitWarning,
    GaussmixWarning,
    ParameterError,
    ShapeError,
)
from gaussmix.fitting.candidate import Recipe
from gaussmix.fitting.drive import Progress, run
from gaussmix.fitting.fit import Ground, given_start, infeasible
from gaussmix.fitting.race import Runner
from gaussmix.fitting.result import FitResult
from gaussmix.fitting.starts.seeds import KINDS
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection, search

Watch = Callable[[Progress], None]


class Assignments(NamedTuple):
    """What a mixture says of every row.

    `labels` (N,) integers; `responsibilities` (N, K); `uncertainty` (N,), 1 minus the largest responsibility;
    `log_prob` (N,), log density per unit of volume.
    """

    labels: NDArray[np.int64]
    responsibilities: Array
    uncertainty: Array
    log_prob: Array


def fit(
    data: object,
    n_components: int,
    covariance: str = "VVV",
    *,
    weights: object = None,
    weight_kind: Literal["frequency", "importance"] = "frequency",
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    start: object = "auto",
    n_starts: int | Literal["auto"] = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    seed: int = 0,
    engine: LocalEngine | None = None,
    watch: Watch | None = None,
) -> FitResult:
    """Fit a Gaussian mixture with a given number of components.

    Parameters
    ----------
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D); files are read in chunks and never held whole.
    n_components : int
        Number of components K.
    covariance : str
        Covariance structure: one of mclust's fourteen names, or "full", "tied", "diag", "spherical".
    weights : array (N,) or column name, optional
        Row weights; they count as frequencies.
    weight_kind : {"frequency", "importance"}
        With "importance", weights are rescaled to sum to the effective number of rows, (sum w)^2 / sum w^2.
    features : sequence of column names or positions, optional
        Columns to use; all by default.
    missing : {"error", "drop"}
        What to do with rows that have missing values.
    start : "auto", "kmeans", "hierarchical", "random", "rows", Mixture, labels (N,) or responsibilities (N, K)
        Where to begin; several starts are raced unless you give one.
    n_starts : int or "auto"
        Number of starts.
    tol : float
        Stop when the gain per row, and the estimate of all that is left to gain, are below this twice running.
    max_passes : int
        Most passes of one start.
    regularization : "auto", None or Regularization
        "auto" gives every component a millionth of a row's worth of scatter; None is plain maximum likelihood.
    seed : int
        The same seed gives the same bits, whatever the number of threads.
    engine : LocalEngine, optional
        Who computes; `LocalEngine(threads=n)` bounds the threads.
    watch : callable, optional
        Told after every read of the data how far the fit is.

    Returns
    -------
    FitResult
        With reason "interrupted" and the best mixture so far if the user interrupts.

    Raises
    ------
    DataError
        When the rows cannot be used as they are.
    ParameterError
        When an argument makes no sense.
    """
    n_components = _validation.positive_integer(n_components, "n_components")
    recipe = _recipe(start, n_starts, tol, max_passes)
    with _ground(data, weights, weight_kind, features, missing, regularization, recipe, seed, engine) as ground:
        structure = _family(covariance, ground.evaluator.source.n_features)
        runners = _given_runners(start, n_components, structure, ground)
        if not runners and not ground.feasible(n_components):
            fitted = infeasible(structure, n_components)
        else:
            (fitted,) = run([ground.candidates.fit(structure, n_components, runners)], ground.evaluator, watch)
        if fitted is None:
            raise KeyboardInterrupt
        result = ground.result(fitted)
    _warn(result)
    return result


def select(
    data: object,
    n_components: int | Iterable[int] = range(1, 10),
    covariance: str | Iterable[str] = "all",
    *,
    criterion: str = "bic",
    prune: bool = True,
    weights: object = None,
    weight_kind: Literal["frequency", "importance"] = "frequency",
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    start: str = "auto",
    n_starts: int | Literal["auto"] = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    seed: int = 0,
    engine: LocalEngine | None = None,
    watch: Watch | None = None,
) -> Selection:
    """Choose the number of components and the covariance structure.

    Parameters
    ----------
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D).
    n_components : int or iterable of int
        Numbers of components to try.
    covariance : str or iterable of str
        Structures to try; "all" for every one.
    criterion : {"bic", "icl", "aic", "aicc"}
        By which the best is chosen; of each lower is better.
    prune : bool
        Stop candidates early that cannot become the best, by ten times the estimate of what they have left to gain;
        the table marks them. With ``False`` every candidate is fitted to the end.
    weights, weight_kind, features, missing, n_starts, tol, max_passes, regularization, seed, engine, watch
        As in `fit`.
    start : "auto", "kmeans", "hierarchical", "random" or "rows"
        Kind of starts.

    Returns
    -------
    Selection
        The best fit, and a table of all candidates.

    Raises
    ------
    DataError
        When the rows cannot be used as they are, or no candidate has a mixture.
    ParameterError
        When an argument makes no sense.
    """
    if criterion not in criteria.NAMES:
        raise ParameterError(f"criterion={criterion!r}: expected one of {', '.join(criteria.NAMES)}")
    if not isinstance(cast(object, start), str):
        raise ParameterError("start: labels, responsibilities and mixtures are for one fit; name a kind of starts here")
    counts = _counts(n_components)
    recipe = _recipe(start, n_starts, tol, max_passes)
    with _ground(data, weights, weight_kind, features, missing, regularization, recipe, seed, engine) as ground:
        families = _families(covariance, ground.evaluator.source.n_features)
        selection = search(ground, families, counts, criterion, prune=prune, watch=watch)
    _warn(selection.best)
    return selection


def predict(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: LocalEngine | None = None,
) -> Assignments:
    """Say of every row which component it belongs to, and how surely.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted.
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D); named columns are matched by name in any order, others are left aside.
    features : sequence of column names or positions, optional
        Which columns are the model's features, in its order; only needed where model or data carry no names.
    missing : {"error", "drop"}
        With "drop", rows with missing values get label -1 and NaN.
    engine : LocalEngine, optional
        Who computes.

    Returns
    -------
    Assignments
    """
    parts = [
        scores for _, scores in iterate_predictions(model, data, features=features, missing=missing, engine=engine)
    ]
    if not parts:
        k = mixture_of(model).n_components
        return Assignments(np.empty(0, np.int64), np.empty((0, k)), np.empty(0), np.empty(0))
    return Assignments(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def iterate_predictions(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: LocalEngine | None = None,
) -> Iterator[tuple[int, Assignments]]:
    """Yield (position of the first row, `Assignments`) for consecutive stretches of rows, in bounded memory.

    Parameters
    ----------
    model, data, features, missing, engine
        As in `predict`.
    """
    mixture = mixture_of(model)
    if features is not None:
        data = open_source(data, features=features, missing=missing)
    source = columns_for(data, mixture.feature_names, n_features=mixture.n_features, missing=missing)
    for start, scores in score_source(mixture, source, engine or LocalEngine()):
        yield start, Assignments(*scores)


def score(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    weights: object = None,
    missing: Literal["error", "drop"] = "error",
    engine: LocalEngine | None = None,
) -> float:
    """Mean log density per unit of weight of all rows.

    Parameters
    ----------
    model, data, missing, engine
        As in `predict`.
    weights : array (N,) or column name, optional
        Row weights.
    """
    mixture = mixture_of(model)
    source = columns_for(data, mixture.feature_names, n_features=mixture.n_features, weights=weights, missing=missing)
    return appraise_source(mixture, source, engine or LocalEngine()).score


def load(path: str | Path) -> Mixture:
    """Read a mixture from a model file.

    Parameters
    ----------
    path : path
        As written by `Mixture.save` or `FitResult.save`.

    Raises
    ------
    ModelFileError
        When the file is not a gaussmix model, is damaged, or comes from a newer release.
    """
    return Mixture.load(path)


def mixture_of(model: object) -> Mixture:
    """Return the mixture in whatever was handed in.

    Raises
    ------
    ParameterError
        When there is none.
    """
    if isinstance(model, Selection):
        return model.best.mixture
    if isinstance(model, FitResult):
        return model.mixture
    if isinstance(model, Mixture):
        return model
    raise ParameterError(
        f"expected a Mixture, a FitResult or a Selection, found {type(model).__name__}; load a file with gaussmix.load"
    )


@contextmanager
def _ground(
    data: object,
    weights: object,
    weight_kind: str,
    features: Sequence[str | int] | None,
    missing: Literal["error", "drop"],
    regularization: object,
    recipe: Recipe,
    seed: int,
    engine: LocalEngine | None,
) -> Generator[Ground]:
    """Open the data, read their summary and hold BLAS to one thread while they are fitted."""
    if weight_kind not in ("frequency", "importance"):
        raise ParameterError(f'weight_kind={weight_kind!r}: expected "frequency" or "importance"')
    seed = _validation.positive_integer(seed, "seed", least=0)
    penalty = _regularization(regularization)
    executor = engine or LocalEngine()
    with one_blas_thread():
        source = open_source(data, features=features, weights=weights, missing=missing)
        evaluator = Evaluator.open(source, executor, seed)
        facts: dict[str, Any] = {
            "data": source.description,
            "rows_read": evaluator.summary.rows_read,
            "weight_kind": weight_kind,
            "seed": seed,
            "gaussmix": version("gaussmix"),
        }
        if weight_kind == "importance":
            summary = evaluator.summary
            effective = summary.weight**2 / summary.squared_weight
            facts["effective_size"] = effective
            evaluator = Evaluator.open(Scaled(source, effective / summary.weight), executor, seed)
        ground = Ground.survey(evaluator, penalty, recipe, seed, facts)
        _warn_of_weights(ground)
        yield ground


def _regularization(value: object) -> Regularization | None:
    """Return None for the default."""
    if value is None:
        return Unregularized()
    if isinstance(value, Regularization):
        return value
    if isinstance(value, str) and value == "auto":
        return None
    raise ParameterError(
        f'regularization={value!r}: expected "auto", None, or one of gaussmix.regularization\'s values'
    )


def _recipe(start: object, n_starts: object, tol: object, max_passes: object) -> Recipe:
    kind = start if isinstance(start, str) else "auto"
    if kind not in ("auto", *KINDS):
        raise ParameterError(
            f"start={kind!r}: expected auto, {', '.join(KINDS)}, a Mixture, labels or responsibilities"
        )
    count = None if n_starts == "auto" else _validation.positive_integer(n_starts, "n_starts")
    rule = StoppingRule(_validation.positive_number(tol, "tol"), _validation.positive_integer(max_passes, "max_passes"))
    return Recipe(kind, count, rule)


def _given_runners(start: object, n_components: int, structure: Family, ground: Ground) -> list[Runner]:
    """Return the user's own start, or nothing where starts are to be found."""
    if isinstance(start, str):
        return []
    n_features = ground.evaluator.source.n_features
    checked: Mixture | Assignment
    if isinstance(start, Mixture | FitResult | Selection):
        checked = mixture_of(start)
        if (checked.n_components, checked.n_features) != (n_components, n_features):
            raise ParameterError(
                f"start: expected a mixture of {n_components} components in {n_features} features, found "
                f"{checked.n_components} in {checked.n_features}"
            )
    else:
        checked = _assignment(start, n_components)
        rows = len(checked.labels) if isinstance(checked, Labelled) else len(cast(Any, checked).responsibilities)
        if rows != ground.evaluator.summary.rows_read:
            raise ShapeError(
                f"start: found {rows} rows, but the data have {ground.evaluator.summary.rows_read}; give one for each"
            )
    return [Runner("given", given_start(checked, n_components, structure, ground))]


def _assignment(start: object, n_components: int) -> Assignment:
    try:
        array = np.asarray(start)
    except ValueError as error:
        raise ParameterError(f"start: expected labels (rows,) or responsibilities (rows, K), found {error}") from error
    if array.ndim == 2:
        if array.shape[1] != n_components:
            raise ParameterError(
                f"start: expected responsibilities of {n_components} components, found shape {array.shape}"
            )
        return given(_validation.finite(array, "start"))
    return Labelled(_validation.labels(array, n_components), n_components)


def _counts(n_components: int | Iterable[int]) -> list[int]:
    listed = list(n_components) if isinstance(n_components, Iterable) else [n_components]
    if not listed:
        raise ParameterError("n_components is empty; give at least one number of components to try")
    return list(dict.fromkeys(_validation.positive_integer(k, "n_components") for k in listed))


def _families(covariance: object, n_features: int) -> list[Family]:
    if isinstance(covariance, str):
        covariance = distinct_families(n_features) if covariance == "all" else [covariance]
    names = list(covariance) if isinstance(covariance, Iterable) else [covariance]
    chosen = [_family(name, n_features) for name in cast("list[object]", names)]
    if not chosen:
        raise ParameterError(f"covariance is empty; name structures, 'all', or one of {', '.join(ALIASES)}")
    return list(dict.fromkeys(chosen))


def _family(name: object, n_features: int) -> Family:
    if not isinstance(name, str):
        raise ParameterError(f"covariance={name!r}: expected a structure's name, such as 'VVV' or 'full'")
    return family(name, n_features)


def _warn_of_weights(ground: Ground) -> None:
    summary = ground.evaluator.summary
    if summary.weight < 0.5 * summary.n_rows:
        python_warnings.warn(
            f"the weights of {summary.n_rows} rows sum to {summary.weight:.4g}; they count as frequencies, so every "
            'criterion believes there are so few rows: use weight_kind="importance" if they are relative',
            GaussmixWarning,
            stacklevel=5,
        )


def _warn(result: FitResult) -> None:
    for message in result.warnings:
        kind = DegenerateFitWarning if message.startswith("component") else ConvergenceWarning
        python_warnings.warn(message, kind, stacklevel=3)
