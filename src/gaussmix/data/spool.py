"""Rows on their way into a temporary Arrow file, so that what is costly to read is read once."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import numpy as np

from gaussmix.data.source import Chunk
from gaussmix.data.table import ROWS_PER_READ
from gaussmix.data.weights import pieces
from gaussmix.errors import SourceError

# Nobody gives a file of his own such a name: what bears it and is not locked is removed.
_PREFIX, _SUFFIX = ".gaussmix-spool-", ".tmp"


@final
class Spool:
    """A temporary Arrow IPC file of rows: written once from front to back, then read any number of times.

    The file stands in the folder for temporary files, which `TMPDIR` chooses, and is removed with this object. What a
    process that was killed has left there is removed by the next that needs such a file: those in use are locked.

    Parameters
    ----------
    description : str
        Of where the rows come from, for messages.

    Raises
    ------
    SourceError
        When there is no room, or the folder is not writable.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        try:
            handle, self.path = _reserved()
        except OSError as error:
            raise self._refused(error) from error
        self._writer: Any = None
        self.remove = weakref.finalize(self, _remove, self.path, handle)
        _remove_abandoned(self.path.parent)

    def write(self, chunk: Chunk) -> None:
        """Append rows."""
        try:
            for piece in pieces(chunk, ROWS_PER_READ):
                batch = _batch(piece)
                if self._writer is None:
                    self._writer = _writer(self.path, batch.schema)
                self._writer.write_batch(batch)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> int:
        """End the writing; return the size of the file in bytes."""
        try:
            self._writer.close()
            return self.path.stat().st_size
        except OSError as error:
            raise self._refused(error) from error

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        import pyarrow as pa

        # Not mapped into memory: the pages would count as this process's own.
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            start = 0
            for i in range(reader.num_record_batches):
                chunk = _chunk(reader.get_batch(i), start)
                yield chunk
                start = chunk.stop

    def _refused(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self._description} has to be kept in a temporary file, since it is read many times, and that cannot be "
            f"written ({error.strerror or error}). Set TMPDIR to a folder with more room, or write the rows to Parquet."
        )


def _reserved() -> tuple[int, Path]:
    """Return a new file, open and locked, and its path."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)
        if _locked(handle) is not False and os.fstat(handle).st_nlink > 0:
            return handle, Path(name)
        os.close(handle)  # another process took it for abandoned before it was locked


def _locked(handle: int) -> bool | None:
    """Lock a file for this process, and say whether that was possible; None where files cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove the files of this user's that nobody has locked: whoever wrote them was killed."""
    if not hasattr(os, "getuid"):  # nor are files locked there
        return
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            if path.stat().st_uid != os.getuid():
                continue
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if _locked(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _remove(path: Path, handle: int) -> None:
    with suppress(OSError):
        path.unlink()
    with suppress(OSError):
        os.close(handle)


def _writer(path: Path, schema: Any) -> Any:
    import pyarrow as pa

    return pa.ipc.new_file(str(path), schema)


def _batch(chunk: Chunk) -> Any:
    """Return rows as one column of lists, which Arrow keeps as they lie in memory, and their weights."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(chunk.x).ravel())
    rows = pa.FixedSizeListArray.from_arrays(flat, chunk.x.shape[1])
    weights = np.ones(len(chunk.x)) if chunk.weights is None else chunk.weights
    return pa.record_batch([rows, pa.array(weights)], names=["rows", "weights"])


def _chunk(batch: Any, start: int) -> Chunk:
    rows = batch.column("rows")
    x = rows.flatten().to_numpy().reshape(len(rows), rows.type.list_size)
    weights = batch.column("weights").to_numpy()
    return Chunk(x, None if (weights == 1.0).all() else weights, start)
