"""How a delimited text file is written: its delimiter, header and decimal mark, from its first rows."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, cast, final

from gaussmix.errors import EmptyDataError, SourceError

SAMPLED_ROWS = 200
"""Rows that are looked at before a file is read."""

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "-nan", "null", "NULL", "None", "<NA>", "?")
"""Cells that mean: no value here."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)

DAMAGED = (OSError, EOFError, csv.Error, zlib.error)
"""What reading a damaged text file may raise."""

Record = tuple[int, list[str]]
"""The line a row begins on, counted from 1, and its cells."""


@final
@dataclass(frozen=True)
class Layout:
    """How the cells of a text file are found.

    Parameters
    ----------
    delimiter : str
        One character.
    decimal : str
        '.' or ','.
    names : tuple of str
        Column names from the header, or column_1 and so on where there is none.
    header : bool
        Whether the first line holds names.
    skipped : int
        Lines before the first row of data.
    sample : tuple of records
        The first rows of data.
    """

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    header: bool
    skipped: int
    sample: tuple[Record, ...]


def is_missing(cell: str) -> bool:
    """Whether a cell holds no value."""
    return cell.strip() in MISSING


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell holds a number written with the given decimal mark."""
    text = cell.strip()
    if decimal != ".":
        text = text.replace(".", "x").replace(decimal, ".")
    return _NUMBER.fullmatch(text) is not None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressing one whose name ends in .gz or .zst."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix.lower() == ".zst":
        import pyarrow as pa

        return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
    return path.open("rb")


def records(path: Path, delimiter: str) -> Iterator[Record]:
    """Read all rows of a file, skipping blank lines: slow, for samples and for finding what is wrong."""
    with open_bytes(path) as file:
        text = TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        line = 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def layout_of(path: Path) -> Layout:
    """Find out how a file is written.

    Raises
    ------
    EmptyDataError
        If it holds no rows.
    SourceError
        If it is no text in UTF-8, or its first rows differ in length.
    """
    try:
        _require_text(path)
        delimiter = _delimiter(path)
        rows = list(islice(records(path, delimiter), SAMPLED_ROWS))
    except DAMAGED as error:
        raise SourceError(f"{path} cannot be read as text: {error}. Write it again as UTF-8 CSV or Parquet.") from error
    if not rows:
        raise EmptyDataError(f"{path} is empty. Give a file with a header line and at least one row.")
    decimal = _decimal(rows, delimiter)
    header = _is_header(rows[0][1], decimal)
    data = rows[1:] if header else rows
    if not data:
        raise EmptyDataError(f"{path} holds a header and no rows. Give a file with at least one row.")
    _require_even(path, rows, delimiter)
    return Layout(delimiter, decimal, _names(rows[0][1], header), header, data[0][0] - 1, tuple(data))


def _require_text(path: Path) -> None:
    with open_bytes(path) as file:
        start = file.read(4096)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise SourceError(f"{path} is not text in UTF-8 (it may be UTF-16, or binary). Save it as UTF-8 CSV.")


def _delimiter(path: Path) -> str:
    """Return the character that cuts every sampled row into the same number of cells.

    A semicolon that does so wins over a comma, which is the decimal mark in such files.
    """
    widths = {mark: _widths(path, mark) for mark in ("\t", ";", ",", " ")}
    even = [mark for mark, found in widths.items() if found and found[0] > 1 and len(set(found)) == 1]
    if even:
        return even[0]
    if ".tsv" in path.suffixes:
        return "\t"
    return max((",", ";", "\t"), key=lambda mark: widths[mark][0] if widths[mark] else 0)


def _widths(path: Path, mark: str) -> list[int]:
    """Numbers of cells in the sampled rows; none where a wrong delimiter makes cells of absurd length."""
    try:
        return [len(cells) for _, cells in islice(records(path, mark), SAMPLED_ROWS)]
    except csv.Error:
        return []


def _decimal(rows: Sequence[Record], delimiter: str) -> str:
    """A comma, where it cannot be the delimiter and makes numbers of cells that are none with a point."""
    if delimiter == ",":
        return "."
    cells = [cell for _, row in rows for cell in row]
    return "," if any(is_number(cell, ",") and not is_number(cell) for cell in cells) else "."


def _is_header(cells: Sequence[str], decimal: str) -> bool:
    """Whether a first line names the columns; 0, 1, 2 ... are pandas' names for nameless columns."""
    counted = [str(i) for i in range(len(cells))]
    if len(cells) > 1 and (list(cells) == counted or list(cells) == ["", *counted[:-1]]):
        return True
    numbers = [is_number(cell, decimal) for cell in cells]
    return not (any(numbers) and all(n or is_missing(c) for n, c in zip(numbers, cells, strict=True)))


def _names(cells: Sequence[str], header: bool) -> tuple[str, ...]:
    return tuple((cell.strip() if header else "") or f"column_{i}" for i, cell in enumerate(cells, start=1))


def _require_even(path: Path, rows: Sequence[Record], delimiter: str) -> None:
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ragged(path, line, len(cells), width, delimiter)


def ragged(path: Path, line: int, found: int, expected: int, delimiter: str) -> SourceError:
    """Return the error for a row of another length than the first."""
    return SourceError(
        f"{path}, line {line}: {found} cells (separated by {delimiter!r}) where the first has {expected}. "
        "Repair the line, or quote cells that hold the separator."
    )
