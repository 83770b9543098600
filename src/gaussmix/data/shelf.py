"""Memory for rows under way that is used again once nobody looks at it any more."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray


@final
class Shelf:
    """Room for arrays of one reading, most of which live a few milliseconds.

    Memory that is given back to the operating system and asked for again comes page by page, and zeroed: that costs
    more than writing the rows.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an uninitialised C-ordered array; its memory comes back when it, and all views of it, are gone."""
        size = dtype.itemsize * math.prod(shape)
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(0, dtype=np.uint8)
        if memory.nbytes < size:
            memory = np.empty(size, dtype=np.uint8)
        return np.asarray(_Lease(memory, self._free, shape, dtype))


@final
class _Lease:
    """What an array of a shelf is made of; views of the array keep it alive."""

    def __init__(
        self, memory: NDArray[np.uint8], free: list[NDArray[np.uint8]], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._memory, self._free = memory, free
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (memory.ctypes.data, False),
            "version": 3,
        }

    def __del__(self) -> None:
        self._free.append(self._memory)
