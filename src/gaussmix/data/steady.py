"""Rows that others make, held to their promise: the same at every reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np

from gaussmix.data.source import Chunk, Source
from gaussmix.data.transform import Derived
from gaussmix.errors import SourceError


@final
class Steady(Derived):
    """A source that refuses to go on when a reading gives other rows than the first complete one.

    Compared are the number of rows, and a sum over the bits of all values that does not depend on how they are cut.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._found: tuple[int, int] | None = None

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order.

        Raises
        ------
        SourceError
            When they are not those of the first reading.
        """
        rows = total = 0
        for chunk in self._source.chunks():
            rows, total = chunk.stop, (total + bit_sum(chunk)) % 2**64
            yield chunk
        if self._found is None:
            self._found = rows, total
        elif self._found[0] != rows:
            raise SourceError(
                f"{self.description} gave {self._found[0]} rows when it was read first, and {rows} now; every reading "
                "must give the same. Let it start at the beginning each time, from data that do not change."
            )
        elif self._found != (rows, total):
            raise SourceError(
                f"{self.description} gave other values than when it was read first; every reading must give the same "
                "rows in the same order. Fix its order and its random seed, or write the rows to Parquet first."
            )


def bit_sum(chunk: Chunk) -> int:
    """Return a sum over values and positions of a chunk's rows that adds up over chunks, modulo 2**64."""
    words = np.ascontiguousarray(chunk.x, dtype=np.float64).view(np.uint64)
    positions = np.arange(chunk.start + 1, chunk.stop + 1, dtype=np.uint64)
    # Odd factors by position, so that rows that change places change the sum.
    factors = 2 * positions + np.uint64(1)
    columns = 2 * np.arange(words.shape[1], dtype=np.uint64) + np.uint64(1)
    total = int((words @ columns * factors).sum(dtype=np.uint64))
    if chunk.weights is not None:
        total += int((np.ascontiguousarray(chunk.weights).view(np.uint64) * factors).sum(dtype=np.uint64))
    return total % 2**64
