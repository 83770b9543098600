"""Rows of a table in an SQLite database."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import final

import numpy as np

from gaussmix.data.source import Chunk, Source


@final
class SqliteRows(Source):
    """Columns of a table, in the order of its rows."""

    def __init__(self, path: str, table: str, columns: Sequence[str]) -> None:
        self._path, self._table, self._columns = path, table, tuple(columns)

    @property
    def n_features(self) -> int:
        return len(self._columns)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self._columns

    @property
    def description(self) -> str:
        return f"{self._path}:{self._table}"

    def chunks(self) -> Iterator[Chunk]:
        names = ", ".join(f'"{name}"' for name in self._columns)
        start = 0
        with closing(sqlite3.connect(self._path)) as connection:
            cursor = connection.execute(f'select {names} from "{self._table}" order by rowid')
            while rows := cursor.fetchmany(10_000):
                yield Chunk(np.array(rows, dtype=np.float64), None, start)
                start += len(rows)
