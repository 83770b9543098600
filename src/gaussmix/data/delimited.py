"""Delimited text files (CSV and its kin), read block by block through pyarrow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from gaussmix.data.arrow import floats, matrix, unreadable
from gaussmix.data.layout import DAMAGED, MISSING, Layout, is_missing, is_number, layout_of, ragged, records
from gaussmix.data.table import Refusal, Rows, Table
from gaussmix.errors import DataError, DataWarning, NotNumericError, SourceError

BLOCK_BYTES = 2**20
"""Text that pyarrow parses at once; larger blocks were no quicker, and several are read ahead."""

CELL_BYTES = 64
"""A generous mean size of a cell in a very wide file."""


@final
class DelimitedTable(Table):
    """The columns of a text file, all of them to be read as float64.

    The delimiter (comma, semicolon, tab, or single spaces), the header and the decimal mark are found from
    the first rows. Empty cells and the usual words for nothing (NA, NaN, null, ?) are missing values.

    Parameters
    ----------
    path : Path
        `.csv`, `.tsv` or `.txt`, or one of these with `.gz` or `.zst` added.

    Raises
    ------
    EmptyDataError
        If there are no rows.
    SourceError
        If it is no text, or its rows differ in length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._layout = layout_of(path)
        _warn_about(self._layout, path)

    @property
    def description(self) -> str:
        """The path."""
        return str(self._path)

    @property
    def names(self) -> tuple[str, ...]:
        """Names from the header, or column_1 and so on."""
        return self._layout.names

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self._layout.names)

    @property
    def n_rows(self) -> None:
        """Only reading tells."""
        return None

    @property
    def ready(self) -> bool:
        """Text has to be parsed."""
        return False

    @property
    def costly(self) -> bool:
        """Text is parsed once where its numbers do not fit into memory."""
        return True

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Bytes of the file: all of it has to be parsed."""
        return self._path.stat().st_size

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns in whose first 200 rows something else than a number stands."""
        found = ((i, self._first_text(i)) for i in positions)
        return [Refusal(i, "text", f"{text!r:.60}") for i, text in found if text is not None]

    def _first_text(self, position: int) -> str | None:
        cells = (row[position] for _, row in self._layout.sample)
        return next((cell for cell in cells if not self._is_readable(cell)), None)

    def _is_readable(self, cell: str) -> bool:
        return is_missing(cell) or is_number(cell, self._layout.decimal)

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once, a megabyte of text at a time.

        Raises
        ------
        NotNumericError
            If a cell is not a number; the message names its line.
        SourceError
            If rows differ in length or the file is damaged.
        """
        import pyarrow as pa

        wanted = [*features] if weight is None else [*features, weight]
        dtype = np.dtype(np.float64)
        with unreadable(self.description):
            try:
                for batch in self._batches(wanted):
                    columns = batch.columns
                    weights = None if weight is None else floats(columns.pop())
                    yield matrix(columns, dtype), weights
            except pa.ArrowInvalid as error:
                raise self._explain(wanted, error) from error

    def _batches(self, wanted: Sequence[int]) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        layout = self._layout
        keys = [str(i) for i in range(self.n_columns)]  # positions, since names may be repeated
        chosen = [str(i) for i in wanted]
        block = max(BLOCK_BYTES, CELL_BYTES * self.n_columns)  # no line may be longer than a block
        spaced = [*MISSING, *(f" {word}" for word in MISSING), *(f"{word} " for word in MISSING)]
        reader = arrow_csv.open_csv(
            self._path,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=block, column_names=keys, skip_rows=layout.skipped
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, pa.float64()),
                include_columns=chosen,
                null_values=spaced,
                decimal_point=layout.decimal,
            ),
        )
        yield from reader

    def _explain(self, wanted: Sequence[int], error: Exception) -> DataError:
        """Look for the line that pyarrow refused: slow, but exact, and only on the way to an error."""
        width, path = self.n_columns, self._path
        try:
            for line, cells in records(path, self._layout.delimiter):
                if line <= self._layout.skipped:
                    continue
                if len(cells) != width:
                    return ragged(path, line, len(cells), width, self._layout.delimiter)
                for i in wanted:
                    if not self._is_readable(cells[i]):
                        return self._not_numeric(line, i, cells[i])
        except DAMAGED:
            pass  # pyarrow's own words, below, are then the best there are
        return SourceError(f"{path} cannot be read: {error}. Write it again as CSV in UTF-8, or as Parquet.")

    def _not_numeric(self, line: int, position: int, cell: str) -> NotNumericError:
        return NotNumericError(
            f"{self._path}, line {line}, column {self.label(position)}: {cell!r:.60} is not a number. "
            "Repair the cell (leave it empty if the value is missing), or leave the column out with "
            "features=[...] (command line: --features)."
        )


def _warn_about(layout: Layout, path: Path) -> None:
    if not layout.header:
        warnings.warn(
            f"{path} begins with a row of numbers, so it is read as having no header; its columns are called "
            f"{layout.names[0]} to {layout.names[-1]}. Add a header line if the first row is one.",
            DataWarning,
            stacklevel=2,
        )
