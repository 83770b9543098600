"""Which kernel computes a pass."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache

from gaussmix.engine.kernels.kernel import Kernel
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.errors import ParameterError, SlowKernelWarning

REFERENCE = NumpyKernel()


@lru_cache(maxsize=1)
def choose() -> Kernel:
    """Return the kernel for this machine: the compiled one, or NumPy (with one warning) where it cannot be compiled.

    `GAUSSMIX_KERNEL` may ask for one of the two: "numba" (the default) or "numpy", the reference.

    Raises
    ------
    ParameterError
        When `GAUSSMIX_KERNEL` names neither.
    """
    wanted = os.environ.get("GAUSSMIX_KERNEL", "").strip() or "numba"
    if wanted not in ("numba", "numpy"):
        raise ParameterError(f"GAUSSMIX_KERNEL={wanted!r}: expected numba or numpy; set or unset it")
    if wanted == "numpy":
        return REFERENCE
    try:
        # Numba is loaded by the first pass, not by the import of gaussmix.
        from gaussmix.engine.kernels.numba import NumbaKernel, verify

        verify()
    except Exception as error:  # Numba and LLVM fail in their own ways, none of which should end a fit
        warnings.warn(_advice(error), SlowKernelWarning, stacklevel=2)
        return REFERENCE
    return NumbaKernel()


def compiled() -> bool:
    """Whether compiled code is there to be used."""
    return choose() is not REFERENCE


def _advice(error: Exception) -> str:
    found = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"compiled kernels are not available ({found}), so NumPy computes, several times slower; repair Numba with "
        "`pip install --upgrade numba`, unset NUMBA_DISABLE_JIT, or set NUMBA_CACHE_DIR to a folder that is writable"
    )
