"""Files that are, even after a crash, wholly the old or wholly the new."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from gaussmix.errors import FileWriteError


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that is, even after a crash, wholly the old or wholly the new.

    Raises
    ------
    FileWriteError
        If the folder is missing, not writable or full.
    """
    target = Path(os.path.realpath(path))
    try:
        _replace(target, content)
    except OSError as error:
        raise FileWriteError(_why_not_written(target, error)) from error
    _sync_folder(target)


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not target.is_file():
        raise FileWriteError(f"{target} is no ordinary file, and would be replaced by one; choose another name")
    temporary = target.with_name(f".gaussmix-{secrets.token_hex(16)}.tmp")
    try:
        # Not tempfile.mkstemp: its files are private whatever the umask, which cannot be asked safely.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _sync_folder(target: Path) -> None:
    """Force the folder's entry to the disk: without it a crash can bring the old file back."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # Some file systems cannot sync a folder, and a folder may be writable but not readable.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM):
            raise FileWriteError(
                f"{target} is written, but its folder could not be forced to the disk "
                f"({error.strerror or error}), so it may not survive a crash; check the disk"
            ) from error


def _why_not_written(target: Path, error: OSError) -> str:
    if target.is_dir():
        return f"cannot write {target}: it is a folder; give the name of a file"
    if not target.parent.is_dir():
        return f"cannot write {target}: there is no folder {target.parent}; create it, or choose another"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {target}: the folder {target.parent} is not writable; choose another"
    return f"cannot write {target}: {error.strerror or error}; free some space, or choose another folder"
