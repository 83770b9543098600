"""Small tables are read once and remembered, since a fit asks for the same rows a hundred times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from gaussmix.data.source import Chunk, Source
from gaussmix.data.transform import Derived

BUDGET = 64 * 2**20
"""Bytes of rows worth keeping: eight million float64 values."""


@final
class Remembered(Derived):
    """A source whose rows stay in memory from the first complete reading on, if they fit the budget.

    Parameters
    ----------
    source : Source
        One whose reading costs parsing or converting.
    budget : int
        Bytes of rows and weights that may be kept; beyond, every reading reads again.
    """

    def __init__(self, source: Source, budget: int = BUDGET) -> None:
        super().__init__(source)
        self._budget = budget
        self._rows: tuple[Chunk, ...] | None = None

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        if self._rows is not None:
            yield from self._rows
            return
        keeping: list[Chunk] = []
        for chunk in self._source.chunks():
            if self._budget > 0:
                keeping.append(chunk)
                self._stay_within(keeping)
            yield chunk
        if keeping:
            self._rows = tuple(keeping)

    def _stay_within(self, keeping: list[Chunk]) -> None:
        """Give up for good, on this reading and later ones, when the rows so far exceed the budget."""
        if sum(_bytes(chunk) for chunk in keeping) > self._budget:
            keeping.clear()
            self._budget = 0


def _bytes(chunk: Chunk) -> int:
    return chunk.x.nbytes + (0 if chunk.weights is None else chunk.weights.nbytes)
