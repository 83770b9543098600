"""Threads of this process: segments are computed out of order and merged in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Event
from typing import Any, final

import numpy as np

from gaussmix._validation import memory_size, positive_integer
from gaussmix.data.rebatch import rebatch
from gaussmix.data.remember import BUDGET, Remembered
from gaussmix.data.source import Chunk, Source
from gaussmix.data.transform import Sampled
from gaussmix.engine.executors.executor import Asked, Engine, Mapped
from gaussmix.engine.executors.threads import available_threads, one_blas_thread
from gaussmix.engine.fold import Fold, Tree, fitting, segment_rows

LEAST_MEMORY = 16_000_000
_AHEAD, _AHEAD_BYTES = 4, 64_000_000  # stretches for each thread that are read ahead, and what they may take
_KEPT_WHEN_FREED = 31 * 2**20
_WAITING = 3  # stretches for each other thread, under way or ready, while which the one that reads computes, too
_MERGING = 24  # states of a fold that wait in its tree at most, beside those under way


@final
class LocalEngine(Engine):
    """Computes passes with threads of this process.

    Parameters
    ----------
    threads : int, optional
        Number of threads; by default `GAUSSMIX_THREADS`, else the processors this process may run on. Answers do
        not depend on it, to the bit.
    memory_limit : int or str, optional
        Bytes, or a size such as "500MB" or "2GB", that rows and sums may take beside what the interpreter, its
        libraries and data given in memory take anyway. Half of it is for rows that would have to be parsed or
        decoded again and for samples of them (192 MB and 64 MB without a limit; what does not fit stays in its file),
        a quarter for rows under way, a quarter for the sums of one read: what asks for more is spread over several
        reads. Answers do not depend on it.

    Raises
    ------
    ParameterError
        When `threads` is not a positive integer, or the limit is no size or less than 16 MB.
    """

    def __init__(self, threads: int | None = None, memory_limit: int | str | None = None) -> None:
        self.threads = available_threads() if threads is None else positive_integer(threads, "threads")
        self.memory_limit = (
            None if memory_limit is None else memory_size(memory_limit, "memory_limit", least=LEAST_MEMORY)
        )

    def __repr__(self) -> str:
        limit = "" if self.memory_limit is None else f", memory_limit={self.memory_limit}"
        return f"LocalEngine(threads={self.threads}{limit})"

    @property
    def near(self) -> LocalEngine:
        """Itself."""
        return self

    @property
    def budget(self) -> int:
        """Three eighths of the limit, or 192 MB."""
        return BUDGET if self.memory_limit is None else 3 * self.memory_limit // 8

    @property
    def sample_budget(self) -> int:
        """Bytes that a share of the rows may take: a third of what the rows themselves may."""
        return self.budget // 3

    def under_way(self, source: Source, rows: int) -> int:
        """Return how many stretches of `rows` rows of `source` are read before the first of them is computed.

        What is decoded comes in bursts, a page of every column at a time: more of it has to lie ready, while that is
        little.
        """
        stretch = 8 * rows * (source.n_features + 1)
        ahead = 2 if source.ready else max(2, min(_AHEAD, _AHEAD_BYTES // (stretch * self.threads)))
        depth = ahead * self.threads
        if self.memory_limit is None:
            return depth
        return max(1, min(depth, self.memory_limit // 4 // stretch))

    def reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        """Read `source` once, or as often as the memory limit asks for, and return the result of every fold."""
        found: list[Any] = []
        for some in self._shares(folds, self.under_way(source, segment_rows(n_rows)) + _MERGING):
            found += self._reduce(some, source, n_rows)
        return found

    def _shares(self, folds: Sequence[Fold[Any, Any]], states: int) -> Iterator[Sequence[Fold[Any, Any]]]:
        """Cut the folds into groups whose states fit into a quarter of the memory limit."""
        room = float("inf") if self.memory_limit is None else self.memory_limit / 4
        group: list[Fold[Any, Any]] = []
        taken = 0
        for fold in folds:
            needed = states * fold.state_bytes
            if group and taken + needed > room:
                yield group
                group, taken = [], 0
            group.append(fold)
            taken += needed
        yield group

    def _reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        trees: list[Tree[Any]] = [Tree(fold) for fold in folds]

        def segment(chunk: Chunk) -> list[Any]:
            rows = fitting(folds, chunk)
            return [fold.segment(rows) for fold in folds]

        for states in self._map(segment, source, segment_rows(n_rows)):
            for tree, state in zip(trees, states, strict=True):
                tree.push(state)
        return [fold.finish(tree.root()) for fold, tree in zip(folds, trees, strict=True)]

    def sample(self, source: Source, share: float, seed: int) -> Source:
        """Return a share of the rows; what is beyond the budget is kept in a temporary file."""
        return Remembered(Sampled(source, share, seed), self.sample_budget, spooled=True, told=False)

    def each(self, work: Callable[[Asked], Mapped], items: Sequence[Asked]) -> list[Mapped]:
        """Return `work` of every item, in order."""
        if self.threads == 1 or len(items) < 2:
            return [work(item) for item in items]

        results: list[Any] = [None] * len(items)
        stopped, waiting = Event(), iter(range(len(items)))

        def share() -> None:
            while not stopped.is_set():
                i = next(waiting, None)  # a single step of the interpreter: no other thread gets the same
                if i is None:
                    return
                try:
                    results[i] = work(items[i])
                except BaseException:
                    stopped.set()
                    raise

        # This thread works, too: a search asks many times, each time for a few milliseconds.
        with ThreadPoolExecutor(self.threads - 1, thread_name_prefix="gaussmix") as pool:
            try:
                others = [pool.submit(share) for _ in range(self.threads - 1)]
                share()
                for other in others:
                    other.result()
            except BaseException:
                # Leaving the pool waits for its threads: an interrupt must not wait for all that was to be done.
                stopped.set()
                raise
        return results

    def map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        """Yield `work` of every `rows` rows of `source`, in order, a few of them computed ahead."""
        return self._map(_on_rows(work), source, rows)

    def _map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        chunks = rebatch(source, rows)
        first = next(chunks, None)
        if first is None:
            return
        with one_blas_thread():
            try:
                second = next(chunks, None)
            except Exception:
                yield work(first)
                raise
            # With one thread too, what has to be decoded or waited for is read while the thread computes.
            if second is None or (self.threads == 1 and source.ready):
                yield work(first)
                if second is not None:
                    yield work(second)
                yield from map(work, chunks)
                return
            depth = self.under_way(source, rows)
            _keep_what_is_freed()
            others = self.threads - 1
            enough = min((2 if source.ready else _WAITING) * others, depth - 1) if others else depth
            with ThreadPoolExecutor(max(1, others), thread_name_prefix="gaussmix") as pool:
                yield from _ahead(pool, work, _chained(first, second, chunks), depth, enough)


def _now(work: Callable[[Chunk], Mapped], chunk: Chunk) -> Future[Mapped]:
    """Return the result of work that this thread has done; an error waits for its turn."""
    done: Future[Mapped] = Future()
    try:
        done.set_result(work(chunk))
    except Exception as error:
        done.set_exception(error)
    return done


@lru_cache(maxsize=1)
def _keep_what_is_freed() -> None:
    """Have the C library keep the room of one stretch for the next.

    glibc hands back what is free beyond twice the largest block that it has seen freed, and it then takes a tenth of a
    pass over a file to be given the same pages again. A block that nobody touches costs nothing.
    """
    np.empty(_KEPT_WHEN_FREED, dtype=np.uint8)


def _on_rows(work: Callable[[Chunk], Mapped]) -> Callable[[Chunk], Mapped]:
    """Return `work` on rows that lie one after the other: columns are gathered by the thread that computes."""
    return lambda chunk: work(chunk.by_rows())


def _chained(first: Chunk, second: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield second
    yield from rest


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Chunk], Mapped], chunks: Iterator[Chunk], depth: int, enough: int
) -> Iterator[Mapped]:
    """Yield `work` of all chunks, in order, while others of them are computed.

    At most `depth` are under way, so that memory does not grow with the source. This thread reads, and while `enough`
    of them wait it computes, too: more threads than processors would keep each other from running.
    """
    pending: deque[Future[Mapped]] = deque()
    unread: Exception | None = None
    try:
        while True:
            try:
                chunk = next(chunks, None)
            except Exception as error:
                # What is wrong with rows before it comes first, whoever is faster.
                unread, chunk = error, None
            if chunk is None:
                break
            busy = sum(not future.done() for future in pending) >= enough
            pending.append(_now(work, chunk) if busy else pool.submit(work, chunk))
            while pending and (len(pending) >= depth or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
        if unread is not None:
            raise unread
    finally:
        for future in pending:
            future.cancel()
