"""A file that only grows: what is appended is on the disk before the writer goes on, and survives whatever comes then.

After eight bytes of identification the file is a sequence of frames: the length of the content, eight bytes
little-endian; its BLAKE2b digest, 16 bytes; the content. The first frame is a header in JSON, written together with the
file; every other one is a key, 32 bytes, and what was recorded under it. A frame that is cut short or damaged ends the
file: it and all behind it are dropped when the file is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Self, cast, final

from gaussmix.durable import replace
from gaussmix.errors import CheckpointError, FileWriteError

MAGIC = b"GMJOURN1"
KEY_BYTES = 32
_LENGTH_BYTES, _DIGEST_BYTES = 8, 16
_FRAME_BYTES = _LENGTH_BYTES + _DIGEST_BYTES


@final
class Journal:
    """An open journal; nobody else can open it meanwhile.

    Parameters
    ----------
    path : path
        An existing journal; `create` makes one.

    Raises
    ------
    CheckpointError
        When it is no journal, or somebody else has it open.
    FileWriteError
        When it cannot be opened for writing.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._file: BinaryIO = self.path.open("r+b")
        except OSError as error:
            raise FileWriteError(
                f"cannot open {self.path} for writing: {error.strerror or error}; check the path and its permissions"
            ) from error
        try:
            self._lock()
            self.header, self._places = self._scan()
        except BaseException:
            self._file.close()
            raise

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Self:
        """Make a journal with nothing in it but a header, and open it."""
        replace(path, MAGIC + _framed(json.dumps(header).encode()))
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> bytes | None:
        """Return what was recorded under a key, or None."""
        place = self._places.get(key)
        if place is None:
            return None
        self._file.seek(place[0])
        return self._file.read(place[1])

    def put(self, key: bytes, content: bytes) -> None:
        """Record something under a key; it is on the disk when this returns.

        Raises
        ------
        FileWriteError
            When there is no room.
        """
        try:
            start = self._file.seek(0, os.SEEK_END)
            self._file.write(_framed(key + content))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise FileWriteError(
                f"cannot write {self.path}: {error.strerror or error}; free some space and go on from the same file"
            ) from error
        self._places[key] = start + _FRAME_BYTES + KEY_BYTES, len(content)

    def _lock(self) -> None:
        if os.name != "posix":
            return
        import fcntl

        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CheckpointError(
                f"{self.path} is in use by another process; wait until it has ended, or take another file"
            ) from error

    def _scan(self) -> tuple[dict[str, Any], dict[bytes, tuple[int, int]]]:
        """Read everything; cut off what is not whole."""
        frames = _frames(self._file)
        first = next(frames, None)
        if first is None:
            raise CheckpointError(f"{self.path} is no gaussmix checkpoint, or its beginning is damaged; name another")
        header = cast("dict[str, Any]", json.loads(first[1]))
        places: dict[bytes, tuple[int, int]] = {}
        sound = first[0] + len(first[1])
        for start, content in frames:
            places[content[:KEY_BYTES]] = start + KEY_BYTES, len(content) - KEY_BYTES
            sound = start + len(content)
        self._file.truncate(sound)
        return header, places


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the header of a journal that may be in use.

    Raises
    ------
    CheckpointError
        When there is no such file, or it is no journal.
    """
    try:
        with Path(path).open("rb") as file:
            first = next(_frames(file), None)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    if first is None:
        raise CheckpointError(f"{path} is no gaussmix checkpoint, or its beginning is damaged; name another")
    return cast("dict[str, Any]", json.loads(first[1]))


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES, "little") + _digest(content) + content


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _frames(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield where the content of every frame starts, and the content, until one is not whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        return
    while True:
        prefix = file.read(_FRAME_BYTES)
        length = int.from_bytes(prefix[:_LENGTH_BYTES], "little")
        start = file.tell()
        if len(prefix) < _FRAME_BYTES or length > size - start:
            return
        content = file.read(length)
        if _digest(content) != prefix[_LENGTH_BYTES:]:
            return
        yield start, content
