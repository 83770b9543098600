"""What the caller's words mean: arguments of the verbs become checked values, or named errors."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Generator, Iterable, Sequence, Sized
from contextlib import contextmanager
from typing import Any, Literal, cast

import numpy as np

from gaussmix import _validation
from gaussmix.covariance import ALIASES, NAMES, Family, distinct_families, family
from gaussmix.covariance.regularization import Regularization, Unregularized
from gaussmix.data.open import columns_for, open_source
from gaussmix.data.source import Source
from gaussmix.data.transform import Part, Scaled
from gaussmix.engine.assignment import Assignment, Labelled, given
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.kernels.choose import kernel_name
from gaussmix.engine.summary import sample_rows
from gaussmix.errors import GaussmixWarning, ParameterError, ShapeError
from gaussmix.fitting import algorithm as algorithms
from gaussmix.fitting.candidate import Recipe
from gaussmix.fitting.effort import EFFORTS
from gaussmix.fitting.fit import Ground, given_start
from gaussmix.fitting.race import Runner
from gaussmix.fitting.result import FitResult
from gaussmix.fitting.starts.seeds import KINDS
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.mixture import Mixture
from gaussmix.selection.holding import mixture_of
from gaussmix.selection.search import Selection
from gaussmix.selection.table import CRITERIA
from gaussmix.serialization import release

_OF_A_FIT = 0.1  # what a candidate of a search takes that may be pruned
_LAVISH = 3.0  # times as much by the largest effort


def source_for(
    mixture: Mixture,
    data: object,
    weights: object,
    features: Sequence[str | int] | None,
    missing: Literal["error", "drop"],
) -> Source:
    """Open data for a mixture: the features that are named, else its own by name."""
    if features is not None:
        data, weights = open_source(data, features=features, weights=weights, missing=missing), None
    names = mixture.feature_names
    return columns_for(data, names, n_features=mixture.n_features, weights=weights, missing=missing)


@contextmanager
def open_ground(
    data: object,
    weights: object,
    weight_kind: str,
    features: Sequence[str | int] | None,
    missing: Literal["error", "drop"],
    regularization: object,
    recipe: Recipe,
    seed: int,
    engine: Engine | None,
    most_components: int,
    holdout: float | None = None,
) -> Generator[Ground]:
    """Open the data, read their summary and hold BLAS to one thread while they are fitted."""
    if weight_kind not in ("frequency", "importance"):
        raise ParameterError(f'weight_kind={weight_kind!r}: expected "frequency" or "importance"')
    seed = _validation.positive_integer(seed, "seed", least=0)
    penalty = _regularization(regularization)
    executor = engine or usual_engine(data)
    with one_blas_thread():
        source = open_source(data, features=features, weights=weights, missing=missing, budget=executor.budget)
        held_out = None
        if holdout is not None:
            held_out = Part(source, holdout, seed, held_out=True)
            source = Part(source, holdout, seed, held_out=False)
        n_sampled = sample_rows(most_components, source.n_features)
        evaluator = Evaluator.open(source, executor, seed, n_sampled)
        facts: dict[str, Any] = {
            "data": source.description,
            "rows_read": evaluator.summary.rows_read,
            "missing": missing,
            "columns": None if features is None else list(features),
            "weights_from": weights if isinstance(weights, str) or weights is None else "given",
            "regularization": _told(regularization),
            "weight_kind": weight_kind,
            "seed": seed,
            **_facts_of(recipe),
            "gaussmix": release(),
            "kernel": kernel_name(),
        }
        if weight_kind == "importance":
            summary = evaluator.summary
            effective = summary.weight**2 / summary.squared_weight
            facts["effective_size"] = effective
            held_out = None if held_out is None else Scaled(held_out, effective / summary.weight)
            evaluator = Evaluator.open(Scaled(source, effective / summary.weight), executor, seed, n_sampled)
        ground = Ground.survey(evaluator, penalty, recipe, seed, facts, held_out)
        if weight_kind == "frequency":
            _warn_of_weights(ground)
        yield ground


def _facts_of(recipe: Recipe) -> dict[str, Any]:
    return {
        "start": recipe.kind,
        "n_starts": recipe.n_starts,
        "effort": recipe.effort.name,
        "algorithm": recipe.algorithm.name,
        "acceleration": recipe.acceleration,
        "allow_spurious": recipe.allow_spurious,
        "tol": recipe.rule.tol,
        "max_passes": recipe.rule.max_passes,
    }


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


def _told(regularization: object) -> str:
    """Return what to keep of a regularization: its kind, since its arrays are as long as the data are wide."""
    if isinstance(regularization, str):
        return regularization
    return "none" if regularization is None else type(regularization).__name__


def recipe_of(
    start: object,
    n_starts: object,
    tol: object,
    max_passes: object,
    algorithm: object,
    seed: object,
    effort: object,
    acceleration: object = "squarem",
    allow_spurious: object = False,
) -> Recipe:
    """Return how candidates are to be fitted."""
    kind = start if isinstance(start, str) else "auto"
    if kind not in ("auto", *KINDS):
        raise ParameterError(
            f"start={kind!r}: expected auto, {', '.join(KINDS)}, a Mixture, labels or responsibilities"
        )
    count = None if n_starts == "auto" else _validation.positive_integer(n_starts, "n_starts")
    rule = StoppingRule(_validation.positive_number(tol, "tol"), _validation.positive_integer(max_passes, "max_passes"))
    if algorithm not in algorithms.NAMES:
        raise ParameterError(f"algorithm={algorithm!r}: expected one of {', '.join(algorithms.NAMES)}")
    if effort not in EFFORTS:
        raise ParameterError(f"effort={effort!r}: expected one of {', '.join(EFFORTS)}")
    seed = _validation.positive_integer(seed, "seed", least=0)
    if acceleration not in algorithms.ACCELERATIONS:
        raise ParameterError(f"acceleration={acceleration!r}: expected one of {', '.join(algorithms.ACCELERATIONS)}")
    if not isinstance(allow_spurious, bool | np.bool_):
        raise ParameterError(f"allow_spurious={allow_spurious!r}: expected True or False")
    climber = algorithms.algorithm(str(algorithm), seed, rule.max_passes, str(acceleration))
    return Recipe(kind, count, rule, climber, EFFORTS[str(effort)], str(acceleration), bool(allow_spurious))


def given_runners(start: object, n_components: int, structure: Family, ground: Ground) -> list[Runner]:
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


def counts_of(n_components: int | Iterable[int]) -> list[int]:
    """Return the numbers of components to try, each once."""
    listed = list(n_components) if isinstance(n_components, Iterable) else [n_components]
    if not listed:
        raise ParameterError("n_components is empty; give at least one number of components to try")
    return list(dict.fromkeys(_validation.positive_integer(k, "n_components") for k in listed))


def families_of(covariance: object, n_features: int) -> list[Family]:
    """Return the structures to try, each once."""
    if isinstance(covariance, str):
        covariance = distinct_families(n_features) if covariance == "all" else [covariance]
    names = list(covariance) if isinstance(covariance, Iterable) else [covariance]
    chosen = [family_of(name, n_features) for name in cast("list[object]", names)]
    if not chosen:
        raise ParameterError(f"covariance is empty; name structures, 'all', or one of {', '.join(ALIASES)}")
    return list(dict.fromkeys(chosen))


def fits_of(n_counts: int, covariance: object, recipe: Recipe, *, prune: bool) -> float:
    """Return to how many single fits a search amounts, roughly."""
    if isinstance(covariance, str):
        n_families = len(NAMES) if covariance == "all" else 1
    else:
        n_families = len(covariance) if isinstance(covariance, Sized) else len(NAMES)
    lavish = _LAVISH if recipe.effort.moves > EFFORTS["default"].moves else 1.0
    return max(1.0, n_counts * n_families * lavish * (_OF_A_FIT if prune else 1.0))


def family_of(name: object, n_features: int) -> Family:
    """Return the structure of that name."""
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


def holdout_of(criterion: object, holdout: object) -> float | None:
    """Return the share of rows to hold out: of the held-out criterion only.

    Raises
    ------
    ParameterError
        When the criterion is unknown, or the share is not between 0 and 1.
    """
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion={criterion!r}: expected one of {', '.join(CRITERIA)}")
    share = _validation.positive_number(holdout, "holdout")
    if share >= 1.0:
        raise ParameterError(f"holdout={holdout!r}: expected a share of the rows, between 0 and 1")
    return share if criterion == "heldout" else None


def opened_for(
    mixture: Mixture, data: object, *, features: Sequence[str | int] | None, missing: Literal["error", "drop"]
) -> Source:
    """Open rows with a model's features."""
    if features is not None:
        data = open_source(data, features=features, missing=missing)
    return columns_for(data, mixture.feature_names, n_features=mixture.n_features, missing=missing)
