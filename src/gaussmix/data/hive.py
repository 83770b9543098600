"""Folders that say in their names what their rows have in common: `year=2024/month=5/part-0.parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final
from urllib.parse import unquote

import numpy as np

from gaussmix.data.layout import is_missing, is_number
from gaussmix.data.table import Part, Refusal, Rows, Table, Wrapped

NOTHING = "__HIVE_DEFAULT_PARTITION__"


def keys_of(file: Path, folder: Path) -> dict[str, str]:
    """Return what the names of the folders between `folder` and `file` say, by key."""
    pairs = (part.split("=", 1) for part in file.relative_to(folder).parts[:-1] if "=" in part)
    return {unquote(key): unquote(value) for key, value in pairs if key}


@final
class Keyed(Wrapped):
    """A file's table with the keys of its folders as columns behind its own.

    They can be named as features or weights where they are numbers, and are left aside otherwise. A key that is also
    the name of a column is the column.

    Parameters
    ----------
    table : Table
    keys : dict
        Values by key, as text.
    """

    def __init__(self, table: Table, keys: dict[str, str]) -> None:
        super().__init__(table)
        own = table.names or ()
        self._keys = {key: value for key, value in keys.items() if key not in own}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the file's columns, then the keys."""
        return (*(self._table.names or ()), *self._keys)

    @property
    def n_columns(self) -> int:
        """Number of both."""
        return self._table.n_columns + len(self._keys)

    @property
    def usual(self) -> Sequence[int]:
        """The file's own columns."""
        return self._table.usual

    def n_bytes(self, positions: Sequence[int]) -> int | None:
        """Bytes of the file's own columns."""
        return self._table.n_bytes([i for i in positions if i < self._table.n_columns])

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those of the file, and keys that are no numbers."""
        own = [i for i in positions if i < self._table.n_columns]
        values = list(self._keys.values())
        keys = ((i, values[i - self._table.n_columns]) for i in positions if i >= self._table.n_columns)
        texts = [Refusal(i, "text in a folder's name", repr(value)) for i, value in keys if not _is_readable(value)]
        return [*self._table.refusals(own), *texts]

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once, with the keys beside them."""
        width = self._table.n_columns
        own = [i for i in features if i < width]
        inner_weight = weight if weight is not None and weight < width else None
        if len(own) == len(features) and inner_weight == weight:
            yield from self._table.read(features, weight)
            return
        numbers = [_number(value) for value in self._keys.values()]
        # Without a column of its own, the file still has to tell how many rows there are.
        for x, weights in self._table.read(own or [0], inner_weight):
            rows = np.empty((len(x), len(features)), dtype=np.float64)
            for place, i in enumerate(features):
                rows[:, place] = x[:, own.index(i)] if i < width else numbers[i - width]
            if weight is not None and inner_weight is None:
                weights = np.full(len(x), numbers[weight - width])
            yield rows, weights

    def parts(self, positions: Sequence[int]) -> list[Part] | None:
        """Return the file's parts, with the same keys."""
        parts = self._table.parts([i for i in positions if i < self._table.n_columns])
        return None if parts is None else [part._replace(table=Keyed(part.table, self._keys)) for part in parts]

    def after(self, row: int) -> Keyed | None:
        """Return the file's rows from one on, with the same keys."""
        found = self._table.after(row)
        return None if found is None else Keyed(found, self._keys)


def _is_readable(value: str) -> bool:
    return value == NOTHING or is_missing(value) or is_number(value)


def _number(value: str) -> float:
    return float(value) if is_number(value) else np.nan
