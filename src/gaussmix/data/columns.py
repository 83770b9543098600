"""Which columns are meant, by name or position, and the refusal of those that are not numbers."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from shlex import quote
from typing import SupportsIndex

from gaussmix.data.table import Refusal, Table
from gaussmix.errors import ColumnError, EmptyDataError, NotNumericError

Features = Iterable[str | SupportsIndex] | str | int
"""One or several columns, each by its name or by its position counted from 0."""

LISTED = 12
"""Names that a message lists before it says how many more there are."""


def positions_of(
    features: Features, names: tuple[str, ...] | None, n_columns: int, description: str
) -> tuple[int, ...]:
    """Positions of the columns named in `features`, in that order.

    Raises
    ------
    ColumnError
        If one is unknown, ambiguous or repeated, or if none is named.
    """
    wanted: list[str | SupportsIndex] = [features] if isinstance(features, str | int) else list(features)
    if not wanted:
        raise ColumnError("features is empty; name at least one column, or leave it out to use them all.")
    places = _places(names or ())
    positions = [
        _position_of_name(feature, names, places, description)
        if isinstance(feature, str)
        else _position(feature, n_columns, description)
        for feature in wanted
    ]
    repeated = [position for position, count in Counter(positions).items() if count > 1]
    if repeated:
        which = ", ".join(repr(names[i]) if names is not None else str(i) for i in repeated)
        raise ColumnError(f"features names column {which} more than once. Name every column once.")
    return tuple(positions)


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    """Where every name stands, perhaps more than once."""
    places: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        places.setdefault(name, []).append(i)
    return places


def _position_of_name(name: str, names: tuple[str, ...] | None, places: dict[str, list[int]], description: str) -> int:
    if names is None:
        raise ColumnError(
            f"{description} carries no column names, so {name!r} cannot be found. "
            "Give positions counted from 0, or a dataframe."
        )
    found = places.get(name, [])
    if len(found) > 1:
        raise ColumnError(f"{description} has {len(found)} columns called {name!r}. Give every column its own name.")
    if found:
        return found[0]
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"Did you mean {', '.join(map(repr, close))}?" if close else f"There are: {listed(names)}."
    raise ColumnError(f"{description} has no column {name!r}. {hint}")


def _position(feature: SupportsIndex, n_columns: int, description: str) -> int:
    try:
        if isinstance(feature, bool):
            raise TypeError
        position = operator.index(feature)
    except TypeError:
        raise ColumnError(
            f"features contains {feature!r} ({type(feature).__name__}); expected column names or positions."
        ) from None
    if not 0 <= position < n_columns:
        raise ColumnError(
            f"{description} has {n_columns} columns, and no column {position}: positions run from 0 to {n_columns - 1}."
        )
    return position


def choose_features(table: Table, features: Features | None, weight: int | None) -> tuple[int, ...]:
    """Positions of the wanted features: all columns but the weights where `features` is None.

    Raises
    ------
    ColumnError
        If a feature is unknown, ambiguous, repeated or at the same time the weight.
    EmptyDataError
        If no column is left.
    NotNumericError
        If one of them does not hold numbers.
    """
    if features is None:
        chosen = tuple(i for i in table.usual if i != weight)
        _require_distinct(table, chosen)
    else:
        chosen = positions_of(features, table.names, table.n_columns, table.description)
        _require_distinct(table, chosen)
    if weight is not None and weight in chosen:
        raise ColumnError(
            f"column {table.label(weight)} holds the weights, so it cannot be a feature too. Leave it out of features."
        )
    if not chosen:
        raise EmptyDataError(f"{table.description} has no feature columns. Give data with at least one.")
    require_numbers(table, chosen)
    return chosen


def _require_distinct(table: Table, chosen: Sequence[int]) -> None:
    """Refuse features that share a name: a model could not tell them apart again."""
    counts = Counter(table.names[i] for i in chosen) if table.names is not None else Counter[str]()
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ColumnError(
            f"{table.description} has several columns called {listed(repeated)}. "
            "Rename them, or choose columns with features=[...]."
        )


def require_numbers(table: Table, chosen: Sequence[int], cure: str | None = None) -> None:
    """Refuse columns that do not hold numbers; `cure` says what to do where leaving them out is none.

    Raises
    ------
    NotNumericError
        Naming all of them, their types, one value of each, and the columns that can be used.
    """
    refusals = table.refusals(chosen)
    if not refusals:
        return
    refused = {refusal.position for refusal in refusals}
    usable = [i for i in chosen if i not in refused]
    found = "; ".join(_describe(table, refusal) for refusal in refusals[:LISTED])
    if len(refusals) > LISTED:
        found += f"; and {len(refusals) - LISTED} more"
    raise NotNumericError(f"{table.description}: not numeric: {found}. {cure or _cure(table, usable)}")


def _describe(table: Table, refusal: Refusal) -> str:
    example = "" if refusal.example is None else f", for example {refusal.example}"
    return f"column {table.label(refusal.position)} ({refusal.kind}{example})"


def _cure(table: Table, usable: Sequence[int]) -> str:
    if not usable:
        return "Gaussian mixtures need at least one numeric column; convert the column to numbers."
    if table.names is None:
        return f"Leave them out with features={list(usable)}, or convert them to numbers."
    names = [table.names[i] for i in usable]
    if len(names) > 3 * LISTED:
        return "Name the numeric columns in features=[...] (command line: --features), or convert these."
    return (
        f"Leave them out with features={names} (command line: --features {quote(','.join(names))}), "
        "or convert them to numbers."
    )


def listed(names: Sequence[str]) -> str:
    """Write names out, the first dozen of them."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(repr(name) for name in names[:LISTED]) + more
