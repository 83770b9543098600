"""What a mixture says of the rows of a Dask collection, as Dask collections: computed where they are, when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gaussmix._linalg import Array
from gaussmix.data.dask import is_frame, whole_rows
from gaussmix.data.source import Source
from gaussmix.engine.evaluator import score_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.mixture import Mixture

Collection: TypeAlias = Any
Open = Callable[[object], Source]
"""Opens the rows of one partition, with the model's features."""


def lazy_scores(mixture: Mixture, data: Collection, open_rows: Open) -> tuple[Any, Any, Any, Any]:
    """Return labels, responsibilities, uncertainty and log densities as collections like `data`; nothing is computed.

    Of an array they are arrays (rows,) and (rows, K); of a dataframe series, and a dataframe with columns p1 to pK,
    with the partitions and the index of the rows.
    """
    return (_of_frame if is_frame(data) else _of_array)(mixture, data, open_rows)


def _of_array(mixture: Mixture, data: Collection, open_rows: Open) -> tuple[Any, Any, Any, Any]:
    rows, k = whole_rows(data), mixture.n_components
    chunks = (rows.chunks[0], (k + 3,))
    meta = np.empty((0, 0))
    scores = rows.map_blocks(_scored, mixture, open_rows, dtype=np.float64, chunks=chunks, meta=meta)
    return scores[:, 0].astype(np.int64), scores[:, 3:], scores[:, 1], scores[:, 2]


def _of_frame(mixture: Mixture, data: Collection, open_rows: Open) -> tuple[Any, Any, Any, Any]:
    names = [f"p{k + 1}" for k in range(mixture.n_components)]
    # Dask asks for an example without rows, which is made of one of the data's own.
    example = _table(data._meta, np.empty((0, len(names) + 3)), names)
    frame = data.map_partitions(_scored_frame, mixture, open_rows, names, meta=example)
    return frame["label"], frame[names], frame["uncertainty"], frame["log_density"]


def _scored(x: Any, mixture: Mixture, open_rows: Open) -> Array:
    """Label, uncertainty, log density and responsibilities (rows, 3 + K) of one block."""
    if len(x) == 0:
        return np.empty((0, mixture.n_components + 3))
    made = np.empty((len(x), mixture.n_components + 3))
    for start, scores in score_source(mixture, open_rows(x), LocalEngine(1)):
        rows = made[start : start + len(scores.labels)]
        rows[:, 0], rows[:, 1], rows[:, 2] = scores.labels, scores.uncertainty, scores.log_prob
        rows[:, 3:] = scores.responsibilities
    return made


def _scored_frame(frame: Any, mixture: Mixture, open_rows: Open, names: list[str]) -> Any:
    return _table(frame, _scored(frame, mixture, open_rows), names)


def _table(frame: Any, scores: Array, names: list[str]) -> Any:
    """Return scores as a dataframe of the kind, and with the index, of the rows'."""
    columns = {"label": scores[:, 0].astype(np.int64), "uncertainty": scores[:, 1], "log_density": scores[:, 2]}
    return frame[[]].assign(**columns, **dict(zip(names, scores[:, 3:].T, strict=True)))
