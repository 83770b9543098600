"""What a mixture says of rows: predict, score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.arguments import mixture_of, opened_for
from gaussmix.data.dask import is_collection
from gaussmix.data.open import columns_for
from gaussmix.engine.evaluator import appraise_source, score_all, score_source
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.lazy import lazy_scores
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection


class Assignments(NamedTuple):
    """What a mixture says of every row.

    `labels` (N,) integers; `responsibilities` (N, K); `uncertainty` (N,), 1 minus the largest responsibility;
    `log_prob` (N,), log density per unit of volume.
    """

    labels: NDArray[np.int64]
    responsibilities: Array
    uncertainty: Array
    log_prob: Array


def predict(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
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
    engine : LocalEngine or DaskEngine, optional
        Who computes.

    Returns
    -------
    Assignments
        Of a Dask collection, lazy Dask collections.
    """
    if is_collection(data):
        opening = partial(opened_for, mixture_of(model), features=features, missing=missing)
        return Assignments(*lazy_scores(mixture_of(model), data, opening))
    mixture = mixture_of(model)
    source = opened_for(mixture, data, features=features, missing=missing)
    return Assignments(*score_all(mixture, source, engine or usual_engine(data)))


def iterate_predictions(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> Iterator[tuple[int, Assignments]]:
    """Yield (position of the first row, `Assignments`) for consecutive stretches of rows, in bounded memory.

    Parameters
    ----------
    model, data, features, missing, engine
        As in `predict`.
    """
    mixture = mixture_of(model)
    source = opened_for(mixture, data, features=features, missing=missing)
    for start, scores in score_source(mixture, source, engine or usual_engine(data)):
        yield start, Assignments(*scores)


def score(
    model: Mixture | FitResult | Selection,
    data: object,
    *,
    weights: object = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
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
    return appraise_source([mixture], source, engine or usual_engine(data))[0].score
