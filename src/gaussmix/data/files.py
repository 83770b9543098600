"""Paths, folders and globs as tables."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import final

from gaussmix.data.array import npy_file
from gaussmix.data.arrow import ipc_file, parquet_file
from gaussmix.data.columns import positions_of
from gaussmix.data.delimited import DelimitedTable
from gaussmix.data.table import Refusal, Rows, Table
from gaussmix.errors import ColumnError, EmptyDataError, ShapeError, SourceError

READERS: dict[str, Callable[[Path], Table]] = {
    ".npy": npy_file,
    ".parquet": parquet_file,
    ".pq": parquet_file,
    ".arrow": ipc_file,
    ".feather": ipc_file,
    ".ipc": ipc_file,
    ".csv": DelimitedTable,
    ".tsv": DelimitedTable,
    ".txt": DelimitedTable,
}
GZIPPED = (".csv", ".tsv", ".txt")


def open_path(path: str | os.PathLike[str]) -> Table:
    """Open a file, a folder of Parquet files (at any depth), or what a glob matches, in the order of names.

    Raises
    ------
    SourceError
        If there is no such file, its kind is unknown, or it is damaged.
    EmptyDataError
        If a file holds no rows.
    """
    return concatenated([_Unchanged(_open_file(file), file) for file in _files(path)], os.fspath(path))


def _files(path: str | os.PathLike[str]) -> list[Path]:
    text = os.path.expanduser(os.fspath(path))  # noqa: PTH111 -- Path would fold 's3://' into 's3:/'
    if "://" in text:
        raise SourceError(f"{text} is a remote address; gaussmix reads local files. Download it first.")
    found = Path(text)
    if found.is_dir():
        return _parquet_files(found)
    if found.exists():
        return [found]
    if glob.has_magic(text):
        matches = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 -- absolute too
        matches = [match for match in matches if match.is_file()]
        if matches:
            return matches
        raise SourceError(f"no file matches {text}. Check the pattern; ** stands for folders at any depth.")
    raise _not_found(found)


def _parquet_files(folder: Path) -> list[Path]:
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix in (".parquet", ".pq")
        and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )
    if files:
        return files
    others = sorted({file.suffix for file in folder.iterdir() if file.suffix in READERS})
    hint = f"Give a glob, such as {folder / ('*' + others[0])}." if others else "Give a file, or another folder."
    raise SourceError(f"{folder} is a folder without Parquet files. {hint}")


def _not_found(path: Path) -> SourceError:
    if not path.parent.is_dir():
        return SourceError(f"there is no file {path}: its folder {path.parent} does not exist. Check the path.")
    close = get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=3)
    hint = f"Did you mean {', '.join(close)}?" if close else "Check the path."
    return SourceError(f"there is no file {path}. {hint}")


def _open_file(path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        inner = Path(path.stem).suffix.lower()
        suffix = inner if inner in GZIPPED else inner + suffix
    reader = READERS.get(suffix)
    if reader is None:
        raise SourceError(
            f"{path}: files ending in {suffix!r} cannot be read. "
            f"Give one of {', '.join(READERS)} (.csv, .tsv and .txt also with .gz), or an array or dataframe."
        )
    if path.stat().st_size == 0:
        raise EmptyDataError(f"{path} is empty (0 bytes). Write it again.")
    return reader(path)


@final
class _Unchanged(Table):
    """A file's table that refuses to go on when the file is written to between two readings."""

    def __init__(self, table: Table, path: Path) -> None:
        self._table = table
        self._path = path
        self._stamp = _stamp(path)

    @property
    def description(self) -> str:
        return self._table.description

    @property
    def names(self) -> tuple[str, ...] | None:
        return self._table.names

    @property
    def n_columns(self) -> int:
        return self._table.n_columns

    @property
    def n_rows(self) -> int | None:
        return self._table.n_rows

    @property
    def ready(self) -> bool:
        return self._table.ready

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        return self._table.refusals(positions)

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        try:
            unchanged = _stamp(self._path) == self._stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise SourceError(
                f"{self._path} was changed or removed since it was opened, so its rows may differ. "
                "Start again, on a file that nobody is writing."
            )
        return self._table.read(features, weight)


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def concatenated(tables: Sequence[Table], description: str) -> Table:
    """Return several tables as one, row under row; a single one is returned as it is."""
    return tables[0] if len(tables) == 1 else _Concatenated(tables, description)


@final
class _Concatenated(Table):
    """Tables one after another; columns are those of the first, found in the others by name."""

    def __init__(self, tables: Sequence[Table], description: str) -> None:
        self._tables = tables
        self._description = description

    @property
    def description(self) -> str:
        return f"{self._description} ({len(self._tables)} files)"

    @property
    def names(self) -> tuple[str, ...] | None:
        return self._tables[0].names

    @property
    def n_columns(self) -> int:
        return self._tables[0].n_columns

    @property
    def n_rows(self) -> int | None:
        total = 0
        for table in self._tables:
            if table.n_rows is None:
                return None
            total += table.n_rows
        return total

    @property
    def ready(self) -> bool:
        return all(table.ready for table in self._tables)

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those of the first file that has any; the kind names the file."""
        for table in self._tables:
            places = self._places(table, positions)
            refused = table.refusals(places)
            if refused:
                back = dict(zip(places, positions, strict=True))
                return [Refusal(back[r.position], f"{r.kind} in {table.description}", r.example) for r in refused]
        return []

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        for table in self._tables:
            places = self._places(table, [*features] if weight is None else [*features, weight])
            yield from table.read(places[: len(features)], None if weight is None else places[-1])

    def _places(self, table: Table, positions: Sequence[int]) -> Sequence[int]:
        """Where one file keeps the columns that stand at `positions` in the first."""
        if self.names is None or table.names is None:
            if self.names is not table.names or table.n_columns != self.n_columns:
                raise ShapeError(
                    f"{table.description} has {table.n_columns} columns and {self._tables[0].description} "
                    f"{self.n_columns}, or only one names its columns. Files read together must agree."
                )
            return positions
        try:
            wanted = [self.names[i] for i in positions]
            return positions_of(wanted, table.names, table.n_columns, table.description)
        except ColumnError as error:
            raise ColumnError(
                f"{error} Files read together must share the columns in use: name the shared ones in features=[...]."
            ) from error
