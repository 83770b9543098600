"""Threads of this process: segments are computed out of order and merged in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar, final

from gaussmix._validation import positive_integer
from gaussmix.data.rebatch import rebatch
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.executors.threads import available_threads, one_blas_thread
from gaussmix.engine.fold import Fold, Tree, segment_rows

Asked = TypeVar("Asked")
Mapped = TypeVar("Mapped")


@final
class LocalEngine:
    """Computes passes with threads of this process.

    Parameters
    ----------
    threads : int, optional
        Number of threads; by default `GAUSSMIX_THREADS`, else the processors this process may run on. Answers do
        not depend on it, to the bit.

    Raises
    ------
    ParameterError
        When `threads` is not a positive integer.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = available_threads() if threads is None else positive_integer(threads, "threads")

    def __repr__(self) -> str:
        return f"LocalEngine(threads={self.threads})"

    def reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        """Read `source` once and return the result of every fold."""
        trees: list[Tree[Any]] = [Tree(fold) for fold in folds]

        def segment(chunk: Chunk) -> list[Any]:
            return [fold.segment(chunk) for fold in folds]

        for states in self.map(segment, source, segment_rows(n_rows)):
            for tree, state in zip(trees, states, strict=True):
                tree.push(state)
        return [fold.finish(tree.root()) for fold, tree in zip(folds, trees, strict=True)]

    def each(self, work: Callable[[Asked], Mapped], items: Sequence[Asked]) -> list[Mapped]:
        """Return `work` of every item, in order."""
        if self.threads == 1 or len(items) < 2:
            return [work(item) for item in items]

        results: list[Any] = [None] * len(items)
        stopped = Event()

        def share(first: int) -> None:
            for i in range(first, len(items), self.threads):
                if stopped.is_set():
                    return
                results[i] = work(items[i])

        with ThreadPoolExecutor(self.threads, thread_name_prefix="gaussmix") as pool:
            try:
                list(pool.map(share, range(self.threads)))
            except BaseException:
                # Leaving the pool waits for its threads: an interrupt must not wait for all that was to be done.
                stopped.set()
                raise
        return results

    def map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        """Yield `work` of every `rows` rows of `source`, in order, a few of them computed ahead."""
        chunks = rebatch(source, rows)
        first = next(chunks, None)
        if first is None:
            return
        with one_blas_thread():
            second = next(chunks, None)
            if second is None or self.threads == 1:
                yield work(first)
                if second is not None:
                    yield work(second)
                yield from map(work, chunks)
                return
            with ThreadPoolExecutor(self.threads, thread_name_prefix="gaussmix") as pool:
                yield from _ahead(pool, work, _chained(first, second, chunks), 2 * self.threads)


def _chained(first: Chunk, second: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield second
    yield from rest


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Chunk], Mapped], chunks: Iterator[Chunk], depth: int
) -> Iterator[Mapped]:
    """Keep at most `depth` chunks under way, so that memory does not grow with the source."""
    pending: deque[Future[Mapped]] = deque()
    try:
        for chunk in chunks:
            pending.append(pool.submit(work, chunk))
            if len(pending) >= depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
