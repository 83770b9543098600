"""Warm starts between neighbours in the grid: what one candidate has found is tried as a start of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import final

import numpy as np

from gaussmix.covariance import Family
from gaussmix.fitting.candidate import Contest
from gaussmix.fitting.race import Runner
from gaussmix.fitting.starts.groups import groups_of, merge, nearest_pairs, split
from gaussmix.fitting.starts.start import Start

Key = tuple[str, int]

_MOST_SPLITS = 8


@final
class Neighbours:
    """The leaders of a grid of contests, and what they suggest to each other.

    Parameters
    ----------
    contests : mapping from (structure, K) to Contest
        Of one source, all at the same stage.
    """

    def __init__(self, contests: Mapping[Key, Contest]) -> None:
        self._contests = contests
        self._leaders = {key: leader for key, contest in contests.items() if (leader := contest.leader) is not None}

    def suggestions(self, key: Key) -> tuple[Runner, ...]:
        """Return what the neighbours suggest to this candidate, not run yet."""
        contest = self._contests[key]
        return () if contest.n_components == 1 else tuple(self._runners(contest))

    def potential(self, key: Key) -> float:
        """Return the highest objective that the candidate, or a structure that it lies in, has come to so far.

        A structure cannot do better than one that it lies in; what those have not found yet, it may.
        """
        family, k = self._contests[key].family, key[1]
        best = self._best(k, lambda other: family.lies_in(other))
        return self._leaders[best].objective if best is not None else math.inf

    def within_reach(self, key: Key) -> float:
        """Return the highest objective of a structure that lies in the candidate's, which thus can reach it too."""
        family, k = self._contests[key].family, key[1]
        best = self._best(k, lambda other: other.lies_in(family))
        return self._leaders[best].objective if best is not None else -math.inf

    def _runners(self, contest: Contest) -> Iterator[Runner]:
        k, family = contest.n_components, contest.family
        simpler = self._best(k, lambda other: other.lies_in(family))
        mine = self._leaders.get((family.name, k))
        if simpler is not None and (mine is None or mine.objective < self._leaders[simpler].objective):
            yield Runner("simpler", self._leaders[simpler].mixture)
        other = self._best(k, lambda other: not other.lies_in(family))
        if other is not None and (groups := self._groups(other)) is not None:
            yield Runner("other structure", groups)
        if (fewer := self._groups((family.name, k - 1))) is not None:
            spreads = np.trace(fewer.scatters, axis1=1, axis2=2)
            for component in np.argsort(-spreads)[:_MOST_SPLITS]:
                yield Runner("split", split(fewer, int(component)))
        if (more := self._groups((family.name, k + 1))) is not None:
            yield Runner("merged", merge(more, *nearest_pairs(more)[0]))

    def _best(self, n_components: int, wanted: Callable[[Family], bool]) -> Key | None:
        """Return where the highest objective stands among the wanted structures with this many components."""
        keys = [
            key
            for key, contest in self._contests.items()
            if key in self._leaders and key[1] == n_components and wanted(contest.family)
        ]
        return max(keys, key=lambda key: self._leaders[key].objective, default=None)

    def _groups(self, key: Key) -> Start | None:
        leader = self._leaders.get(key)
        return None if leader is None else groups_of(leader, self._contests[key].model)
