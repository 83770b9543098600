"""How many threads there are, and BLAS held to one in each of ours."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from gaussmix.errors import ParameterError


def available_threads() -> int:
    """Threads to use unless told otherwise: `GAUSSMIX_THREADS`, else the processors this process may run on.

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
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def _controller() -> Any:
    # Numba's np.dot calls the BLAS that SciPy brings; unless it is loaded first the controller never sees it.
    import scipy.linalg.cython_blas  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Hold every BLAS to one thread, and give back what was set before, also after an error."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
