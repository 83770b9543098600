"""Small problems: the starts of one candidate as one request, raced by compiled code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.climb import Climb, Climbed, Parameters, Room, pass_seconds
from gaussmix.engine.small_rows import SmallRows
from gaussmix.engine.terms import Terms, pseudo_observations

Flags = NDArray[np.bool_]

_CALLS = 12  # that many requests are answered by, at least

LONGEST = 0.5
"""Seconds: a race that may last longer would keep somebody waiting who interrupts it."""


@final
@dataclass(frozen=True, eq=False, slots=True)
class Race:
    """A request: EM from S starts, a few passes of each, then the best and the favourites on; all of its rows.

    Parameters
    ----------
    mixtures : tuple of arrays
        Weights (S, K), means (S, K, D), factors (S, K, D, D) of the starts; of groups masses, means and scatters.
    groups : array (S,)
        Which of them are groups, to be given an M-step first.
    favourites : array (S,)
        Which of them go on, however far behind.
    terms : Terms
        On what terms.
    heat_passes : int
        Passes that each of them is given first; fewer than `passes`.
    surviving : int
        How many of those still on their way go on then, beside the favourites.
    passes : int
        How many a start may make at most.
    """

    mixtures: Parameters
    groups: Flags
    favourites: Flags
    terms: Terms
    heat_passes: int
    surviving: int
    passes: int

    @property
    def sampled(self) -> bool:
        """Whether it is about the row sample."""
        return self.terms.sampled

    @property
    def sizes(self) -> tuple[int, ...]:
        """What compiled code is told of it in whole numbers."""
        n_starts, n_components, _ = self.mixtures[1].shape
        terms = self.terms
        heats = self.passes, self.heat_passes, self.surviving
        return n_starts, n_components, *heats, *terms.letters, int(terms.accelerated)

    def numbers(self, rows: SmallRows) -> tuple[float, ...]:
        """What compiled code is told of it in others."""
        strength, reference = pseudo_observations(self.terms.regularization, len(rows.spreads))
        return self.terms.tol, self.terms.bar, strength, rows.least_mass(strength), *reference.tolist()

    @property
    def room(self) -> int:
        """How many numbers it takes."""
        n_starts, n_components, n_features = self.mixtures[1].shape
        return Room.size(n_starts, n_components, n_features, self.passes)

    def placed(self, numbers: Array) -> Room:
        """Return so many numbers as room, with the starts in it."""
        n_starts, n_components, n_features = self.mixtures[1].shape
        room = Room.within(numbers, n_starts, n_components, n_features, self.passes)
        for mine, given in zip(room.mixture, self.mixtures, strict=True):
            mine[:] = given
        return room

    def seconds(self, n_rows: int) -> float:
        """About how long it takes at most."""
        n_starts, n_components, n_features = self.mixtures[1].shape
        going_on = min(n_starts, self.surviving + int(self.favourites.sum()))
        passes = n_starts * self.heat_passes + going_on * self.passes
        return passes * pass_seconds(self.terms.family, n_rows, n_components, n_features)


@final
@dataclass(frozen=True, eq=False, slots=True)
class Raced:
    """The answer to a `Race`.

    Parameters
    ----------
    climbed : list of Climbed
        As if each had been asked for alone.
    survived : list of bool or None
        Who went on after the first heat; None where it ended there, since one of them needs the general code.
    """

    climbed: list[Climbed]
    survived: list[bool] | None


def answer_by_one_call(requests: Sequence[Climb | Race], rows: SmallRows) -> list[Climbed | Raced]:
    """Answer what `shared_out` has put together; other threads go on meanwhile."""
    if isinstance(requests[0], Climb):
        return [requests[0].run(rows)]
    return list(_run([each for each in requests if isinstance(each, Race)], rows))


def _run(races: Sequence[Race], rows: SmallRows) -> Iterator[Raced]:
    """Run several races whose M-steps are one unit, and yield how they ended."""
    from gaussmix.engine.kernels.small import climb
    from gaussmix.engine.kernels.small_expectation import expectation
    from gaussmix.engine.kernels.small_race import run

    ends: list[int] = np.cumsum([each.room for each in races]).tolist()
    whole = np.empty(ends[-1])
    rooms = [each.placed(whole[place:end]) for each, place, end in zip(races, [0, *ends[:-1]], ends, strict=True)]
    n_starts = sum(len(each.groups) for each in races)
    made, endings = np.empty((2, n_starts), dtype=np.int64)
    remaining, survived = np.empty(n_starts), np.zeros(n_starts, dtype=np.bool_)
    over = np.empty(len(races), dtype=np.bool_)
    run(
        *(climb, expectation, races[0].terms.estimate),
        *(rows.rows, rows.weights, rows.spreads, rows.coordinates.log_jacobian),
        *(np.array([each.sizes for each in races]), np.array([each.numbers(rows) for each in races])),
        *(np.concatenate([each.groups for each in races]), np.concatenate([each.favourites for each in races])),
        *(whole, made, endings, remaining, survived, over),
    )
    ended = zip(made.tolist(), endings.tolist(), remaining.tolist(), strict=True)
    went_on = iter(survived.tolist())
    for each, room, to_the_end in zip(races, rooms, over.tolist(), strict=True):
        n, family = len(each.groups), each.terms.family
        climbed = [Climbed(room, s, rows.coordinates, family, *end) for s, end in enumerate(islice(ended, n))]
        mine = list(islice(went_on, n))
        yield Raced(climbed, mine if to_the_end else None)


def shared_out(requests: Sequence[Climb | Race], n_rows: int) -> list[list[int]]:
    """Return, by their positions, which requests are to be answered by one call each, the longest call first.

    Races that share an M-step go together, for every call costs as much as some races do; but not so many that a thread
    would be left with a long call alone, or that somebody who interrupts would have to wait.
    """
    seconds = [each.seconds(n_rows) for each in requests]
    longest = min(LONGEST, sum(seconds) / _CALLS)
    kinds: dict[Any, list[int]] = {}
    for i, each in enumerate(requests):
        terms = each.terms
        kinds.setdefault((terms.per_feature, terms.estimate) if isinstance(each, Race) else i, []).append(i)
    calls: list[list[int]] = []
    for some in kinds.values():
        some.sort(key=lambda i: -seconds[i])
        n_calls = min(len(some), math.ceil(sum(seconds[i] for i in some) / longest))
        calls += [some[first::n_calls] for first in range(n_calls)]
    return sorted(calls, key=lambda some: -sum(seconds[i] for i in some))
