"""The single place that looks at what kind of data it was given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import numpy as np

from gaussmix.data.array import ArrayTable, array_from
from gaussmix.data.arrow import arrow_from, exported
from gaussmix.data.columns import Features, choose_features, listed, positions_of, require_numbers
from gaussmix.data.dask import DaskTable, is_collection, with_weights
from gaussmix.data.factory import FactoryTable
from gaussmix.data.files import concatenated, open_path
from gaussmix.data.frame import frame_from
from gaussmix.data.remember import BUDGET, Remembered
from gaussmix.data.source import Source
from gaussmix.data.steady import Steady
from gaussmix.data.stream import stream_from
from gaussmix.data.table import Table, TableSource
from gaussmix.data.transform import Columns, Derived, DropMissing, Weighted
from gaussmix.errors import ColumnError, ParameterError, ShapeError, SourceError

Missing = Literal["error", "drop"]


def open_source(
    data: object,
    *,
    features: Features | None = None,
    weights: object = None,
    missing: Missing = "error",
    budget: int = BUDGET,
) -> Source:
    """Open anything that holds rows.

    Parameters
    ----------
    data : array, dataframe, path, glob, list of paths or Source
        An array (rows, D), where a vector is one feature; nested lists; a dataframe of any make that
        narwhals knows; an Arrow table, dataset or stream, or any object that exports one (`__arrow_c_stream__`:
        DuckDB relations, record-batch readers, results of ADBC cursors); a function that returns an iterable of
        batches, called anew for every reading; a path to `.npy`, `.csv`, `.tsv`, `.txt` (these three also `.gz` or
        `.zst`), `.parquet`, `.arrow`, `.feather` or `.ipc`; a folder of Parquet files, whose keys (`year=2024/`) can be
        named as features; a glob; a Dask array or dataframe, whose partitions stay where they are.
    features : names or positions, optional
        The columns to use, in this order; all but the weights by default. Positions count from 0.
    weights : array (rows,) or str, optional
        Row weights, or the name of the column that holds them.
    missing : {"error", "drop"}
        With "drop", rows with a missing value get weight zero. With "error" they are left as they are, for
        the reader to refuse.
    budget : int
        Bytes of rows that may be kept in memory; only rows that need parsing or converting are kept.

    Returns
    -------
    Source
        Reads the same rows at every reading. Text and streams beyond the budget are written once to a temporary Arrow
        file, and a warning tells its size; other storages beyond it are read anew.

    Raises
    ------
    DataError
        One of its kinds, each saying what was found and what to do. Some faults show only when rows are read.
    ParameterError
        If `missing` is something else.
    """
    if missing not in ("error", "drop"):
        raise ParameterError(f'missing is {missing!r}; expected "error" or "drop".')
    beside = is_collection(weights) and is_collection(data)
    if beside:
        data, weights = with_weights(data, weights), None
    opened = _open(data)
    if isinstance(opened, Table):
        weight = opened.n_columns - 1 if beside else _weight_position(opened, weights)
        source = _source(opened, choose_features(opened, features, weight), weight, budget)
    else:
        source = _steady(opened) if features is None else Columns(_steady(opened), features)
        if isinstance(weights, str):
            raise ParameterError("weights names a column, but a Source has only features. Give an array (rows,).")
    if weights is not None and not isinstance(weights, str):
        source = Weighted(source, weights)
    return DropMissing(source) if missing == "drop" else source


def columns_for(
    data: object,
    names: Sequence[str] | None,
    *,
    n_features: int | None = None,
    weights: object = None,
    missing: Missing = "error",
) -> Source:
    """Open data for a model that knows its features: by name in any order, other columns left aside.

    Parameters
    ----------
    data
        As for `open_source`.
    names : sequence of str or None
        The model's feature names; None where it has none.
    n_features : int, optional
        The model's number of features, compared where names are missing on either side.
    weights, missing
        As for `open_source`.

    Raises
    ------
    ColumnError
        If the data name their columns and lack some of the model's.
    ShapeError
        If names are missing on either side and the numbers of columns differ.
    """
    opened = _open(data)
    carried = opened.names if isinstance(opened, Table) else opened.feature_names
    if names is None or carried is None:
        source = open_source(opened, weights=weights, missing=missing)
        _require_count(source, len(names) if names is not None else n_features)
        return source
    _require_present(names, carried, opened.description)
    if isinstance(opened, Table):
        needed = positions_of(names, carried, opened.n_columns, opened.description)
        require_numbers(opened, needed, "The model was fitted on numbers in their place; convert them.")
    return open_source(opened, features=names, weights=weights, missing=missing)


def _require_present(names: Sequence[str], carried: Sequence[str], description: str) -> None:
    present = set(carried)
    absent = [name for name in names if name not in present]
    if absent:
        raise ColumnError(
            f"{description} lacks {len(absent)} of the {len(names)} columns that the model was fitted on: "
            f"{listed(absent)}. It has: {listed(carried)}. Rename or add columns; their order is free."
        )


def _require_count(source: Source, expected: int | None) -> None:
    if expected is not None and source.n_features != expected:
        raise ShapeError(
            f"{source.description} has {source.n_features} columns; the model has {expected} features. "
            "Give the same columns in the same order (a single row as an array of shape (1, columns))."
        )


def _source(table: Table, features: Sequence[int], weight: int | None, budget: int) -> Source:
    source: Source = TableSource(table, features, weight)
    if table.ready:
        return source
    if isinstance(table, FactoryTable):
        source = Steady(source)
    return Remembered(source, budget, spooled=table.costly)


def _steady(source: Source) -> Source:
    """Watch over sources that others have written; gaussmix's own have been looked after when they were opened."""
    return source if isinstance(source, Derived | TableSource) else Steady(source)


def _weight_position(table: Table, weights: object) -> int | None:
    if not isinstance(weights, str):
        return None
    (position,) = positions_of(weights, table.names, table.n_columns, table.description)
    require_numbers(table, [position], "Weights must be numbers; name another column as weights.")
    return position


def _open(data: object) -> Table | Source:
    """Dispatch on the kind of data, cheap and certain kinds first."""
    if isinstance(data, Source | Table):
        return data
    if isinstance(data, str | os.PathLike):
        return open_path(cast("str | os.PathLike[str]", data))
    if isinstance(data, np.ndarray):
        return ArrayTable(cast("np.ndarray[Any, Any]", data))
    if isinstance(data, list | tuple):
        return _open_sequence(cast("Sequence[object]", data))
    return _open_object(data)


def _open_batch(data: object) -> Table:
    """Open one of the batches that a function makes."""
    opened = _open(data)
    if not isinstance(opened, Table):
        raise SourceError(f"a batch is a {type(data).__name__}; expected an array, a dataframe or an Arrow batch.")
    return opened


def _open_sequence(data: Sequence[object]) -> Table:
    """Open a list of paths, or of rows."""
    if data and all(isinstance(item, str | os.PathLike) for item in data):
        paths = cast("Sequence[str | os.PathLike[str]]", data)
        return concatenated([open_path(path) for path in paths], f"{os.fspath(paths[0])} ...")
    return array_from(data, type(data).__name__)


def _open_object(data: object) -> Table:
    """Open a foreign object by the protocol that it speaks."""
    kind = type(data).__name__
    if type(data).__module__.startswith("scipy.sparse"):
        raise SourceError(f"a sparse {kind} cannot be read. Give a dense array: data.toarray().")
    if is_collection(data):
        return DaskTable(data, _open_batch)
    if callable(data) and not hasattr(data, "__array__"):
        return FactoryTable(data, _open_batch)
    native = arrow_from(data) or frame_from(data) or stream_from(data) or exported(data)
    if native is not None:
        return native
    if isinstance(data, Iterator):
        raise SourceError(
            f"a {kind} can be read only once, and a fit reads many times. Give a function that makes it anew: "
            "lambda: make_batches(); or an array, a dataframe or a path."
        )
    if hasattr(data, "__array__"):
        return array_from(data, kind)
    raise SourceError(
        f"rows cannot be read from a {kind}. Give an array (rows, columns), a dataframe, an Arrow table, or a path."
    )
