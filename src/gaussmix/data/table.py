"""The promise of a storage: columns are chosen first, and then read as numbers, a piece at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.source import Chunk, Partition, Source
from gaussmix.data.weights import masked, require_some, total_weight
from gaussmix.errors import EmptyDataError

ROWS_PER_READ = 65_536
"""Rows that are converted at once where converting costs memory: 4 MB for eight columns."""

PART_ROWS = 2**18
"""Rows that a part for another process has at least, where there are as many: smaller pieces are put together."""

Rows = tuple[NDArray[np.floating], NDArray[np.float64] | None]


@final
@dataclass(frozen=True)
class Refusal:
    """A column that does not hold numbers: where it stands, its type in words, and one of its values."""

    position: int
    kind: str
    example: str | None


class Part(NamedTuple):
    """Consecutive rows of a table, of a known number, as a table of their own.

    `rows` is what has to be computed first and handed to `table.filled`, in a form that a cluster knows.
    """

    table: Table
    n_rows: int
    rows: Any = None


class Table(ABC):
    """Columns as a storage holds them, before any of them is chosen.

    Only the columns that are asked for are ever read, so a table may hold text, dates and repeated names as
    long as nobody asks for them.
    """

    @property
    @abstractmethod
    def description(self) -> str:
        """What this is, for messages: a path, or 'array'."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...] | None:
        """Names of all columns, or None where the storage has none."""

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """Number of columns, wanted or not."""

    @property
    @abstractmethod
    def n_rows(self) -> int | None:
        """Number of rows, or None where only reading tells."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether rows already lie in memory (or a memory map) as floats, so that reading costs nothing."""

    @abstractmethod
    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns that are known, without reading all rows, not to hold numbers."""

    @abstractmethod
    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once: features as (rows, D) floats, the weight column as (rows,) float64."""

    @property
    def usual(self) -> Sequence[int]:
        """Positions of the columns that are used where none is named."""
        return range(self.n_columns)

    @property
    def costly(self) -> bool:
        """Whether reading again would cost as much as parsing text, or is impossible."""
        return False

    @property
    def identity(self) -> str | None:
        """A text that is another when the rows are others, where that is known without reading them, else None."""
        return None

    def n_bytes(self, positions: Sequence[int]) -> int | None:
        """Bytes that one reading of some columns takes, where that is known beforehand, else None."""
        return None if self.n_rows is None else 8 * self.n_rows * len(positions)

    def place(self, row: int) -> str:
        """Say where a row stands, for messages."""
        return f"row {row} (counting from 0)"

    def parts(self, positions: Sequence[int]) -> Sequence[Part] | None:
        """Return the table cut into consecutive parts that other processes can open, or None where they cannot.

        Columns keep their places; no others than those at `positions` need be there.
        """
        return None

    def after(self, row: int) -> Table | None:
        """Return the rows from one on, or None where many of those before would have to be read, too."""
        return None

    def require_unchanged(self) -> None:  # noqa: B027 -- memory cannot tell, so that most have nothing to do
        """Raise a SourceError where it shows that the rows may have changed since the table was opened."""

    def filled(self, rows: Any) -> Table:
        """Return the table of a part once its rows are there."""
        return self

    def label(self, position: int) -> str:
        """Name the column at `position` in a message."""
        return repr(self.names[position]) if self.names is not None else f"{position} (counting from 0)"


class Wrapped(Table):
    """A table that hands on another one's columns; its heirs say what is different.

    Parameters
    ----------
    table : Table
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def description(self) -> str:
        """The underlying table's description."""
        return self._table.description

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of all columns."""
        return self._table.names

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self._table.n_columns

    @property
    def n_rows(self) -> int | None:
        """Number of rows."""
        return self._table.n_rows

    @property
    def ready(self) -> bool:
        """Whether rows lie in memory."""
        return self._table.ready

    @property
    def usual(self) -> Sequence[int]:
        """Columns that are used where none is named."""
        return self._table.usual

    @property
    def costly(self) -> bool:
        """Whether rows should be read but once."""
        return self._table.costly

    @property
    def identity(self) -> str | None:
        """The underlying table's."""
        return self._table.identity

    def n_bytes(self, positions: Sequence[int]) -> int | None:
        """Bytes that one reading of some columns takes."""
        return self._table.n_bytes(positions)

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns that do not hold numbers."""
        return self._table.refusals(positions)

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once."""
        return self._table.read(features, weight)

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return self._table.place(row)

    def require_unchanged(self) -> None:
        """Raise a SourceError where it shows that the underlying table's rows may have changed."""
        self._table.require_unchanged()

    def parts(self, positions: Sequence[int]) -> Sequence[Part] | None:
        """Return the underlying table's parts."""
        return self._table.parts(positions)


@final
class TableSource(Source):
    """The chosen columns of a table, as a source of rows.

    Parameters
    ----------
    table : Table
    features : sequence of int
        Positions of the columns that are features, in the order wanted.
    weight : int, optional
        Position of the column that holds row weights.
    start : int, optional
        Position of the table's first row, where it is a part of another; a part may hold only rows of weight zero.
    """

    def __init__(
        self, table: Table, features: Sequence[int], weight: int | None = None, start: int | None = None
    ) -> None:
        self._table = table
        self._features = tuple(features)
        self._weight = weight
        self._start = start

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return len(self._features)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the D features, or None where the table has none."""
        names = self._table.names
        return None if names is None else tuple(names[i] for i in self._features)

    @property
    def n_rows(self) -> int | None:
        """Number of rows, or None where only reading tells."""
        return self._table.n_rows

    @property
    def description(self) -> str:
        """The table's own description."""
        return self._table.description

    @property
    def ready(self) -> bool:
        """Whether the table's rows are."""
        return self._table.ready

    @property
    def n_bytes(self) -> int | None:
        """Bytes that one reading of the chosen columns takes."""
        return self._table.n_bytes([*self._features] if self._weight is None else [*self._features, self._weight])

    @property
    def identity(self) -> str | None:
        """That of the table, and which columns are chosen."""
        found = self._table.identity
        return None if found is None else f"{found}, columns {self._features} weighted by {self._weight}"

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return self._table.place(row)

    def partitions(self) -> list[Partition] | None:
        """Return the table's parts."""
        parts = self._table.parts([*self._features] if self._weight is None else [*self._features, self._weight])
        if parts is None:
            return None
        found: list[Partition] = []
        start = 0
        for table, n_rows, rows in parts:
            found.append(Partition(TableSource(table, self._features, self._weight, start), n_rows, rows))
            start += n_rows
        return found

    def after(self, row: int) -> TableSource | None:
        """Return the table's rows from one on, where that can be read from there."""
        found = self._table.after(row - (self._start or 0))
        return None if found is None else TableSource(found, self._features, self._weight, row)

    def filled(self, rows: Any) -> TableSource:
        """Return the source of a part once its rows are there."""
        return TableSource(self._table.filled(rows), self._features, self._weight, self._start)

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order.

        Raises
        ------
        EmptyDataError
            If there are none.
        WeightError
            If the weight column holds a negative or non-finite value, or nothing but zeros.
        """
        first = start = self._start or 0
        total = 0.0
        for x, weights in self._table.read(self._features, self._weight):
            if x.shape[0] == 0:
                continue
            if weights is not None:
                total += total_weight(weights, start, self.description)
            yield from masked(Chunk(x, weights, start), ROWS_PER_READ)
            start += x.shape[0]
        if start == first:
            raise EmptyDataError(f"{self.description} holds no rows. Give data with at least one row.")
        if self._weight is not None and self._start is None:
            require_some(total, self.description)
