"""The workers of a Dask cluster: plans go out to the partitions, statistics come back along a fixed tree."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias, final

from gaussmix.data.open import open_source
from gaussmix.data.rebatch import rebatch
from gaussmix.data.remember import BUDGET
from gaussmix.data.source import Chunk, Partition, Source
from gaussmix.engine.executors.executor import Asked, Engine, Mapped
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.fold import Branches, Fold, Tree, fitting, grow, joined, roots, segment_rows
from gaussmix.engine.sampling import RowsFold
from gaussmix.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Generator

Client: TypeAlias = Any
States = list[Any]
"""One state per fold."""

_BRANCHES = 8  # neighbouring partitions that one task may read, and branches of their tree that one puts together
_SPREAD = 4  # tasks for each thread where rows lie in files, which any worker may read
_REPEATED = 4_000_000  # bytes of plans that may be sent with the tasks of a pass
_GLANCE = 1.0  # seconds between two looks at whether the cluster is still there
_CONNECTING = 10.0  # seconds that a scheduler is given to answer


@final
class DaskEngine(Engine):
    """Computes passes on a Dask cluster.

    Each pass is one graph: its plans, a task for neighbouring partitions that lie on one worker, and a tree of sums.
    Nothing is pinned to a worker, and plans are part of the graph, so that Dask can make again whatever is lost with
    a worker. Answers depend on how the rows are partitioned, to rounding, and not at all on the number of workers or
    where partitions lie. The row sample is worked on here.

    Workers need gaussmix, and paths that they can read; data that fit into the cluster's memory should be persisted
    (`x = x.persist()`), since others are computed again at every pass.

    Parameters
    ----------
    client : distributed.Client or str
        A client, or the address of a scheduler such as "tcp://host:8786".
    patience : float
        Seconds that a pass may wait for a first worker before it is given up.

    Raises
    ------
    ClusterError
        When no scheduler answers at the address.
    """

    def __init__(self, client: Client | str, patience: float = 60.0) -> None:
        self.client = _connected(client) if isinstance(client, str) else client
        self.patience = patience
        self._near = LocalEngine()

    def __repr__(self) -> str:
        return f"DaskEngine({self.client!r})"

    @property
    def near(self) -> LocalEngine:
        """Threads of this process."""
        return self._near

    @property
    def budget(self) -> int:
        """What is kept here; rows on the cluster are kept by `persist`."""
        return BUDGET

    def reduce(self, folds: Sequence[Fold[Any, Any]], source: Source, n_rows: int | None) -> list[Any]:
        """Read `source` once and return the result of every fold.

        Raises
        ------
        ClusterError
            When the rows can only be read here, or the cluster is lost.
        """
        parts = source.partitions()
        if parts is None:
            raise ClusterError(
                f"{source.description} can be read by this process only. Give the cluster Parquet, .npy or Arrow "
                "files, or a Dask collection (dask.dataframe.read_csv(path), dask.array.from_array(x).persist()), or "
                "leave the engine out."
            )
        with _named_errors(self.client):
            branches = self._computed(_graph(folds, parts, self._groups(parts), segment_rows(n_rows)))
        states = roots(folds, joined(folds, branches))
        return [fold.finish(state) for fold, state in zip(folds, states, strict=True)]

    def _groups(self, parts: Sequence[Partition]) -> list[list[int]]:
        """Return which partitions are read by one task: neighbours that lie on one worker, or in files.

        Where they lie says how much is done at once, not what comes out, nor on which worker it has to be done.
        """
        threads, places = self._whereabouts([part.rows.key for part in parts if part.rows is not None])
        lying: dict[str | None, list[int]] = {}
        groups: list[list[int]] = []
        for i, part in enumerate(parts):
            where = None if part.rows is None else places.get(part.rows.key)
            if part.rows is None or where in threads:
                lying.setdefault(where, []).append(i)
            else:
                groups.append([i])  # made for this pass: not more of them at a time than there must be
        for where, mine in lying.items():
            hands = _SPREAD * sum(threads.values()) if where is None else threads[where]
            size = max(1, min(_BRANCHES, len(mine) // max(1, hands)))
            for _, block in groupby(mine, key=lambda i: i // _BRANCHES):
                some = list(block)
                groups += [some[first : first + size] for first in range(0, len(some), size)]
        return sorted(groups)

    def _whereabouts(self, keys: Sequence[Any]) -> tuple[dict[str, int], dict[Any, str]]:
        """Return how many threads each worker has, and on which one the results of some tasks lie, if anywhere.

        Nothing where the scheduler does not say: whether it is lost shows when results are waited for.
        """
        scheduler = self.client.scheduler

        async def asked() -> tuple[Any, Any]:
            return await scheduler.ncores(workers=None), await scheduler.who_has(keys=list(keys))

        try:
            threads, found = self.client.sync(asked, callback_timeout=_CONNECTING)
        except OSError:
            return {}, {}
        return threads, {key: min(where) for key, where in found.items() if where}

    def sample(self, source: Source, share: float, seed: int) -> Source:
        """Return a share of the rows, drawn where they are and brought here."""
        x, weights = self.reduce([RowsFold(share, seed)], source, source.n_rows)[0]
        return open_source(x, weights=weights)

    def map(self, work: Callable[[Chunk], Mapped], source: Source, rows: int) -> Iterator[Mapped]:
        """Yield `work` of every `rows` rows, done here: what every row gives is no smaller than the rows."""
        return self._near.map(work, source, rows)

    def each(self, work: Callable[[Asked], Mapped], items: Sequence[Asked]) -> list[Mapped]:
        """Return `work` of every item, done here."""
        return self._near.each(work, items)

    def _computed(self, tasks: Sequence[Any]) -> list[Branches]:
        from dask import config

        # A plan of many large mixtures is worth its bytes; the warning is about data in graphs.
        with config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            futures = self.client.compute(list(tasks))
        try:
            return [self._awaited(future) for future in futures]
        except BaseException:
            self.client.cancel(futures)
            raise

    def _awaited(self, future: Any) -> Branches:
        """Wait for a result as long as there is somebody to make it."""
        connected = populated = time.monotonic()
        while True:
            try:
                return future.result(timeout=_GLANCE)
            except TimeoutError:
                if future.status == "error":  # the task's own
                    raise
            now = time.monotonic()
            running = self.client.status == "running"
            connected = now if running else connected
            if now - connected > _CONNECTING or self.client.status == "closed":
                raise _lost(self.client)
            populated = now if not running or self.client.scheduler_info()["workers"] else populated
            if now - populated > self.patience:
                raise ClusterError(
                    f"the cluster has had no workers for {self.patience:.0f} seconds; start some, or look into their "
                    "logs for why they ended"
                )


def _connected(address: str) -> Client:
    try:
        from distributed import Client as DistributedClient
    except ImportError as error:
        raise ClusterError("Dask is not installed; install gaussmix[dask]") from error
    try:
        return DistributedClient(address, timeout=_CONNECTING, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {address} ({type(error).__name__}); check the address (tcp://host:8786) and that "
            "dask scheduler runs there"
        ) from error


def _lost(client: Client) -> ClusterError:
    address = getattr(getattr(client, "scheduler", None), "address", None) or "its address"
    return ClusterError(
        f"the scheduler at {address} does not answer any more; start it again and make a new client. With "
        "checkpoint=PATH a fit goes on where it was"
    )


@contextmanager
def _named_errors(client: Client) -> Generator[None]:
    """Turn what Dask raises about itself into ClusterErrors; what a task raises passes."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"several workers died over one partition ({error}); it may not fit into their memory: make partitions "
            "smaller, or workers larger"
        ) from error
    except (CancelledError, FutureCancelledError, CommClosedError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise
        raise _lost(client) from error


def _graph(
    folds: Sequence[Fold[Any, Any]], parts: Sequence[Partition], groups: Sequence[Sequence[int]], length: int
) -> list[Any]:
    """Return the tasks of a pass: a few branches of the tree of partitions, which make up all of it."""
    from dask.delayed import delayed
    from distributed.protocol import pickle as anything

    sent = anything.dumps(tuple(folds))
    # A task of its own, whose result workers hand to each other, only where that is less to be sent.
    plan = sent if len(sent) * len(groups) <= _REPEATED else delayed(sent, traverse=False, pure=False)
    read, merge = delayed(_branches, pure=False), delayed(_merged, pure=False)
    level: list[tuple[int, Any]] = []
    for group in groups:
        sources = [(i, parts[i].source) for i in group]
        level.append((group[0], read(plan, sources, [parts[i].rows for i in group], length)))
    while len(level) > _BRANCHES:
        blocks = groupby(level, key=lambda each: each[0] // _BRANCHES)
        level = [(at, merge(plan, [task for _, task in some])) for at, some in blocks]
    return [task for _, task in level]


def _branches(plan: bytes, sources: Sequence[tuple[int, Source]], rows: Sequence[Any], length: int) -> Branches:
    """Return what some partitions leave behind, on a worker."""
    folds = pickle.loads(plan)
    found: Branches = {}
    for (i, source), mine in zip(sources, rows, strict=True):
        grow(folds, found, 0, i, _states(folds, source if mine is None else source.filled(mine), length))
    return found


def _states(folds: Sequence[Fold[Any, Any]], source: Source, length: int) -> States:
    trees: list[Tree[Any]] = [Tree(fold) for fold in folds]
    with one_blas_thread():
        for stretch in rebatch(source, length):
            chunk = fitting(folds, stretch)
            for fold, tree in zip(folds, trees, strict=True):
                tree.push(fold.segment(chunk))
    return [tree.root() for tree in trees]


def _merged(plan: bytes, some: Sequence[Branches]) -> Branches:
    """Return branches put together, on a worker."""
    return joined(pickle.loads(plan), some)
