"""Warm starts between neighbours in the grid: what one candidate has found is tried as a start of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import final

import numpy as np

from gaussmix.covariance import Family, Moment
from gaussmix.fitting.candidate import Contest
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.race import Runner
from gaussmix.fitting.starts.start import Start

Key = tuple[str, int]

_MOST_SPLITS = 8
_APART = 0.8  # standard deviations along its widest axis by which the halves of a component are moved


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
            yield Runner("merged", merge(more, *closest(more)))

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


def groups_of(outcome: Outcome, model: Model) -> Start | None:
    """Return the groups that a mixture makes of the rows; None where their full scatters were not kept."""
    statistics, units = outcome.statistics, model.pilot.spreads
    if statistics.moment is not Moment.FULL or not (statistics.mass > 0.0).all():
        return None
    matrices = statistics.scatter().matrices() / (units * units[:, None])
    return Start("neighbour", statistics.mass, statistics.means() / units, matrices)


def split(groups: Start, component: int) -> Start:
    """Return the groups with one of them cut in two along its widest axis."""
    mass, scatter = groups.mass[component], groups.scatters[component]
    values, vectors = np.linalg.eigh(scatter / mass)
    step = _APART * np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
    half = 0.5 * (scatter - mass * np.outer(step, step))
    rest = np.arange(len(groups.mass)) != component
    return Start(
        "split",
        np.concatenate([groups.mass[rest], [0.5 * mass, 0.5 * mass]]),
        np.concatenate([groups.means[rest], [groups.means[component] + step, groups.means[component] - step]]),
        np.concatenate([groups.scatters[rest], half[None], half[None]]),
    )


def merge(groups: Start, first: int, second: int) -> Start:
    """Return the groups with two of them made one."""
    pair = [first, second]
    mass = groups.mass[pair].sum()
    mean = groups.mass[pair] @ groups.means[pair] / mass
    gaps = groups.means[pair] - mean
    scatter = groups.scatters[pair].sum(axis=0) + (gaps.T * groups.mass[pair]) @ gaps
    rest = np.setdiff1d(np.arange(len(groups.mass)), pair)
    return Start(
        "merged",
        np.append(groups.mass[rest], mass),
        np.concatenate([groups.means[rest], mean[None]]),
        np.concatenate([groups.scatters[rest], scatter[None]]),
    )


def closest(groups: Start) -> tuple[int, int]:
    """Return the two groups whose means are nearest in the metric of the groups' pooled covariance."""
    pooled = groups.scatters.sum(axis=0) / groups.mass.sum()
    values, vectors = np.linalg.eigh(pooled)
    least = values[-1] * 1e-12 if values[-1] > 0.0 else 1.0  # groups of equal rows alone have no metric of their own
    white = groups.means @ (vectors / np.sqrt(np.maximum(values, least)))
    distances = np.square(white[:, None] - white[None]).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    first, second = np.unravel_index(distances.argmin(), distances.shape)
    return int(first), int(second)
