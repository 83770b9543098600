"""Sources made of other sources: fewer columns, weights beside the rows, rows with gaps masked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._random import row_keys
from gaussmix.data.columns import Features, positions_of
from gaussmix.data.source import Chunk, Partition, Source
from gaussmix.data.table import ROWS_PER_READ
from gaussmix.data.weights import masked, pieces, weight_array, without_rows
from gaussmix.errors import ShapeError, WeightError


class Derived(Source):
    """A source that hands on another one's rows; its heirs say in `derive` what they do to a chunk of them.

    Parameters
    ----------
    source : Source
    kept : tuple of int, optional
        Positions of the features that are handed on; all of them by default.
    """

    def __init__(self, source: Source, kept: tuple[int, ...] | None = None) -> None:
        self._source = source
        self._features = tuple(range(source.n_features)) if kept is None else kept

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return len(self._features)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the D features, or None where the data carry none."""
        names = self._source.feature_names
        return None if names is None else tuple(names[i] for i in self._features)

    @property
    def n_rows(self) -> int | None:
        """Number of rows, or None where only reading tells."""
        return self._source.n_rows

    @property
    def description(self) -> str:
        """The underlying source's description."""
        return self._source.description

    @property
    def ready(self) -> bool:
        """Whether the underlying rows are."""
        return self._source.ready

    @property
    def n_bytes(self) -> int | None:
        """Bytes that one reading takes."""
        return self._source.n_bytes

    @property
    def kept_bytes(self) -> int:
        """What the underlying source keeps."""
        return self._source.kept_bytes

    @property
    def identity(self) -> str | None:
        """That of the underlying source, and what is done to it."""
        found = self._source.identity
        return None if found is None else f"{found}, {self._told()}"

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        for chunk in self._source.chunks():
            yield from self.derive(chunk)

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Return what is made of one chunk of the underlying source."""
        yield chunk

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return self._source.place(row)

    def partitions(self) -> Sequence[Partition] | None:
        """Return the same of every part."""
        parts = self._source.partitions()
        return None if parts is None else [replace(part, source=self._over(part.source)) for part in parts]

    def filled(self, rows: Any) -> Self:
        """Return the same of the rows that were waited for."""
        return self._over(self._source.filled(rows))

    def _over(self, source: Source) -> Self:
        """Return the same derivation of another source."""
        other = copy(self)
        other._source = source
        return other

    def _told(self) -> str:
        """Say what is done to the rows, in a text that is another when something else is done."""
        return type(self).__name__


@final
class Columns(Derived):
    """Some of the features of a source, in the order given.

    Parameters
    ----------
    source : Source
    features : names or positions
        Positions count from 0.

    Raises
    ------
    ColumnError
        If one is unknown, ambiguous or repeated, or if none is named.
    """

    def __init__(self, source: Source, features: Features) -> None:
        names, description = source.feature_names, source.description
        super().__init__(source, positions_of(features, names, source.n_features, description))

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Gather the columns."""
        index = list(self._features)
        if index == list(range(self._source.n_features)):
            yield chunk
            return
        for piece in pieces(chunk, ROWS_PER_READ):
            yield Chunk(piece.x.take(index, axis=1), piece.weights, piece.start)

    def _told(self) -> str:
        return f"columns {self._features}"


@final
class Weighted(Derived):
    """Rows with weights from an array beside them.

    Rows of weight zero do not count, so missing values in them do not matter: they come out as zeros.

    Parameters
    ----------
    source : Source
        Rows without weights.
    weights : array (rows,)
        Finite, not negative, not all zero.

    Raises
    ------
    ShapeError
        If the weights are not one-dimensional, or not as many as the rows. Where the number of rows is not
        known in advance, the count is compared while reading.
    WeightError
        If a weight is negative or not finite, or if all are zero.
    """

    def __init__(self, source: Source, weights: object) -> None:
        super().__init__(source)
        self._weights = weight_array(weights)
        self._first = 0  # position of the row that the first weight belongs to
        if source.n_rows is not None and source.n_rows != self._weights.size:
            raise self._mismatch(str(source.n_rows))

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        stop = 0
        for chunk in self._source.chunks():
            stop = chunk.stop
            yield from self.derive(chunk)
        if stop != self._first + self._weights.size:
            raise self._mismatch(str(stop))

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Put the weights beside the rows."""
        first, stop = chunk.start - self._first, chunk.stop - self._first
        if stop > self._weights.size:
            raise self._mismatch(f"at least {stop}")
        if chunk.weights is not None:
            raise WeightError(f"{self.description} carries weights of its own. Give weights in one place only.")
        yield from masked(Chunk(chunk.x, self._weights[first:stop], chunk.start), ROWS_PER_READ)

    def partitions(self) -> Sequence[Partition] | None:
        """Return every part with its own share of the weights."""
        parts = self._source.partitions()
        if parts is None:
            return None
        found: list[Partition] = []
        first = 0
        for part in parts:
            mine = self._over(part.source)
            mine._first, mine._weights = first, self._weights[first : first + part.n_rows]
            found.append(replace(part, source=mine))
            first += part.n_rows
        return found

    def _told(self) -> str:
        return f"weights {blake2b(self._weights.tobytes()).hexdigest()}"

    def _mismatch(self, rows: str) -> ShapeError:
        return ShapeError(
            f"there are {self._weights.size} weights for {rows} rows of {self.description}; "
            "expected one weight per row."
        )


@final
class Scaled(Derived):
    """Rows with all weights times one factor.

    Parameters
    ----------
    source : Source
    factor : float
        Above zero.
    """

    def __init__(self, source: Source, factor: float) -> None:
        super().__init__(source)
        self._factor = factor

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Multiply the weights."""
        weights = np.ones(chunk.x.shape[0]) if chunk.weights is None else chunk.weights
        yield Chunk(chunk.x, weights * self._factor, chunk.start)

    def _told(self) -> str:
        return f"weights times {self._factor!r}"


@final
class Part(Derived):
    """The rows that a lot drawn by position gives to one of two parts; those of the other have weight zero.

    Parameters
    ----------
    source : Source
    share : float
        Probability that a row is held out, between 0 and 1.
    seed : int
        Of the lot.
    held_out : bool
        Whether this is the part held out, or the rest.
    """

    def __init__(self, source: Source, share: float, seed: int, held_out: bool) -> None:
        super().__init__(source)
        self._limit = np.uint64(int(share * 2.0**64) if share < 1.0 else 2**64 - 1)
        self._seed = seed
        self._held_out = held_out

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Draw the lots."""
        keys = row_keys(self._seed, np.arange(chunk.start, chunk.stop))
        mine = (keys < self._limit) == self._held_out
        weights = np.ones(chunk.x.shape[0]) if chunk.weights is None else chunk.weights
        yield Chunk(chunk.x, np.where(mine, weights, 0.0), chunk.start)

    def _told(self) -> str:
        return f"part {self._limit} {self._seed} {self._held_out}"


@final
class Sampled(Derived):
    """The rows of weight above zero that a lot drawn by position takes; the others are not there at all.

    Parameters
    ----------
    source : Source
    share : float
        Probability that a row is taken, between 0 and 1.
    seed : int
        Of the lot.
    """

    def __init__(self, source: Source, share: float, seed: int) -> None:
        super().__init__(source)
        self._share, self._seed = share, seed

    @property
    def n_rows(self) -> None:
        """Only reading tells."""
        return None

    @property
    def ready(self) -> bool:
        """They have to be gathered."""
        return False

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order, and hand on those that are taken."""
        start = 0
        for chunk in self._source.chunks():
            for piece in pieces(chunk, ROWS_PER_READ):
                x, weights = taken(piece, self._share, self._seed)
                if len(x):
                    yield Chunk(x, weights, start)
                    start += len(x)

    def partitions(self) -> None:
        """None: where a part begins depends on those before it."""
        return

    def _told(self) -> str:
        return f"sample {self._share} {self._seed}"


def taken(chunk: Chunk, share: float, seed: int) -> tuple[NDArray[np.floating], NDArray[np.float64] | None]:
    """Return the rows of a chunk that a lot takes, in C order, and their weights."""
    mine = row_keys(seed, np.arange(chunk.start, chunk.stop)) < np.uint64(int(share * 2.0**64))
    if chunk.weights is not None:
        mine &= chunk.weights > 0.0
    index = np.flatnonzero(mine)
    weights = None if chunk.weights is None else chunk.weights[index]
    return np.ascontiguousarray(chunk.x.take(index, axis=0)), weights


@final
class DropMissing(Derived):
    """Rows in which a value is missing get weight zero, and zeros for values.

    The positions of all other rows stay what they were. Only pieces of at most 65,536 rows that hold such a
    row are copied. Infinite values are not missing.

    Parameters
    ----------
    source : Source
    """

    def derive(self, chunk: Chunk) -> Iterator[Chunk]:
        """Leave out rows with gaps."""
        for piece in pieces(chunk, ROWS_PER_READ):
            gaps = rows_with_gaps(piece.x)
            yield without_rows(piece, gaps) if gaps.size else piece


def rows_with_gaps(x: NDArray[np.floating]) -> NDArray[np.intp]:
    """Positions of the rows of x (rows, D) in which a value is NaN."""
    return np.flatnonzero(np.isnan(x).any(axis=1))
