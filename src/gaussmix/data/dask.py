"""Dask arrays and dataframes: partitions that stay where they are, and are computed when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, final

import numpy as np

from gaussmix.data.aligned import Aligned
from gaussmix.data.table import Part, Refusal, Rows, Table, Wrapped
from gaussmix.errors import EmptyDataError, NotNumericError, ParameterError, ShapeError, WeightError

Collection: TypeAlias = Any
Opener = Callable[[object], Table]
"""Opens the rows of one partition."""

_WEIGHTS = "row weights beside the data"


def is_collection(data: object) -> bool:
    """Whether something is a Dask array or dataframe, or another of Dask's collections; Dask is not loaded for it."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(data, "__dask_graph__")


def is_frame(data: Any) -> bool:
    """Whether a collection has named columns."""
    return hasattr(data, "columns")


@final
class DaskTable(Table):
    """The columns of a Dask array (rows, columns), or of a Dask dataframe.

    Rows are counted at once where that is not known, and never gathered: `parts` says what each of them is made of.

    Parameters
    ----------
    data : dask.array.Array or dask.dataframe.DataFrame
    open_rows : callable
        Opens the rows of one partition.

    Raises
    ------
    NotNumericError
        If an array holds no real numbers.
    ShapeError
        If an array has not one or two dimensions.
    EmptyDataError
        If there are no rows or columns.
    """

    def __init__(self, data: Collection, open_rows: Opener) -> None:
        self._kind = f"Dask {type(data).__name__.lower()}"
        self._frame = is_frame(data)
        self._open = open_rows
        self._parts: dict[tuple[int, ...], list[Part]] = {}  # what they are made of is worked out once
        if self._frame:
            self._data = data
            self._names = tuple(str(name) for name in data.columns)
            self._lengths = [int(n) for n in data.map_partitions(len, meta=("rows", "i8")).compute()]
        else:
            self._data = whole_rows(data, self._kind)
            self._names = None
            self._lengths = [int(n) for n in self._data.chunks[0]]
        if sum(self._lengths) == 0 or self.n_columns == 0:
            raise EmptyDataError(
                f"{self._kind} has {sum(self._lengths)} rows and {self.n_columns} columns. Give at least one of each."
            )

    @property
    def description(self) -> str:
        """What kind of collection it is."""
        return f"{self._kind} ({len(self._lengths)} partitions)"

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of a dataframe's columns."""
        return self._names

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self._names) if self._names is not None else int(self._data.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(self._lengths)

    @property
    def ready(self) -> bool:
        """Rows have to be computed."""
        return False

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns of a dataframe whose type is neither numeric nor boolean."""
        if not self._frame:
            return []
        kinds = [self._data.dtypes.iloc[i] for i in positions]
        pairs = zip(positions, kinds, strict=True)
        return [Refusal(i, str(kind), None) for i, kind in pairs if getattr(kind, "kind", "O") not in "buif"]

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Compute all rows, a partition at a time, and bring them here."""
        for table, _, rows in self.parts([*features] if weight is None else [*features, weight]):
            yield from table.filled(rows.compute()).read(features, weight)

    def parts(self, positions: Sequence[int]) -> list[Part]:
        """Return the partitions that have rows, of a dataframe only the columns in use."""
        columns = tuple(sorted(set(positions)))
        if columns not in self._parts:
            wanted = self._data
            if self._names is not None and len(columns) < len(self._names):
                wanted = self._data[[self._data.columns[i] for i in columns]]
            slot = Slot(self._names, self.n_columns, self._kind, self._open)
            pairs = zip(self._lengths, np.ravel(wanted.to_delayed()), strict=True)
            self._parts[columns] = [Part(slot, n, rows) for n, rows in pairs if n > 0]
        return self._parts[columns]


@final
class Slot(Table):
    """A partition whose rows are not there yet."""

    def __init__(self, names: tuple[str, ...] | None, n_columns: int, description: str, open_rows: Opener) -> None:
        self._names = names
        self._n_columns = n_columns
        self._description = description
        self._open = open_rows

    @property
    def description(self) -> str:
        """That of the whole."""
        return self._description

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the whole's columns."""
        return self._names

    @property
    def n_columns(self) -> int:
        """Number of the whole's columns."""
        return self._n_columns

    @property
    def n_rows(self) -> None:
        """Not known here."""
        return None

    @property
    def ready(self) -> bool:
        """There is nothing to be read."""
        return False

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """None: the whole has been looked at."""
        return []

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Nothing can be read before `filled`."""
        raise AssertionError("a partition is read before its rows are there")

    def filled(self, rows: Any) -> Wrapped:
        """Return the table of the rows."""
        return Aligned(self, self._open(rows))


def with_weights(data: Collection, weights: Collection) -> Collection:
    """Return a collection that holds its row weights as a last column.

    Raises
    ------
    WeightError, ShapeError
        If both are not of one kind, or not of one length.
    """
    if is_frame(data) != hasattr(weights, "to_frame"):
        raise WeightError(
            f"weights are a Dask {type(weights).__name__}, and the data a {type(data).__name__}. Give a Dask series "
            "beside a dataframe, or its column's name; a Dask array beside an array."
        )
    if is_frame(data):
        return data.assign(**{_WEIGHTS: weights})
    import dask.array as da

    rows = whole_rows(data)
    if weights.ndim != 1 or weights.shape[0] != rows.shape[0]:
        raise ShapeError(
            f"weights have shape {weights.shape} beside {rows.shape[0]} rows; expected one weight per row."
        )
    column = weights.rechunk((rows.chunks[0],))[:, None]
    return da.concatenate([rows, column], axis=1).rechunk({1: -1})


def whole_rows(data: Collection, kind: str = "Dask array") -> Collection:
    """Return an array (rows, columns) whose chunks are whole rows, of known numbers.

    Raises
    ------
    ParameterError, NotNumericError, ShapeError
        If it is no array, not of real numbers, or not of one or two dimensions.
    """
    if not hasattr(data, "chunks") or not hasattr(data, "rechunk"):
        raise ParameterError(f"a {kind} holds no rows. Give a Dask array (rows, columns) or a Dask dataframe.")
    if data.dtype.kind not in "buif":
        raise NotNumericError(f"{kind} has dtype {data.dtype}; expected real numbers. Convert it with .astype(float).")
    if data.ndim not in (1, 2):
        raise ShapeError(f"{kind} has {data.ndim} dimensions; expected (rows, columns). Reshape it.")
    rows = data if data.ndim == 2 else data[:, None]
    if any(np.isnan(n) for n in rows.chunks[0]):
        rows = rows.compute_chunk_sizes()
    return rows if len(rows.chunks[1]) == 1 else rows.rechunk({1: -1})
