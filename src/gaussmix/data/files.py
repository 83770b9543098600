"""Paths, folders and globs as tables."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import final

from gaussmix.data.aligned import Aligned, places_of
from gaussmix.data.array import NpyTable
from gaussmix.data.delimited import DelimitedTable
from gaussmix.data.hive import Keyed, keys_of
from gaussmix.data.ipc import IpcTable
from gaussmix.data.parquet import ParquetTable
from gaussmix.data.table import Part, Refusal, Rows, Table, Wrapped
from gaussmix.errors import EmptyDataError, SourceError

READERS: dict[str, Callable[[Path], Table]] = {
    ".npy": NpyTable,
    ".parquet": ParquetTable,
    ".pq": ParquetTable,
    ".arrow": IpcTable,
    ".feather": IpcTable,
    ".ipc": IpcTable,
    ".csv": DelimitedTable,
    ".tsv": DelimitedTable,
    ".txt": DelimitedTable,
}
COMPRESSIONS = (".gz", ".zst")
COMPRESSED = (".csv", ".tsv", ".txt")


def open_path(path: str | os.PathLike[str]) -> Table:
    """Open a file, a folder of Parquet files (at any depth), or what a glob matches, in the order of names.

    Raises
    ------
    SourceError
        If there is no such file, its kind is unknown, or it is damaged.
    EmptyDataError
        If a file holds no rows.
    """
    text = os.path.expanduser(os.fspath(path))  # noqa: PTH111 -- Path would fold 's3://' into 's3:/'
    tables = [(_Unchanged(_open_file(file), file), file) for file in _files(text)]
    folder = Path(text)
    if not folder.is_dir():
        return concatenated([table for table, _ in tables], os.fspath(path))
    return concatenated([_keyed(table, keys_of(file, folder)) for table, file in tables], os.fspath(path))


def _keyed(table: Table, keys: dict[str, str]) -> Table:
    return Keyed(table, keys) if keys else table


def _files(text: str) -> list[Path]:
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
    if suffix in COMPRESSIONS:
        inner = Path(path.stem).suffix.lower()
        suffix = inner if inner in COMPRESSED else inner + suffix
    reader = READERS.get(suffix)
    if reader is None:
        raise SourceError(
            f"{path}: files ending in {suffix!r} cannot be read. "
            f"Give one of {', '.join(READERS)} (.csv, .tsv and .txt also with .gz or .zst), or an array or dataframe."
        )
    if path.stat().st_size == 0:
        raise EmptyDataError(f"{path} is empty (0 bytes). Write it again.")
    return reader(path)


@final
class _Unchanged(Wrapped):
    """A file's table that refuses to go on when the file is written to between or during two readings."""

    def __init__(self, table: Table, path: Path, stamp: tuple[int, int] | None = None) -> None:
        super().__init__(table)
        self._path = path
        self._stamp = stamp or _stamp(path)

    @property
    def identity(self) -> str:
        """The file's name, size and time of change."""
        return f"{self._path.resolve()} {self._stamp}"

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows once."""
        self.require_unchanged()
        yield from self._table.read(features, weight)
        self.require_unchanged()

    def parts(self, positions: Sequence[int]) -> list[Part] | None:
        """Return the file's parts, each to be refused when the file has changed."""
        parts = self._table.parts(positions)
        if parts is None:
            return None
        return [part._replace(table=_Unchanged(part.table, self._path, self._stamp)) for part in parts]

    def after(self, row: int) -> _Unchanged | None:
        """Return the file's rows from one on, to be refused when the file has changed."""
        found = self._table.after(row)
        return None if found is None else _Unchanged(found, self._path, self._stamp)

    def require_unchanged(self) -> None:
        """Compare size and time of change."""
        try:
            unchanged = _stamp(self._path) == self._stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise SourceError(
                f"{self._path} was changed or removed since it was opened, so its rows may differ. "
                "Start again, on a file that nobody is writing."
            )


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def concatenated(tables: Sequence[Table], description: str) -> Table:
    """Return several tables as one, row under row; a single one is returned as it is."""
    return tables[0] if len(tables) == 1 else _Concatenated(tables, description)


@final
class _Concatenated(Wrapped):
    """Tables one after another; columns are those of the first, found in the others by name.

    The rows of some more are `known`: of these is looked only whether they have changed.
    """

    def __init__(self, tables: Sequence[Table], description: str, known: Sequence[Table] = ()) -> None:
        super().__init__(tables[0])
        self._tables, self._known = tables, known
        self._description = description

    @property
    def description(self) -> str:
        return f"{self._description} ({len(self._tables)} files)"

    @property
    def n_rows(self) -> int | None:
        return _total([table.n_rows for table in self._tables])

    @property
    def ready(self) -> bool:
        return all(table.ready for table in self._tables)

    @property
    def costly(self) -> bool:
        return any(table.costly for table in self._tables)

    @property
    def identity(self) -> str | None:
        found = [table.identity for table in self._tables]
        return None if None in found else "; ".join(str(each) for each in found)

    def n_bytes(self, positions: Sequence[int]) -> int | None:
        return _total([table.n_bytes(self._places(table, positions)) for table in self._tables])

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those of the first file that has any; the kind names the file."""
        for table in self._tables:
            places = self._places(table, positions)
            refused = table.refusals(places)
            if refused:
                back = dict(zip(places, positions, strict=True))
                return [Refusal(back[r.position], f"{r.kind} in {table.description}", r.example) for r in refused]
        return []

    def require_unchanged(self) -> None:
        for table in (*self._known, *self._tables):
            table.require_unchanged()

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        for table in self._known:
            table.require_unchanged()
        for table in self._tables:
            places = self._places(table, [*features] if weight is None else [*features, weight])
            yield from table.read(places[: len(features)], None if weight is None else places[-1])

    def place(self, row: int) -> str:
        first = 0
        for table in self._tables:
            if table.n_rows is None:
                break
            if row < first + table.n_rows:
                inside = table.place(row - first)
                return inside if table.description in inside else f"{inside} of {table.description}"
            first += table.n_rows
        return super().place(row)

    def parts(self, positions: Sequence[int]) -> list[Part] | None:
        found: list[Part] = []
        for table in self._tables:
            parts = table.parts(self._places(table, positions))
            if parts is None:
                return None
            found += [part._replace(table=Aligned(self._tables[0], part.table)) for part in parts]
        return found

    def after(self, row: int) -> _Concatenated | None:
        """Return the rows from one on; every reading of them looks whether a file before has changed, too."""
        for number, table in enumerate(self._tables):
            if table.n_rows is None:
                return None
            if row < table.n_rows:
                found = table.after(row)
                left = [] if found is None else [found, *self._tables[number + 1 :]]
                aligned = [Aligned(self._tables[0], each) for each in left]
                known = [*self._known, *self._tables[:number]]
                return _Concatenated(aligned, self._description, known) if aligned else None
            row -= table.n_rows
        return None

    def _places(self, table: Table, positions: Sequence[int]) -> Sequence[int]:
        return places_of(self._tables[0], table, positions, table.description)


def _total(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
