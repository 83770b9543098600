"""Tables that are read one under the other: where each keeps the columns that the first one has."""

from __future__ import annotations

from collections.abc import Sequence

from gaussmix.data.columns import positions_of
from gaussmix.data.table import Table
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
    if first.names is None or other.names is None:
        if first.names is not other.names or other.n_columns != first.n_columns:
            raise ShapeError(
                f"{what} has {other.n_columns} columns and {first.description} {first.n_columns}, or only one names "
                "its columns. What is read together must agree."
            )
        return positions
    try:
        return positions_of([first.names[i] for i in positions], other.names, other.n_columns, what)
    except ColumnError as error:
        raise ColumnError(
            f"{error} What is read together must share the columns in use: name the shared ones in features=[...]."
        ) from error
