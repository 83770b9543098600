"""Laws: a tree of states is the same tree in whichever order its branches grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.data import open_source
from gaussmix.data.source import Chunk, Partition
from gaussmix.engine.executors.dask import DaskEngine, _graph
from gaussmix.engine.fold import Branches, Fold, Tree, grow, joined, roots


@dataclass(frozen=True)
class Told(Fold[str, str]):
    """Says what was merged with what."""

    state_bytes = 8

    def segment(self, chunk: Chunk) -> str:
        return str(chunk.start)

    def merge(self, left: str, right: str) -> str:
        return f"({left} {right})"

    def finish(self, state: str) -> str:
        return state


pytest.importorskip("distributed", reason="Dask is not installed")


def told(count: int) -> str:
    tree: Tree[str] = Tree(Told())
    for i in range(count):
        tree.push(str(i))
    return tree.root()


def by_eights(count: int) -> str:
    """The tree in levels, each of its nodes made of eight of those below."""
    level = [str(i) for i in range(count)]
    while len(level) > 1:
        merged = []
        for start in range(0, len(level), 8):
            tree: Tree[str] = Tree(Told())
            for state in level[start : start + 8]:
                tree.push(state)
            merged.append(tree.root())
        level = merged
    return level[0]


@given(
    count=st.integers(1, 700),
    groups=st.integers(1, 40),
    order=st.randoms(use_true_random=False),
)
def test_a_tree_is_the_same_from_any_branches_in_any_order(count, groups, order):
    leaves = list(range(count))
    order.shuffle(leaves)
    made: list[Branches] = []
    for group in range(groups):
        branches: Branches = {}
        for i in leaves[group::groups]:
            grow([Told()], branches, 0, i, [str(i)])
        made.append(branches)
    half = len(made) // 2
    whole = joined([Told()], [joined([Told()], made[half:]), *made[:half]])
    assert roots([Told()], whole) == [told(count)]
    assert told(count) == by_eights(count)


class Rows(SimpleNamespace):
    """What a partition is made of, by the key that the cluster knows."""


@given(
    places=st.lists(st.sampled_from(["a", "b", "gone", None, "file"]), min_size=1, max_size=100),
    threads=st.fixed_dictionaries({"a": st.integers(1, 5), "b": st.integers(1, 5)}),
)
def test_partitions_are_read_together_where_they_lie_together(places, threads):
    found = {i: [place] for i, place in enumerate(places) if place not in (None, "file")}
    client = SimpleNamespace(scheduler=SimpleNamespace(), sync=lambda *_, **__: (threads, found))
    source = open_source(np.zeros((1, 1)))
    parts = [Partition(source, 1, None if place == "file" else Rows(key=i)) for i, place in enumerate(places)]
    groups = DaskEngine(client)._groups(parts)
    assert sorted(i for group in groups for i in group) == list(range(len(places))), "each once"
    for group in groups:
        assert len({places[i] for i in group}) == 1
        assert len({i // 8 for i in group}) == 1, "a group lies within the leaves of one branch"
        if places[group[0]] in (None, "gone"):
            assert len(group) == 1, "what has to be made is not made all at once"
    for worker, hands in threads.items():
        mine = [group for group in groups if places[group[0]] == worker]
        assert len(mine) >= min(hands, places.count(worker)), "every thread has something to do"


class Row(SimpleNamespace):
    """A source of one row."""

    def chunks(self) -> Iterator[Chunk]:
        yield Chunk(np.zeros((1, 1)), None, self.start)


@pytest.mark.parametrize("repeated", [0, 10**9])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65, 1000])
def test_a_graph_ends_in_few_branches(count, repeated, monkeypatch):
    monkeypatch.setattr("gaussmix.engine.executors.dask._REPEATED", repeated)
    parts = [Partition(cast(Any, Row(start=i)), 1) for i in range(count)]
    tasks = _graph([Told()], parts, [[i] for i in range(count)], 32)
    assert len(tasks) <= 8
    branches = [task.compute(scheduler="synchronous") for task in tasks]
    assert roots([Told()], joined([Told()], branches)) == [told(count)]
