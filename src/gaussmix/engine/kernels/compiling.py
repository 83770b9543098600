"""How the stages of a kernel are compiled: on first use, kept on disk, free of the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


class Compile(Protocol):
    """A decorator that compiles a function and leaves its type as it is."""

    def __call__(self, function: Function, /) -> Function:
        """Return the compiled function."""
        ...


# Contraction to fused multiply-add is the same at every call.
exact = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
"""For functions whose results do not depend on the order in which rows are visited."""

# Sums of fixed length may be split over vector registers; the split is the same at every call.
summing = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
"""For functions that sum along a block's rows."""

whole: Compile = cast(Any, njit)(cache=True, nogil=True, error_model="numpy")
"""For a function that is called from Python and brings its own parts along: only it is kept on disk."""

# Options that Numba's stubs do not know: without a way in from Python, parts compile in two thirds of the time.
_PART = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inner: Compile = cast(Any, njit)(**_PART)
"""For the parts of a `whole`."""

inner_summing: Compile = cast(Any, njit)(**_PART, fastmath={"contract", "reassoc", "nsz"})
"""For parts of a `whole` that sum along a block's rows."""
