"""Folds: what a pass leaves behind, block by block, and the fixed tree in which the pieces are put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from gaussmix.data.source import Chunk

State = TypeVar("State")
Result = TypeVar("Result")

LEAST_SEGMENT = 1024
MOST_SEGMENT = 32768


class Fold(ABC, Generic[State, Result]):
    """A reduction over rows: every segment gives a state, states merge, the last one is finished.

    A segment starts at a multiple of its length; `add` may cut it into blocks but must do so by position only. Then
    the answer's bits depend neither on threads nor on how the source hands out its rows.
    """

    @property
    @abstractmethod
    def state_bytes(self) -> int:
        """Bytes that a state takes, about."""

    @property
    def by_columns(self) -> bool:
        """Whether a segment's rows may lie column by column in memory, without another bit in the answer."""
        return False

    @abstractmethod
    def segment(self, chunk: Chunk) -> State:
        """Return the state that one segment of rows leaves behind."""

    @abstractmethod
    def merge(self, left: State, right: State) -> State:
        """Return the state of two neighbouring stretches of rows; `left` may be changed and returned."""

    @abstractmethod
    def finish(self, state: State) -> Result:
        """Return the answer once all rows are in."""


def segment_rows(n_rows: int | None) -> int:
    """Rows per segment: a power of two that depends on nothing but the number of rows.

    About 32 segments where that is possible, so that threads share the work evenly; not below the largest block.
    """
    if n_rows is None:
        return MOST_SEGMENT
    return min(MOST_SEGMENT, max(LEAST_SEGMENT, 1 << max(0, (n_rows // 32).bit_length())))


def fitting(folds: Sequence[Fold[Any, Any]], chunk: Chunk) -> Chunk:
    """Return a segment as all of the folds take it: row by row in memory, unless none of them minds."""
    return chunk if all(fold.by_columns for fold in folds) else chunk.by_rows()


class Tree(Generic[State]):
    """Merges states in the order in which they arrive, along a binary tree fixed by their count alone.

    At any moment there is at most one state of each power of two of segments, so memory grows with the log of the
    number of segments.
    """

    def __init__(self, fold: Fold[State, Result]) -> None:
        self._fold = fold
        self._pending: list[tuple[int, State]] = []

    def push(self, state: State) -> None:
        """Take the next segment's state."""
        size = 1
        while self._pending and self._pending[-1][0] == size:
            _, left = self._pending.pop()
            state = self._fold.merge(left, state)
            size *= 2
        self._pending.append((size, state))

    def root(self) -> State:
        """Return the merged state of everything that was pushed."""
        _, state = self._pending.pop()
        while self._pending:
            _, left = self._pending.pop()
            state = self._fold.merge(left, state)
        return state


Branches = dict[tuple[int, int], list[Any]]
"""States of several folds by (level, position): that of 2^level leaves of a tree, `position` times as many before them.

Trees of the same number of leaves are the same tree, whichever of its branches are made first, and where.
"""


def grow(folds: Sequence[Fold[Any, Any]], branches: Branches, level: int, position: int, states: list[Any]) -> None:
    """Put a branch to others, and together with its neighbour as long as there is one."""
    while (neighbour := (level, position ^ 1)) in branches:
        other = branches.pop(neighbour)
        left, right = (other, states) if position % 2 else (states, other)
        states = [fold.merge(one, two) for fold, one, two in zip(folds, left, right, strict=True)]
        level, position = level + 1, position // 2
    branches[level, position] = states


def joined(folds: Sequence[Fold[Any, Any]], some: Iterable[Branches]) -> Branches:
    """Return branches of one tree put together."""
    found: Branches = {}
    for branches in some:
        for (level, position), states in branches.items():
            grow(folds, found, level, position, states)
    return found


def roots(folds: Sequence[Fold[Any, Any]], branches: Branches) -> list[Any]:
    """Return the states of a whole tree, of which there are all branches."""
    pending = sorted(branches, key=lambda place: place[1] << place[0])
    states = branches[pending.pop()]
    while pending:
        left = branches[pending.pop()]
        states = [fold.merge(one, two) for fold, one, two in zip(folds, left, states, strict=True)]
    return states
