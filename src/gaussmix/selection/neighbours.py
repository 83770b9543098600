"""Warm starts between neighbours in the grid: what one candidate has found is tried as a start of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import final

import numpy as np

from gaussmix.covariance import Family
from gaussmix.fitting.contest import Contest
from gaussmix.fitting.race import Runner
from gaussmix.fitting.starts.groups import groups_of, join_nearest, splits
from gaussmix.fitting.starts.start import Start

Key = tuple[str, int]
Suggestion = tuple[Key, str, Key]

_MOST_SPLITS = 8


@final
class Neighbours:
    """The leaders of a grid of contests, and what they suggest to each other.

    Parameters
    ----------
    contests : mapping from (structure, K) to Contest
        Of one source, all at the same stage.
    followed : dict from (to whom, kind, from whom) to float
        Suggestions made before, and the objective of the leader that made them; those that are made are added.
    same : float
        Difference of two objectives up to which they are those of one optimum.
    """

    def __init__(
        self, contests: Mapping[Key, Contest], followed: dict[Suggestion, float] | None = None, same: float = 0.0
    ) -> None:
        self._contests = contests
        self._followed = {} if followed is None else followed
        self._same = same
        self._leaders = {key: leader for key, contest in contests.items() if (leader := contest.leader) is not None}
        self._found: dict[Key, Start | None] = {}
        self._by_objective: dict[int, list[Family]] = {}
        for key in sorted(self._leaders, key=lambda key: -self._leaders[key].objective):
            self._by_objective.setdefault(key[1], []).append(contests[key].family)

    def suggestions(self, key: Key) -> tuple[Runner, ...]:
        """Return what the neighbours suggest to this candidate and have not suggested before; not run yet."""
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
        key, mine = (family.name, k), self._leaders.get((family.name, k))
        simpler = self._best(k, lambda other: other.lies_in(family))
        ahead = simpler is not None and (mine is None or mine.objective < self._leaders[simpler].objective)
        if simpler is not None and ahead and self._is_new(key, "simpler", simpler):
            yield Runner("simpler", self._leaders[simpler].mixture)
        other = self._best(k, lambda other: not other.lies_in(family))
        if (groups := self._groups(key, "other structure", other)) is not None:
            yield Runner("other structure", groups)
        if (fewer := self._groups(key, "split", (family.name, k - 1))) is not None:
            spreads = np.trace(fewer.scatters, axis1=1, axis2=2)
            widest = np.argsort(-spreads)[:_MOST_SPLITS].tolist()
            yield from (Runner("split", start) for start in splits(fewer, widest))
        if (more := self._groups(key, "merged", (family.name, k + 1))) is not None:
            yield Runner("merged", join_nearest(more))

    def _is_new(self, key: Key, kind: str, other: Key) -> bool:
        """Whether another candidate has not made this suggestion from the optimum where it stands; now it has."""
        objective, suggestion = self._leaders[other].objective, (key, kind, other)
        if abs(objective - self._followed.get(suggestion, math.inf)) <= self._same:
            return False
        self._followed[suggestion] = objective
        return True

    def _best(self, n_components: int, wanted: Callable[[Family], bool]) -> Key | None:
        """Return where the highest objective stands among the wanted structures with this many components."""
        families = self._by_objective.get(n_components, ())
        return next(((family.name, n_components) for family in families if wanted(family)), None)

    def _groups(self, key: Key, kind: str, other: Key | None) -> Start | None:
        """Return the groups that another candidate's leader makes of the rows, for a new suggestion."""
        if other is None or other not in self._leaders or not self._is_new(key, kind, other):
            return None
        if other not in self._found:
            self._found[other] = groups_of(self._leaders[other], self._contests[other].model)
        return self._found[other]
