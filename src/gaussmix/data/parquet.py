"""Parquet files: only the columns in use are read, a stretch of rows at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import final

from gaussmix.data.arrow import ArrowTable, Columns, unreadable
from gaussmix.data.table import PART_ROWS, Part, Wrapped

STREAMED_BYTES = 2**18
"""Bytes of a column that are held at once; without this, whole row groups are read ahead."""

ROWS_DECODED = 2**15
"""Rows that are decoded at once: as many as one thread computes at a time, so that they are still in its cache."""


@final
class ParquetTable(Wrapped):
    """The columns of a Parquet file, or of some of its row groups; only its foot is read at first.

    Parameters
    ----------
    path : Path
    groups : range, optional
        The row groups; all by default.

    Raises
    ------
    SourceError
        If it is damaged or no Parquet file.
    """

    def __init__(self, path: Path, groups: range | None = None) -> None:
        import pyarrow.parquet as parquet

        self._path = path
        with unreadable(str(path)), parquet.ParquetFile(path) as file:
            schema, foot = file.schema_arrow, file.metadata
            self._groups = range(foot.num_row_groups) if groups is None else groups
            self._rows = [foot.row_group(i).num_rows for i in self._groups]
            self._bytes = [_column_bytes(foot, i, len(schema)) for i in self._groups]
        self._names = tuple(schema.names)
        super().__init__(ArrowTable(schema, self._batches, sum(self._rows), str(path)))

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Compressed bytes of the columns at `positions`."""
        return sum(group[i] for group in self._bytes for i in positions)

    def place(self, row: int) -> str:
        """Say where a row stands: also in which row group."""
        return f"row {row} (counting from 0) of {self._path}, row group {self._group_of(row)}"

    def parts(self, positions: Sequence[int]) -> list[Part]:
        """Return the row groups, small ones together."""
        parts: list[Part] = []
        first, rows = self._groups.start, 0
        for group, count in zip(self._groups, self._rows, strict=True):
            rows += count
            if rows >= PART_ROWS or group == self._groups[-1]:
                parts.append(Part(ParquetTable(self._path, range(first, group + 1)), rows))
                first, rows = group + 1, 0
        return parts

    def _group_of(self, row: int) -> int:
        return self._groups[min(bisect_right(list(accumulate(self._rows)), row), len(self._groups) - 1)]

    def _about(self, row: int) -> str:
        """Say where the batch that begins at `row` stands: it may go on into the next row groups."""
        first, last = self._group_of(row), self._group_of(row + ROWS_DECODED - 1)
        groups = f"row group {first}" if first == last else f"row groups {first} to {last}"
        return f" from row {row} on, in {groups}"

    def _batches(self, positions: Sequence[int]) -> Columns:
        import pyarrow.parquet as parquet

        wanted = [self._names[i] for i in positions]
        read = 0
        with parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=STREAMED_BYTES) as file:
            batches = file.iter_batches(ROWS_DECODED, row_groups=list(self._groups), columns=wanted, use_threads=False)
            while True:
                with unreadable(str(self._path), self._about(read)):
                    batch = next(batches, None)
                if batch is None:
                    return
                read += batch.num_rows
                yield [batch.column(name) for name in wanted]


def _column_bytes(foot: object, group: int, n_columns: int) -> list[int]:
    """Compressed bytes of each column in one row group; of nested columns, which have several leaves, nothing."""
    found = foot.row_group(group)  # pyright: ignore[reportAttributeAccessIssue]
    if found.num_columns != n_columns:
        return [0] * n_columns
    return [found.column(i).total_compressed_size for i in range(n_columns)]
