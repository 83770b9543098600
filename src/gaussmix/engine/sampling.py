"""Nested samples of the rows: how many they are, and how they are gathered from where the rows lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.source import Chunk
from gaussmix.data.transform import taken
from gaussmix.engine.fold import Fold
from gaussmix.engine.summary import MOST_SAMPLED

MOST_NESTED_BYTES = 1 << 25
"""Bytes of the largest nested sample's rows and weights."""
_LEAST = 2 * MOST_SAMPLED  # rows of a nested sample: fewer tell no more than the row sample
_ENOUGH = 1 << 16  # rows from which a 64th of all will do; else it is a 16th
_LEVELS = 3

Gathered = tuple[NDArray[np.floating], NDArray[np.float64] | None]
"""Rows (M, D), and their weights where they have any."""


def nested_levels(n_rows: int, n_features: int) -> tuple[int, ...]:
    """Levels of the nested samples of so many rows, the smallest sample first: level l has about n / 4^l rows.

    None where there are too few rows for it to be worth another read. They depend on nothing else, so answers do not
    either: a sample that finds no room in memory is kept in a file.
    """
    finest = 3 if n_rows >> 6 >= _ENOUGH else 2
    while (n_rows >> 2 * finest) * 8 * (n_features + 1) > MOST_NESTED_BYTES:
        finest += 1
    levels = range(finest + _LEVELS - 1, finest - 1, -1)
    return tuple(level for level in levels if n_rows >> 2 * level >= _LEAST)


@final
@dataclass(frozen=True)
class RowsFold(Fold[list[Gathered], Gathered]):
    """A share of the rows of weight above zero, drawn by position, in their order."""

    share: float
    seed: int

    @property
    def state_bytes(self) -> int:
        """Bytes of the largest sample: there is but one such fold in a read."""
        return MOST_NESTED_BYTES

    def segment(self, chunk: Chunk) -> list[Gathered]:
        """Draw from one segment."""
        return [taken(chunk, self.share, self.seed)]

    def merge(self, left: list[Gathered], right: list[Gathered]) -> list[Gathered]:
        """Put one after the other."""
        return left + right

    def finish(self, state: list[Gathered]) -> Gathered:
        """Return all of them as one."""
        x = np.concatenate([rows for rows, _ in state])
        if all(weights is None for _, weights in state):
            return x, None
        ones = [np.ones(len(rows)) if weights is None else weights for rows, weights in state]
        return x, np.concatenate(ones)
