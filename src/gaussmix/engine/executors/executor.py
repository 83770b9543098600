"""What an engine promises: the result of folds over all rows of a source, by one read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from gaussmix.data.source import Chunk, Source
from gaussmix.engine.fold import Fold

Asked = TypeVar("Asked")
Mapped = TypeVar("Mapped")


class Engine(ABC):
    """Who computes passes: threads of this process, or a cluster."""

    @property
    @abstractmethod
    def near(self) -> Engine:
        """Who computes what lies in this process's own memory, such as the row sample."""

    @property
    @abstractmethod
    def budget(self) -> int:
        """Bytes of rows that may be kept in memory between two reads."""

    @abstractmethod
    def reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        """Read `source` once and return the result of every fold.

        Parameters
        ----------
        folds : sequence of Fold
            What is to be found out.
        source : Source
            The rows.
        n_rows : int or None
            How many they are, where answers may depend on it.
        """

    @abstractmethod
    def sample(self, source: Source, share: float, seed: int) -> Source:
        """Return a share of the rows of weight above zero, drawn by their positions, to be read here many times."""

    @abstractmethod
    def map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        """Yield `work` of every `rows` rows of `source`, in order."""

    @abstractmethod
    def each(self, work: Callable[[Asked], Mapped], items: Sequence[Asked]) -> list[Mapped]:
        """Return `work` of every item, in order."""
