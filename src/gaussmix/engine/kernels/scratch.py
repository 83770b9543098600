"""Arrays that a kernel writes over and over: aligned to cache lines, and contiguous for blocks of any length."""

from __future__ import annotations

import math
from typing import final

import numpy as np

from gaussmix._linalg import Array

_LINE = 64  # bytes: on processors with wide registers a product of unaligned arrays takes half as long again


def aligned(*shape: int) -> Array:
    """Return an uninitialised C-ordered float64 array that starts at a cache line."""
    size = 8 * math.prod(shape)
    memory = np.empty(size + _LINE, dtype=np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size].view(np.float64).reshape(shape)


def aligned_copy(values: Array) -> Array:
    """Return a copy of `values` that starts at a cache line."""
    copy = aligned(*values.shape)
    copy[...] = values
    return copy


@final
class Columns:
    """An array (height, rows) for blocks of at most `block_rows` rows, contiguous for each number of rows."""

    def __init__(self, height: int, block_rows: int) -> None:
        self._height = height
        self._memory = aligned(height * block_rows)
        self.array = self._memory[:0].reshape(height, 0)

    def of(self, n_rows: int) -> Array:
        """Return the array for a block of `n_rows` rows; what it held is kept while their number stays the same."""
        if self.array.shape[1] != n_rows:
            self.array = self._memory[: self._height * n_rows].reshape(self._height, n_rows)
        return self.array
