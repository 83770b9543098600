"""Parquet files: only the columns in use are read, a stretch of rows at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import final

from gaussmix.data import arrow
from gaussmix.data.table import PART_ROWS, Part, Rows, Wrapped

STREAMED_BYTES = 2**16
"""Bytes of a column that are read ahead, where otherwise whole row groups were.

Fewer than most pages have: what is longer is read to where it is decompressed from, and not by way of this buffer. A
memory map is no faster, once its pages are given back: the system takes as long to map them again as to copy them.
"""

ROWS_DECODED = 40_000
"""Rows that are decoded at once: those of two of pyarrow's pages, so that most pages end where a batch does."""

ROWS_HANDED_OUT = 2**15
"""Rows of a stretch: as many as one thread computes at a time."""


@final
class ParquetTable(Wrapped):
    """The columns of a Parquet file, or of some of its row groups; only its foot is read at first.

    Parameters
    ----------
    path : Path
    groups : range, optional
        The row groups; all by default.
    before : int
        Rows of the file before these groups.
    skip : int
        Rows of the first of them that are left out.

    Raises
    ------
    SourceError
        If it is damaged or no Parquet file.
    """

    def __init__(self, path: Path, groups: range | None = None, before: int = 0, skip: int = 0) -> None:
        import pyarrow.parquet as parquet

        self._path, self._before, self._skip = path, before, skip
        with arrow.unreadable(str(path)), parquet.ParquetFile(path) as file:
            self._schema, foot = file.schema_arrow, file.metadata
            self._groups = range(foot.num_row_groups) if groups is None else groups
            self._rows = [foot.row_group(i).num_rows for i in self._groups]
            self._bytes = [_column_bytes(foot, i, len(self._schema)) for i in self._groups]
        self._ends = list(accumulate(self._rows))
        n_rows = self._ends[-1] - skip if self._ends else 0
        super().__init__(arrow.ArrowTable(self._schema, self._pieces, n_rows, str(path)))

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Compressed bytes of the columns at `positions`."""
        return sum(group[i] for group in self._bytes for i in positions)

    def place(self, row: int) -> str:
        """Say where a row stands: also in which row group."""
        inside = self._skip + row
        return f"row {self._before + inside} (counting from 0) of {self._path}, row group {self._group_of(inside)}"

    def parts(self, positions: Sequence[int]) -> list[Part]:
        """Return the row groups, small ones together."""
        parts: list[Part] = []
        first, rows, before, skip = self._groups.start, -self._skip, self._before, self._skip
        for group, count in zip(self._groups, self._rows, strict=True):
            rows += count
            if rows >= PART_ROWS or group == self._groups[-1]:
                parts.append(Part(ParquetTable(self._path, range(first, group + 1), before, skip), rows))
                first, rows, before, skip = group + 1, 0, before + rows + skip, 0
        return parts

    def after(self, row: int) -> ParquetTable | None:
        """Return the rows from one on, where it is one of the first in its row group."""
        if self._skip or not self._ends:
            return None
        group = self._group_of(row)
        begin = self._ends[group - self._groups.start] - self._rows[group - self._groups.start]
        if row - begin >= ROWS_HANDED_OUT:
            return None
        return ParquetTable(self._path, range(group, self._groups.stop), self._before + begin, row - begin)

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows, as many at a time as one thread computes."""
        wanted = [*features] if weight is None else [*features, weight]
        n_rows = sum(self._rows) - self._skip
        rows = min(ROWS_HANDED_OUT, n_rows, arrow.ROWS_PER_READ)
        dtype = arrow.float_type(self._schema, features)
        found = arrow.stretches(self._pieces(wanted), rows, dtype, weight is not None)
        read = 0
        while True:
            with arrow.unreadable(str(self._path), self._about(self._skip + read)):
                stretch = next(found, None)
                if stretch is None and read < n_rows:
                    raise OSError(f"it ends after {read} of {n_rows} rows")
            if stretch is None:
                return
            read += len(stretch[0])
            yield stretch

    def _group_of(self, row: int) -> int:
        return self._groups[min(bisect_right(self._ends, row), len(self._groups) - 1)]

    def _about(self, row: int) -> str:
        """Say where the stretch that begins at `row` stands: it may go on into the next row groups."""
        first, last = self._group_of(row), self._group_of(row + ROWS_HANDED_OUT - 1)
        last = next(groups[-1] for groups in self._read_together() if groups[-1] >= last)
        groups = f"row group {first}" if first == last else f"row groups {first} to {last}"
        return f" from row {self._before + row} on, in {groups}"

    def _pieces(self, positions: Sequence[int]) -> arrow.Columns:
        """Read columns once, a batch of all of them at a time."""
        import pyarrow.parquet as parquet

        names = [self._schema.names[i] for i in positions]
        skip = self._skip
        with parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=STREAMED_BYTES) as file:
            for groups in self._read_together():
                for batch in file.iter_batches(ROWS_DECODED, row_groups=groups, columns=names, use_threads=False):
                    left = batch.slice(skip) if skip else batch
                    skip -= batch.num_rows - left.num_rows
                    yield [left.column(name) for name in names]

    def _read_together(self) -> Iterator[list[int]]:
        """Yield row groups, small ones with neighbours; of a batch from two large ones no error tells which it is."""
        some: list[int] = []
        rows = 0
        for group, count in zip(self._groups, self._rows, strict=True):
            if some and rows + count > ROWS_HANDED_OUT:
                yield some
                some, rows = [], 0
            some.append(group)
            rows += count
        if some:
            yield some


def _column_bytes(foot: object, group: int, n_columns: int) -> list[int]:
    """Compressed bytes of each column in one row group; of nested columns, which have several leaves, nothing."""
    found = foot.row_group(group)  # pyright: ignore[reportAttributeAccessIssue]
    if found.num_columns != n_columns:
        return [0] * n_columns
    return [found.column(i).total_compressed_size for i in range(n_columns)]
