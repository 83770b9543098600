"""Which kernel computes a pass, and what does while nothing has been compiled yet."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import final

from gaussmix.engine.kernels.kernel import Kernel
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.errors import ParameterError, SlowKernelWarning

REFERENCE = NumpyKernel()

_MOST_NUMBERS = 1e6
"""Rows times features, of as many fits as a call makes: beyond it waiting for a compiler is the shorter way."""
_MOST_WORK = 1e10
"""Products of features and shares, about as many as NumPy makes in the time that kernels take to be compiled."""

_MOST_ELSEWHERE = 2e9
"""Operations, of what is not a pass, that NumPy and the interpreter make in a few seconds."""


@lru_cache(maxsize=1)
def choose() -> Kernel:
    """Return the kernel for this machine: the compiled one, or NumPy (with one warning) where it cannot be compiled.

    `GAUSSMIX_KERNEL` may ask for one of the two: "numba" or "numpy", the reference. Unless it does, calls that are
    `prompt` begin with the reference where nothing has been compiled yet.

    Raises
    ------
    ParameterError
        When `GAUSSMIX_KERNEL` names neither.
    """
    if _wanted() == "numpy":
        return REFERENCE
    try:
        # Numba is loaded by the first pass, not by the import of gaussmix.
        from gaussmix.engine.kernels.numba import NumbaKernel, verify

        verify()
    except Exception as error:  # Numba and LLVM fail in their own ways, none of which should end a fit
        warnings.warn(_advice(error), SlowKernelWarning, stacklevel=2)
        return REFERENCE
    return NumbaKernel()


@final
class _Call:
    """What one call computes with, from its beginning to its end: its bits must not depend on when a compiler is done.

    Parameters
    ----------
    n_fits : float
        To how many fits its work amounts.
    waiting : bool
        Whether it waits for the compiler in any case.
    """

    def __init__(self, n_fits: float = 1.0, *, waiting: bool = False) -> None:
        self._n_fits = n_fits
        self._settled = waiting
        self._left = -math.inf
        self.early = False  # whether nothing is compiled for what is not a pass

    def sized(self, numbers: float) -> None:
        """Take note of rows times features, the first time, and settle what computes."""
        if not self._settled:
            self._settled = True
            # What is not a pass works on a sample of the rows.
            self.early = min(numbers, _MOST_NUMBERS) * self._n_fits <= _MOST_NUMBERS and _is_early()
            self._left = _MOST_WORK if self.early and numbers * self._n_fits <= _MOST_NUMBERS else -math.inf

    def kernel(self, work: float) -> Kernel:
        """Return what computes a pass of so much work: NumPy, until its passes have taken as long as a compiler."""
        self._left -= work
        return REFERENCE if self._left >= 0.0 else choose()


_CALL: ContextVar[_Call | None] = ContextVar("gaussmix_call", default=None)


@contextmanager
def prompt(n_fits: float = 1.0) -> Generator[None]:
    """Have a call begin at once: what is small is left to NumPy where compiled code is not there yet.

    A process in the background compiles it for later calls. A call within another does what that one does.
    """
    with _as(_CALL.get() or _Call(n_fits)):
        yield


@contextmanager
def waiting() -> Generator[None]:
    """Have everything computed by compiled code, also where it has to be compiled first."""
    with _as(_Call(waiting=True)):
        yield


@contextmanager
def _as(call: _Call) -> Generator[None]:
    token = _CALL.set(call)
    try:
        yield
    finally:
        _CALL.reset(token)


def sized(numbers: float) -> None:
    """Tell this call how many rows times features it is about."""
    call = _CALL.get()
    if call is not None:
        call.sized(numbers)


def kernel_for(work: float) -> Kernel:
    """Return the kernel for a pass of so much work: rows times components times moments.

    Where no call says what it is part of, a pass is a call of its own.
    """
    call = _CALL.get()
    if call is None:
        call = _Call()
        call.sized(0.0 if work <= _MOST_WORK else 2.0 * _MOST_NUMBERS)
    return call.kernel(work)


def compiled(work: float = 0.0) -> bool:
    """Whether this call uses compiled code for what is not a pass of a kernel, of so many operations."""
    call = _CALL.get()
    early = call is not None and call.early and work <= _MOST_ELSEWHERE
    return not early and choose() is not REFERENCE


def kernel_name() -> str:
    """Return "numba", or "numpy" where this call does not use compiled code throughout."""
    return "numba" if compiled() else "numpy"


def _is_early() -> bool:
    """Whether compiled code is not there yet, and somebody is at it."""
    if _wanted():
        return False
    try:
        from gaussmix.engine.kernels import ahead

        return not ahead.ready() and ahead.under_way()
    except Exception:  # where Numba fails to load, choosing a kernel says so
        return False


def _wanted() -> str:
    wanted = os.environ.get("GAUSSMIX_KERNEL", "").strip()
    if wanted not in ("", "numba", "numpy"):
        raise ParameterError(f"GAUSSMIX_KERNEL={wanted!r}: expected numba or numpy; set or unset it")
    return wanted


def _advice(error: Exception) -> str:
    found = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"compiled kernels are not available ({found}), so NumPy computes, several times slower; repair Numba with "
        "`pip install --upgrade numba`, unset NUMBA_DISABLE_JIT, or set NUMBA_CACHE_DIR to a folder that is writable"
    )
