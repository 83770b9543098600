"""The workers of a Dask cluster: plans go out to the partitions, statistics come back along a fixed tree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, final

from gaussmix.data.open import open_source
from gaussmix.data.rebatch import rebatch
from gaussmix.data.remember import BUDGET
from gaussmix.data.source import Chunk, Partition, Source
from gaussmix.engine.executors.executor import Asked, Engine, Mapped
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.fold import Fold, Tree, fitting, segment_rows
from gaussmix.engine.sampling import RowsFold
from gaussmix.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Generator

Client: TypeAlias = Any
States = list[Any]
"""One state per fold."""

_BRANCHES = 8  # states that one task of the tree merges
_GLANCE = 1.0  # seconds between two looks at whether the cluster is still there
_CONNECTING = 10.0  # seconds that a scheduler is given to answer


@final
class DaskEngine(Engine):
    """Computes passes on a Dask cluster.

    Each pass is one graph: its plans, a task per partition, and a tree of sums. Nothing is pinned to a worker, and the
    plans are part of the graph, so that Dask can make again whatever is lost with a worker. Answers depend on how the
    rows are partitioned, to rounding, and not at all on the number of workers. The row sample is worked on here.

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
            states = self._computed(_graph(folds, parts, segment_rows(n_rows)))
        return [fold.finish(state) for fold, state in zip(folds, states, strict=True)]

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

    def _computed(self, root: Any) -> States:
        from dask import config

        # A plan of many large mixtures is worth its bytes; the warning is about data in graphs.
        with config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            future = self.client.compute(root)
        try:
            return self._awaited(future)
        finally:
            future.cancel()

    def _awaited(self, future: Any) -> States:
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


def _graph(folds: Sequence[Fold[Any, Any]], parts: Sequence[Partition], length: int) -> Any:
    """Return the root of a pass's graph: states of partitions, merged by eights in the order of the rows."""
    from dask.delayed import delayed

    plan = delayed(tuple(folds), traverse=False, pure=False)
    read, merge = delayed(_states, pure=False), delayed(_merged, pure=False)
    level = [read(plan, part.source, part.rows, length) for part in parts]
    while len(level) > 1:
        level = [merge(plan, *level[i : i + _BRANCHES]) for i in range(0, len(level), _BRANCHES)]
    return level[0]


def _states(folds: Sequence[Fold[Any, Any]], source: Source, rows: Any, length: int) -> States:
    """Return what one partition leaves behind, on a worker."""
    trees: list[Tree[Any]] = [Tree(fold) for fold in folds]
    with one_blas_thread():
        for stretch in rebatch(source if rows is None else source.filled(rows), length):
            chunk = fitting(folds, stretch)
            for fold, tree in zip(folds, trees, strict=True):
                tree.push(fold.segment(chunk))
    return [tree.root() for tree in trees]


def _merged(folds: Sequence[Fold[Any, Any]], *parts: States) -> States:
    """Return the merged states of consecutive partitions, on a worker."""
    merged: States = []
    for i, fold in enumerate(folds):
        tree: Tree[Any] = Tree(fold)
        for states in parts:
            tree.push(states[i])
        merged.append(tree.root())
    return merged
