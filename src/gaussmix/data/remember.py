"""What is costly to read is read once, since a fit asks for the same rows a hundred times."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import final

from gaussmix.data.source import Chunk, Partition, Source
from gaussmix.data.spool import Spool
from gaussmix.data.transform import Derived
from gaussmix.errors import DataWarning

BUDGET = 192 * 2**20
"""Bytes of rows worth keeping in memory: 25 million float64 values."""


@final
class Remembered(Derived):
    """A source whose rows stay in memory from the first complete reading on, if they fit the budget.

    Of more rows the first stay, as many as fit, where the source can be read from somewhere else than its beginning.

    Parameters
    ----------
    source : Source
        One whose reading costs parsing or converting.
    budget : int
        Bytes of rows and weights that may be kept in memory.
    spooled : bool
        Whether rows beyond the budget are kept in a temporary file; else every reading reads them again.
    told : bool
        Whether a warning tells of that file.
    """

    def __init__(self, source: Source, budget: int = BUDGET, spooled: bool = False, *, told: bool = True) -> None:
        super().__init__(source)
        # Rows that are known to be too many, were they float32, are not even collected, if all or none can be kept.
        too_many = source.n_rows is not None and 4 * source.n_rows * source.n_features > budget
        self._budget = 0 if too_many and not spooled and source.after(0) is None else budget
        self._spooled = spooled
        self._loud = told
        self._rows: tuple[Chunk, ...] | None = None
        self._rest: Source | None = None
        self._spool: Spool | None = None

    @property
    def n_bytes(self) -> int | None:
        """Bytes that one reading takes from now on."""
        if self._rows is not None and self._rest is None:
            return sum(map(_bytes, self._rows))
        return self._source.n_bytes if self._spool is None else self._spool.path.stat().st_size

    @property
    def kept_bytes(self) -> int:
        """Bytes of the rows in memory; before the first reading, of as many as may be kept of float64 with weights."""
        if self._rows is not None or self._spool is not None:
            return sum(map(_bytes, self._rows or ()))
        rows = self._source.n_rows
        return self._budget if rows is None else min(8 * rows * (self._source.n_features + 1), self._budget)

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        if self._rows is not None:
            yield from self._rows
            if self._rest is not None:
                yield from self._rest.chunks()
        elif self._spool is not None:
            yield from self._spool.chunks()
        else:
            yield from self._first_reading()

    def partitions(self) -> Sequence[Partition] | None:
        """Return the parts of the source, which others may remember or not."""
        return self._source.partitions()

    def _told(self) -> str:
        return "as it is"

    def _first_reading(self) -> Iterator[Chunk]:
        keeping: list[Chunk] = []
        spool: Spool | None = None
        kept, room = 0, self._budget
        for chunk in self._source.chunks():
            if room > 0:
                chunk = chunk.by_rows()  # once, instead of at every reading
                keeping.append(chunk)
                kept += _bytes(chunk)
            elif spool is not None:
                spool.write(chunk)
            if kept > room > 0:
                spool, room = self._spool_of(keeping), 0
                keeping = keeping[:-1] if spool is None and self._source.after(0) is not None else []
            yield chunk
        if spool is not None:
            size = spool.close()
            if self._loud:
                self._tell(size)
            self._spool = spool
        elif room > 0:
            self._rows = tuple(keeping)
        else:
            self._keep_first(keeping)

    def _keep_first(self, chunks: list[Chunk]) -> None:
        """Keep as many of the first rows as there are before a place from which the source can be read."""
        self._budget = 0
        for count in range(len(chunks), 0, -1):
            rest = self._source.after(chunks[count - 1].stop)
            if rest is not None:
                self._rows, self._rest = tuple(chunks[:count]), rest
                return

    def _spool_of(self, chunks: list[Chunk]) -> Spool | None:
        if not self._spooled:
            return None
        spool = Spool(self.description)
        for chunk in chunks:
            spool.write(chunk)
        return spool

    def _tell(self, size: int) -> None:
        warnings.warn(
            f"{self.description}: its rows were written once to a temporary Arrow file of {size / 1e6:,.1f} MB, since "
            "they are read many times. Convert them to Parquet to save that the next time; TMPDIR chooses the folder.",
            DataWarning,
            stacklevel=2,
        )


def _bytes(chunk: Chunk) -> int:
    return chunk.x.nbytes + (0 if chunk.weights is None else chunk.weights.nbytes)
