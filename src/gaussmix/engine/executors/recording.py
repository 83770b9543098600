"""Passes that are written down as they end, so that a fit that was broken off can go on without making them again.

A method asks for the same passes whenever it is run on the same rows, and a pass gives the same bits whenever it is
made. So what it found out is recorded under a digest of what was asked: whoever asks again is answered from the
journal, and the first question that is not in it goes to the rows. What comes out is what an undisturbed run would have
found.

Only passes over all rows are recorded, and of these only answers that are smaller than the rows: passes over the row
sample, the M-steps in between and whatever fits into memory whole are made again in less time than keeping them takes.
The journal grows by the statistics of a pass at a time, K (1 + D + S) numbers for each mixture that was asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final
from weakref import WeakKeyDictionary

from gaussmix import serialization
from gaussmix.data.source import Chunk, Source
from gaussmix.data.steady import bit_sum
from gaussmix.engine.executors.executor import Asked, Engine, Mapped
from gaussmix.engine.fold import Fold
from gaussmix.engine.records import digest, pack, unpack
from gaussmix.errors import CheckpointError
from gaussmix.journal import Journal

_ROWS = digest("the rows")  # the key under which their identity is kept


@final
@dataclass(frozen=True)
class BitSumFold(Fold[tuple[int, int], tuple[int, int]]):
    """The number of rows, and a sum over their bits."""

    @property
    def state_bytes(self) -> int:
        """Two numbers."""
        return 64

    def segment(self, chunk: Chunk) -> tuple[int, int]:
        """Count and sum one segment."""
        return len(chunk.x), bit_sum(chunk)

    def merge(self, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
        """Add."""
        return left[0] + right[0], (left[1] + right[1]) % 2**64

    def finish(self, state: tuple[int, int]) -> tuple[int, int]:
        """Return both."""
        return state


@final
class RecordingEngine(Engine):
    """Another engine, whose passes over all rows are kept in a journal.

    Parameters
    ----------
    engine : Engine
        Who computes.
    journal : Journal
        Where answers are kept.
    """

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal
        self._identities: WeakKeyDictionary[Source, str] = WeakKeyDictionary()
        self._recognised = False

    @property
    def near(self) -> Engine:
        """The engine's own, which nobody records."""
        return self._engine.near

    @property
    def budget(self) -> int:
        """The engine's own."""
        return self._engine.budget

    def reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        """Return the result of every fold: from the journal where it is there, else by one read.

        Raises
        ------
        CheckpointError
            When the rows are not those that the journal is about.
        """
        identity = self._identity(source)
        keys = [digest(identity, fold, n_rows) for fold in folds]
        found = [self._recalled(key) for key in keys]
        lacking = [i for i, answer in enumerate(found) if answer is None]
        if lacking:
            answers = self._engine.reduce([folds[i] for i in lacking], source, n_rows)
            for i, answer in zip(lacking, answers, strict=True):
                found[i] = answer
                self._record(keys[i], answer, 8 * (source.n_rows or n_rows or 2**62) * source.n_features)
        return found

    def sample(self, source: Source, share: float, seed: int) -> Source:
        """Return a share of the rows, which is drawn again rather than recorded."""
        return self._engine.sample(source, share, seed)

    def map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        """Yield `work` of every `rows` rows, none of which is recorded."""
        return self._engine.map(work, source, rows)

    def each(self, work: Callable[[Asked], Mapped], items: Sequence[Asked]) -> list[Mapped]:
        """Return `work` of every item, none of which is recorded."""
        return self._engine.each(work, items)

    def _recalled(self, key: bytes) -> Any:
        content = self._journal.get(key)
        return None if content is None else unpack(*serialization.decode(content, kind="pass"))

    def _record(self, key: bytes, answer: object, row_bytes: int) -> None:
        arrays, header = pack(answer)
        if sum(array.nbytes for array in arrays.values()) < row_bytes:
            self._journal.put(key, serialization.encode(arrays, header, kind="pass"))

    def _identity(self, source: Source) -> str:
        if source not in self._identities:
            known = source.identity
            if known is None:
                known = repr(self._engine.reduce([BitSumFold()], source, None)[0])
            self._identities[source] = known
            self._recognise(known)
        return self._identities[source]

    def _recognise(self, identity: str) -> None:
        """Compare the first rows that are asked about with those of the runs before."""
        if self._recognised:
            return
        self._recognised = True
        before = self._journal.get(_ROWS)
        if before is None:
            self._journal.put(_ROWS, identity.encode())
        elif before.decode() != identity:
            raise CheckpointError(
                f"{self._journal.path} is about other rows: {_first_difference(before.decode(), identity)}. Give the "
                "data that it was begun with, or another checkpoint; a file counts as changed when its time does."
            )


def _first_difference(before: str, now: str) -> str:
    pairs = zip(before.split("; "), now.split("; "), strict=False)
    return next((f"{one!r:.300} then, {two!r:.300} now" for one, two in pairs if one != two), "more or fewer files")
