"""Tables that are read one under the other: where each keeps the columns that the first one has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from gaussmix.data.columns import positions_of
from gaussmix.data.table import Rows, Table, Wrapped
from gaussmix.errors import ColumnError, ShapeError


def places_of(first: Table, other: Table, positions: Sequence[int], what: str) -> Sequence[int]:
    """Where `other`, called `what`, keeps the columns that stand at `positions` in `first`.

    Raises
    ------
    ShapeError
        When only one of them has names, or neither has and the numbers of columns differ.
    ColumnError
        When a column is missing.
    """
    return _places(first.names, first.n_columns, first.description, other, positions, what)


def _places(
    names: tuple[str, ...] | None, n_columns: int, called: str, other: Table, positions: Sequence[int], what: str
) -> Sequence[int]:
    if names is None or other.names is None:
        if names is not other.names or other.n_columns != n_columns:
            raise ShapeError(
                f"{what} has {other.n_columns} columns and {called} {n_columns}, or only one names its columns. "
                "What is read together must agree."
            )
        return positions
    try:
        return positions_of([names[i] for i in positions], other.names, other.n_columns, what)
    except ColumnError as error:
        raise ColumnError(
            f"{error} What is read together must share the columns in use: name the shared ones in features=[...]."
        ) from error


@final
class Aligned(Wrapped):
    """A table that is asked for columns by the positions that they have in another.

    Parameters
    ----------
    first : Table
        Whose positions count; only its names are looked at.
    table : Table
        Whose rows are read.
    """

    def __init__(self, first: Table, table: Table) -> None:
        super().__init__(table)
        self._names, self._n_columns, self._called = first.names, first.n_columns, first.description

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the first table's columns."""
        return self._names

    @property
    def n_columns(self) -> int:
        """Number of the first table's columns."""
        return self._n_columns

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once."""
        wanted = [*features] if weight is None else [*features, weight]
        places = _places(self._names, self._n_columns, self._called, self._table, wanted, self._table.description)
        return self._table.read(places[: len(features)], None if weight is None else places[-1])
