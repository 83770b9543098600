"""The promise of a storage: columns are chosen first, and then read as numbers, a piece at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.source import Chunk, Source
from gaussmix.data.weights import masked, require_some, total_weight
from gaussmix.errors import EmptyDataError

ROWS_PER_READ = 65_536
"""Rows that are converted at once where converting costs memory: 4 MB for eight columns."""

Rows = tuple[NDArray[np.floating], NDArray[np.float64] | None]


@final
@dataclass(frozen=True)
class Refusal:
    """A column that does not hold numbers: where it stands, its type in words, and one of its values."""

    position: int
    kind: str
    example: str | None


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

    def label(self, position: int) -> str:
        """Name the column at `position` in a message."""
        return repr(self.names[position]) if self.names is not None else f"{position} (counting from 0)"


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
    """

    def __init__(self, table: Table, features: Sequence[int], weight: int | None = None) -> None:
        self._table = table
        self._features = tuple(features)
        self._weight = weight

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

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order.

        Raises
        ------
        EmptyDataError
            If there are none.
        WeightError
            If the weight column holds a negative or non-finite value, or nothing but zeros.
        """
        start, total = 0, 0.0
        for x, weights in self._table.read(self._features, self._weight):
            if x.shape[0] == 0:
                continue
            if weights is not None:
                total += total_weight(weights, start, self.description)
            yield from masked(Chunk(x, weights, start), ROWS_PER_READ)
            start += x.shape[0]
        if start == 0:
            raise EmptyDataError(f"{self.description} holds no rows. Give data with at least one row.")
        if self._weight is not None:
            require_some(total, self.description)
