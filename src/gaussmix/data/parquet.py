"""Parquet files: only the columns in use are read, a stretch of rows at a time."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, final

from gaussmix.data import arrow
from gaussmix.data.pages import PlainColumn, UnexpectedPageError, plain_pages, plain_rows
from gaussmix.data.table import PART_ROWS, Part, Rows, Wrapped
from gaussmix.data.thrift import MalformedError

STREAMED_BYTES = 2**18
"""Bytes of a column that are held at once; without this, whole row groups are read ahead."""

ROWS_DECODED = 20_000
"""Rows that are decoded at once: those of one of pyarrow's pages, so that they are still in the cache when gathered."""

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

    Raises
    ------
    SourceError
        If it is damaged or no Parquet file.
    """

    def __init__(self, path: Path, groups: range | None = None) -> None:
        import pyarrow.parquet as parquet

        self._path = path
        with arrow.unreadable(str(path)), parquet.ParquetFile(path) as file:
            self._schema, foot = file.schema_arrow, file.metadata
            self._groups = range(foot.num_row_groups) if groups is None else groups
            self._rows = [foot.row_group(i).num_rows for i in self._groups]
            self._bytes = [_column_bytes(foot, i, len(self._schema)) for i in self._groups]
        super().__init__(arrow.ArrowTable(self._schema, self._pieces, sum(self._rows), str(path)))

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

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows, as many at a time as one thread computes."""
        wanted = [*features] if weight is None else [*features, weight]
        rows = min(ROWS_HANDED_OUT, sum(self._rows), arrow.ROWS_PER_READ)
        dtype = arrow.float_type(self._schema, features)
        found = arrow.stretches(self._pieces(wanted), rows, dtype, weight is not None)
        read = 0
        while True:
            with arrow.unreadable(str(self._path), self._about(read)):
                stretch = next(found, None)
            if stretch is None:
                return
            read += len(stretch[0])
            yield stretch

    def _group_of(self, row: int) -> int:
        return self._groups[min(bisect_right(list(accumulate(self._rows)), row), len(self._groups) - 1)]

    def _about(self, row: int) -> str:
        """Say where the stretch that begins at `row` stands: it may go on into the next row groups."""
        first, last = self._group_of(row), self._group_of(row + ROWS_HANDED_OUT - 1)
        groups = f"row group {first}" if first == last else f"row groups {first} to {last}"
        return f" from row {row} on, in {groups}"

    def _pieces(self, positions: Sequence[int]) -> arrow.Columns:
        """Read columns once, in pieces of any lengths: Arrow's arrays, or NumPy's of what needs no decoding."""
        import pyarrow.parquet as parquet

        with (
            parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=STREAMED_BYTES) as decoder,
            self._path.open("rb", buffering=0) as file,
        ):
            state = os.fstat(file.fileno())
            plain = plain_pages(self._path, state.st_size, state.st_mtime_ns)
            reading = _Reading(decoder, file, positions, [self._schema.names[i] for i in positions])
            flat = decoder.metadata.num_columns == len(self._schema)  # nested columns have several parts
            for groups, n_rows in self._spans():
                found = None
                if flat and len(groups) == 1 and n_rows >= ROWS_HANDED_OUT:
                    found = plain.columns(file, decoder.metadata, groups[0], positions)
                yield from reading.decoded(groups, n_rows) if found is None else reading.mixed(groups, n_rows, found)

    def _spans(self) -> Iterator[tuple[list[int], int]]:
        """Yield row groups and the number of their rows: large ones alone, small ones together with neighbours."""
        some: list[int] = []
        rows = 0
        for group, count in zip(self._groups, self._rows, strict=True):
            if some and max(rows, count) >= ROWS_HANDED_OUT:
                yield some, rows
                some, rows = [], 0
            if count:
                some.append(group)
                rows += count
        if some:
            yield some, rows


class _Reading(NamedTuple):
    """The ways to read some columns of an open file."""

    decoder: Any
    file: FileIO
    positions: Sequence[int]
    names: Sequence[str]

    def decoded(self, groups: Sequence[int], n_rows: int, first: int = 0) -> arrow.Columns:
        """Have pyarrow read the rows of some row groups, from `first` to before `n_rows`."""
        at_once = -(-n_rows // -(-n_rows // ROWS_DECODED))  # so that hardly more than those are decoded
        batches = self.decoder.iter_batches(at_once, row_groups=groups, columns=self.names, use_threads=False)
        row = 0
        for batch in batches:
            if row + batch.num_rows > first:
                part = slice(max(0, first - row), n_rows - row)
                yield [batch.column(name)[part] for name in self.names]
            row += batch.num_rows
            if row >= n_rows:
                return
        raise OSError(f"it ends after {row} of {n_rows} rows")

    def mixed(self, group: Sequence[int], n_rows: int, plain: Sequence[PlainColumn]) -> arrow.Columns:
        """Read a row group whose last pages need no decoding; what is not as expected there, pyarrow decodes."""
        import pyarrow as pa

        row = max(column.first for column in plain)
        if row:
            yield from self.decoded(group, row)
        try:
            for piece in plain_rows(self.file, plain, row, n_rows):
                yield piece
                row += len(piece[0])
        except (UnexpectedPageError, MalformedError, pa.ArrowException, OSError):
            yield from self.decoded(group, n_rows, row)


def _column_bytes(foot: object, group: int, n_columns: int) -> list[int]:
    """Compressed bytes of each column in one row group; of nested columns, which have several leaves, nothing."""
    found = foot.row_group(group)  # pyright: ignore[reportAttributeAccessIssue]
    if found.num_columns != n_columns:
        return [0] * n_columns
    return [found.column(i).total_compressed_size for i in range(n_columns)]
