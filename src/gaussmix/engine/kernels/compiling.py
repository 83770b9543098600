"""How the stages of a kernel are compiled: on first use, kept on disk, free of the interpreter's lock."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import RLock
from typing import Any, Protocol, TypeVar, cast, final

from numba import njit, types

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

# Options that Numba's stubs do not know: without a way in from Python, parts compile in two thirds of the time.
_PART = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inner: Compile = cast(Any, njit)(**_PART)
"""For the parts of a `Unit`."""

inner_summing: Compile = cast(Any, njit)(**_PART, fastmath={"contract", "reassoc", "nsz"})
"""For parts of a `Unit` that sum along a block's rows."""

_LOCK = RLock()


@final
class Unit:
    """A function that is compiled by itself when it is first called, kept on disk, and known to others by its address.

    Numba compiles whatever a function calls into that function once more. What is called through an address is left
    out of it: no unit is compiled again for another, and a fit compiles those alone that its structure needs.

    Parameters
    ----------
    function : callable
        Its parts are `inner` functions.
    signature : numba Signature
        Of the one version there is.
    summing : bool
        Whether it sums along rows.
    """

    def __init__(self, function: Callable[..., Any], signature: Any, *, summing: bool = False) -> None:
        self.__doc__ = function.__doc__
        self.signature = signature
        self._function = function
        self._fastmath = {"contract", "reassoc", "nsz"} if summing else False
        self._compiled: Any = None
        self._address = 0
        # What Numba looks for in an argument whose type it does not know.
        self._numba_type_ = types.FunctionType(signature)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function, compiled."""
        return self.compiled(*arguments)

    @property
    def compiled(self) -> Any:
        """The compiled function."""
        if self._compiled is None:
            with _LOCK:
                self._compile()
        return self._compiled

    def _compile(self) -> None:
        if self._compiled is None:  # another thread may have been first
            options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
            with _no_collection():
                self._compiled = njit(self.signature, fastmath=self._fastmath, **options)(self._function)

    def __wrapper_address__(self) -> int:
        """Return where compiled code finds the function: a unit can be handed to it as an argument."""
        if self._address == 0:
            (result,) = self.compiled.overloads.values()
            self._address = result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)
        return self._address


@contextmanager
def _no_collection() -> Generator[None]:
    """Keep the garbage collector from looking through the compiler's many objects again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
