"""The promise of a source of rows: the same rows, in the same order, at every reading."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive rows.

    Parameters
    ----------
    x : array (rows, D)
        Feature values, float64 or float32, in memory in the order in which the source holds them; not to be written to.
    weights : array (rows,) or None
        Row weights; None means one each.
    start : int
        The position of the first row in the whole source.
    """

    x: NDArray[np.floating]
    weights: NDArray[np.float64] | None
    start: int

    @property
    def stop(self) -> int:
        """One past the position of the last row."""
        return self.start + self.x.shape[0]

    def by_rows(self) -> Chunk:
        """Return the same rows, one after the other in memory: sums over rows take their bits from that order."""
        return self if self.x.flags.c_contiguous else replace(self, x=np.ascontiguousarray(self.x))


class Source(ABC):
    """Rows of D features that can be read any number of times.

    A source decides how many rows it hands out at once, by what reading costs; whoever reads must not let an
    answer depend on it. Values may be missing (NaN): `summarize` tells, and `DropMissing` masks.
    """

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of features D."""

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the D features, or None where the data carry none."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What this is, for messages: a path, or 'array'."""

    @property
    def n_rows(self) -> int | None:
        """Number of rows where it is known without reading them, else None."""
        return None

    @property
    def ready(self) -> bool:
        """Whether rows already lie in memory as floats, so that reading costs nothing."""
        return False

    @property
    def n_bytes(self) -> int | None:
        """Bytes that one reading takes from disk or memory where that is known beforehand, else None."""
        return None if self.n_rows is None else 8 * self.n_rows * self.n_features

    @property
    def kept_bytes(self) -> int:
        """Bytes of rows that stay in memory, at most, from the first reading on."""
        return 0

    @property
    def identity(self) -> str | None:
        """A text that is another when the rows are others, where that is known without reading them, else None."""
        return None

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order; consecutive chunks, none of them empty."""

    def place(self, row: int) -> str:
        """Say where a row stands, for messages."""
        return f"row {row} (counting from 0)"

    def after(self, row: int) -> Source | None:
        """Return the rows from one on, or None where many of those before would have to be read, too."""
        return None

    def partitions(self) -> Sequence[Partition] | None:
        """Return the rows cut into parts that can be read elsewhere, or None where they can be read only here."""
        return None

    def filled(self, rows: Any) -> Self:
        """Return the source of a partition once its rows are there; those that read for themselves as they are."""
        return self


@final
@dataclass(frozen=True, eq=False)
class Partition:
    """Consecutive rows of a source, that another process can read.

    Parameters
    ----------
    source : Source
        Its chunks are these rows, at their positions in the whole source.
    n_rows : int
        How many.
    rows : object
        What `source.filled` is to be given first, in a form that a cluster turns into rows; None where there is
        nothing to be filled in.
    """

    source: Source
    n_rows: int
    rows: Any = None
