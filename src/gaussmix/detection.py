"""The verbs of outliers: rows whose density under a mixture is lowest, and which features make it so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussmix import _validation
from gaussmix._linalg import Array
from gaussmix.arguments import mixture_of
from gaussmix.data.open import columns_for, open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import map_scored
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.kernels.kernel import RowScores
from gaussmix.errors import EmptyDataError, ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.mixture.explanation import improbability_shares
from gaussmix.selection.search import Selection

MOST_CONTAMINATION = 0.5
ROUNDING = 1e-9  # by which a share of the rows may be above a whole number of them
_DIGIT = 16  # bits of a density that one read sorts by
_MOST_KEPT = 1 << 20  # densities that are sorted in memory

Model = Mixture | FitResult | Selection


class Outliers(NamedTuple):
    """The outliers among some rows.

    `positions` (M,) of the outliers among the rows, counting from 0; `log_prob` (M,), their log densities; `shares`
    (M, D), each feature's share of a row's improbability, summing to 1; `threshold`, the log density below which a row
    is an outlier; `n_rows`, how many rows were looked at.
    """

    positions: NDArray[np.int64]
    log_prob: Array
    shares: Array
    threshold: float
    n_rows: int


def detect(
    model: Model,
    data: object,
    *,
    contamination: float = 0.01,
    threshold: float | None = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> Outliers:
    """Find the rows that are least probable under a mixture, and say which features make them so.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted.
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D); named columns are matched by name in any order.
    contamination : float
        Share of these rows to take for outliers: at most this share lies below the threshold, as much as can.
    threshold : float, optional
        Log density below which a row is an outlier, in place of a share: one found on other rows, say.
    features, missing, engine
        As in `predict`; rows that are dropped are no outliers.

    Returns
    -------
    Outliers

    Raises
    ------
    ParameterError
        When the contamination is not above 0 and at most 0.5.
    """
    if threshold is None:
        threshold = density_threshold(model, data, contamination, features=features, missing=missing, engine=engine)
    pieces = list(iterate_outliers(model, data, threshold, features=features, missing=missing, engine=engine))
    if not pieces:
        none = np.empty(0)
        return Outliers(none.astype(np.int64), none, np.empty((0, mixture_of(model).n_features)), threshold, 0)
    positions, log_prob, shares = (np.concatenate([piece[i] for piece in pieces]) for i in range(3))
    return Outliers(positions, log_prob, shares, threshold, sum(piece.n_rows for piece in pieces))


def iterate_outliers(
    model: Model,
    data: object,
    threshold: float,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> Iterator[Outliers]:
    """Yield the outliers of consecutive stretches of rows, in bounded memory.

    Parameters
    ----------
    model, data, features, missing, engine
        As in `predict`.
    threshold : float
        Log density below which a row is an outlier.
    """
    mixture = mixture_of(model)
    limit = _validation.finite(threshold, "threshold").item()

    def outliers(chunk: Chunk, scores: RowScores) -> Outliers:
        found = np.flatnonzero(scores.log_prob < limit)  # NaN, of rows that were dropped, is not below
        shares = improbability_shares(mixture, np.asarray(chunk.x[found], dtype=np.float64))
        n_rows = int((scores.labels >= 0).sum())
        return Outliers(chunk.start + found, scores.log_prob[found], shares, limit, n_rows)

    source = _source(mixture, data, features, missing)
    yield from map_scored(mixture, source, engine or usual_engine(data), outliers)


def density_threshold(
    model: Model,
    data: object,
    contamination: float,
    *,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> float:
    """Return the highest log density of a row below which at most a share `contamination` of the rows lies.

    The rows are read two to five times, and memory does not grow with their number.

    Parameters
    ----------
    model, data, features, missing, engine
        As in `predict`.
    contamination : float
        Above 0 and at most 0.5.

    Raises
    ------
    ParameterError
        When the contamination is something else.
    EmptyDataError
        When there is no row to look at.
    """
    share = checked_contamination(contamination)
    mixture, executor = mixture_of(model), engine or usual_engine(data)
    source = _source(mixture, data, features, missing)

    def densities() -> Iterable[Array]:
        return map_scored(mixture, source, executor, lambda _, scores: scores.log_prob[scores.labels >= 0])

    return _ranked(densities, lambda n: n_below(n, share))


def checked_contamination(contamination: object) -> float:
    """Return a share above 0 and at most 0.5.

    Raises
    ------
    ParameterError
        When it is something else.
    """
    share = _validation.positive_number(contamination, "contamination")
    if share > MOST_CONTAMINATION:
        raise ParameterError(f"contamination={contamination!r}: expected a share of the rows, above 0 and at most 0.5")
    return share


def n_below(n: int, contamination: float) -> int:
    """Return how many of n rows are at most the share `contamination` of them."""
    return math.floor(n * (contamination + ROUNDING))


def _source(
    mixture: Mixture, data: object, features: Sequence[str | int] | None, missing: Literal["error", "drop"]
) -> Source:
    if features is not None:
        data = open_source(data, features=features, missing=missing)
    return columns_for(data, mixture.feature_names, n_features=mixture.n_features, missing=missing)


def _ranked(densities: Callable[[], Iterable[Array]], rank_of: Callable[[int], int]) -> float:
    """Return the density that stands at a rank, counting from 0, which is known once the rows are counted.

    Every read sorts by 16 more bits of numbers whose order is that of the densities, until the few that share all bits
    so far can be sorted in memory.
    """
    prefix, known, rank = np.uint64(0), 0, -1
    while known < 64:
        counts = np.zeros(1 << _DIGIT, dtype=np.int64)
        for values in densities():
            digits = (_within(_in_order(values), prefix, known) >> np.uint64(64 - known - _DIGIT)) & np.uint64(0xFFFF)
            counts += np.bincount(digits.astype(np.int64), minlength=len(counts))
        if rank < 0:
            if not counts.any():
                raise EmptyDataError("there is no row to look at; give data with at least one complete row")
            rank = rank_of(int(counts.sum()))
        digit = int(np.searchsorted(np.cumsum(counts), rank, side="right"))
        rank -= int(counts[:digit].sum())
        prefix, known = (prefix << np.uint64(_DIGIT)) | np.uint64(digit), known + _DIGIT
        if counts[digit] <= _MOST_KEPT:
            break
    if known == 64:
        return _density(prefix)
    kept = np.concatenate([_within(_in_order(values), prefix, known) for values in densities()])
    return _density(np.partition(kept, rank)[rank])


def _in_order(values: Array) -> NDArray[np.uint64]:
    """Return integers in the order of the numbers: their bits, flipped where negative, else with the sign set."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _density(key: np.uint64) -> float:
    sign = np.uint64(1 << 63)
    bits = key & ~sign if key & sign else ~key
    return float(np.array(bits, dtype=np.uint64).view(np.float64))


def _within(keys: NDArray[np.uint64], prefix: np.uint64, known: int) -> NDArray[np.uint64]:
    """Return those keys whose first bits are the prefix."""
    return keys if known == 0 else keys[keys >> np.uint64(64 - known) == prefix]
