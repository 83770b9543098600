"""Arrow IPC files and streams, through a memory map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

from gaussmix.data.arrow import ArrowTable, Columns, unreadable
from gaussmix.data.table import PART_ROWS, Part, Wrapped
from gaussmix.errors import SourceError


@final
class IpcTable(Wrapped):
    """The columns of an Arrow IPC file or stream (`.arrow`, `.feather`, `.ipc`), or of some of a file's record batches.

    It travels to other processes as a path, and is opened there.

    Parameters
    ----------
    path : Path
    numbers : range, optional
        The record batches; all by default.

    Raises
    ------
    SourceError
        If it is damaged or no Arrow file.
    """

    def __init__(self, path: Path, numbers: range | None = None) -> None:
        with unreadable(str(path)):
            _refuse_feather_1(path)
            reader, self._random_access = _ipc_reader(path, None)
            super().__init__(ArrowTable(reader.schema, partial(_batches, path, numbers), None, str(path)))
        self._opened = path, numbers

    def __reduce__(self) -> tuple[type[IpcTable], tuple[Path, range | None]]:
        return IpcTable, self._opened

    def parts(self, positions: Sequence[int]) -> list[Part] | None:
        """Return the record batches of a file, small ones together; of a stream nothing, for it begins at its front."""
        if not self._random_access:
            return None
        path, numbers = self._opened
        reader, _ = _ipc_reader(path, positions)
        numbers = range(reader.num_record_batches) if numbers is None else numbers
        parts: list[Part] = []
        first, rows = numbers.start, 0
        for number in numbers:
            rows += reader.get_batch(number).num_rows
            if rows >= PART_ROWS or (rows and number == numbers[-1]):
                parts.append(Part(IpcTable(path, range(first, number + 1)), rows))
                first, rows = number + 1, 0
        return parts


def _refuse_feather_1(path: Path) -> None:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"FEA1":
        raise SourceError(
            f"{path} is in the first Feather format. Write it again with pyarrow.feather.write_feather(table, path)."
        )


def _ipc_reader(path: Path, positions: Sequence[int] | None) -> tuple[Any, bool]:
    """Return a reader of the columns at `positions` (None: all), and whether it allows random access."""
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(included_fields=None if positions is None else sorted(set(positions)))
    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
    mapped = pa.memory_map(str(path))
    if is_file:
        return pa.ipc.open_file(mapped, options=options), True
    return pa.ipc.open_stream(mapped, options=options), False


def _batches(path: Path, numbers: range | None, positions: Sequence[int]) -> Columns:
    reader, random_access = _ipc_reader(path, positions)
    read = sorted(set(positions))
    order = [read.index(i) for i in positions]
    some = range(reader.num_record_batches) if random_access and numbers is None else numbers
    batches = map(reader.get_batch, some) if random_access and some is not None else reader
    for batch in batches:
        yield [batch.column(i) for i in order]
