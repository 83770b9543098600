"""How many threads there are, and BLAS held to one in each of ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, final

from gaussmix.errors import ParameterError


def available_threads() -> int:
    """Threads to use unless told otherwise.

    `GAUSSMIX_THREADS` if it is set. Else 1 in any thread but the main one, since whoever runs several threads has
    given out the processors already; else the processors that this process may run on, and no more than
    `OMP_NUM_THREADS`, by which joblib and Dask tell their worker processes how many are theirs.

    Raises
    ------
    ParameterError
        When `GAUSSMIX_THREADS` is not a positive integer.
    """
    wanted = os.environ.get("GAUSSMIX_THREADS", "").strip()
    if wanted:
        if not wanted.isdigit() or int(wanted) < 1:
            raise ParameterError(f"GAUSSMIX_THREADS={wanted!r}: expected a positive integer; set or unset it")
        return int(wanted)
    if threading.current_thread() is not threading.main_thread():
        return 1
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "").strip()
    return min(processors, int(given)) if given.isdigit() and int(given) > 0 else processors


@lru_cache(maxsize=1)
def _controller() -> Any:
    # Numba's np.dot calls the BLAS that SciPy brings; unless it is loaded first the controller never sees it.
    import scipy.linalg.cython_blas  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread set the limit: newer releases of threadpoolctl leave it to the thread that set it last."""
    from threadpoolctl import OpenBLASController

    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


@final
class _Limit:
    """The one limit of this process: set by the first that enters, given back by the last that leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                _take_control()
                self._limiter = _controller().limit(limits=1, user_api="blas")
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                _take_control()
                self._limiter.restore_original_limits()
                self._limiter = None


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Hold every BLAS to one thread, and give back what was set before, also after an error.

    Fits may overlap in several threads: BLAS is held until the last of them has ended.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
