"""Whether what fits need has been compiled for this machine, and one process in the background that compiles it.

A stamp beside what Numba keeps says that everything is there. Its name is made of all that compiled code depends on, so
that an upgrade, another processor or another folder has none.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

import llvmlite
import numba
from numba.core.registry import cpu_target

from gaussmix.engine.kernels import stages

try:
    import fcntl
except ImportError:  # Windows: nobody compiles in the background
    fcntl = None

_MOST_ATTEMPTS = 3
_STARTING = 20.0  # seconds that an interpreter may take to begin
_LONGEST = 1200  # seconds after which what has not ended is not going to
_PACKAGE = Path(__file__).parents[2]

# It parts with this process at once, so that nobody has to wait for it or hear of its end.
_BACKGROUND = f"""
import os, signal, sys
if os.fork():
    os._exit(0)
os.setsid()
os.nice(19)
signal.alarm({_LONGEST})
sys.path.append(sys.argv[1])
from {_PACKAGE.name}.precompile import precompile
precompile()
"""


@cache
def stamp() -> Path:
    """Return where it is noted that everything has been compiled: for these sources, by this Numba, for this processor.

    Raises
    ------
    AttributeError
        Where Numba is told not to compile.
    """
    kept = cast(Any, stages.rank).stats.cache_path
    made_by = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__)
    machine = repr((*made_by, cast(Any, cpu_target.target_context).codegen().magic_tuple()))
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return Path(kept) / f"gaussmix-{_digest(machine.encode())}-{_digest(sources)}.ready"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def ready() -> bool:
    """Whether everything has been compiled."""
    return stamp().exists()


def note_ready() -> None:
    """Note that everything has been compiled, in place of what was noted of other sources for this machine."""
    mine = stamp()
    machine = mine.name.rpartition("-")[0]
    for old in mine.parent.glob(f"{machine}-*.ready"):
        if old != mine:
            old.unlink(missing_ok=True)
    mine.touch()


def under_way() -> bool:
    """Whether another process is compiling everything; one is started unless that has been tried often enough.

    Nothing is started by workers of other processes, which come in numbers and do not last, nor where the interpreter
    is part of another program.
    """
    if fcntl is None or not hasattr(os, "fork"):
        return False
    try:
        lock = os.open(stamp().with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        return False
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        attempts = os.fstat(lock).st_size
        if attempts >= _MOST_ATTEMPTS or _is_worker() or "python" not in Path(sys.executable or "").name:
            return False
        os.pwrite(lock, b".", attempts)
        return _started(lock)
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        os.close(lock)  # which leaves the lock with who has been started


def _is_worker() -> bool:
    """Whether this process works for another one, by way of `multiprocessing`, joblib or Dask."""
    return multiprocessing.parent_process() is not None


def _started(lock: int) -> bool:
    """Start the process in the background, which holds the lock as long as it lives."""
    environment = {
        **os.environ,
        "GAUSSMIX_KERNEL": "numba",
        **dict.fromkeys(("GAUSSMIX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BACKGROUND, str(_PACKAGE.parent)],
        env=environment,
        pass_fds=(lock,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_STARTING,
        check=False,
    )
    return done.returncode == 0
