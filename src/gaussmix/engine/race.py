"""Small problems: the starts of one candidate as one request, raced by compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix.engine.climb import Climbed, Parameters, Room, SmallRows, Terms, pass_seconds

Flags = NDArray[np.bool_]

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

    def seconds(self, n_rows: int) -> float:
        """About how long it takes at most."""
        n_starts, n_components, n_features = self.mixtures[1].shape
        going_on = min(n_starts, self.surviving + int(self.favourites.sum()))
        passes = n_starts * self.heat_passes + going_on * self.passes
        return passes * pass_seconds(self.terms.family, n_rows, n_components, n_features)

    def run(self, rows: SmallRows) -> Raced:
        """Run it."""
        from gaussmix.engine.kernels.small import climb
        from gaussmix.engine.kernels.small_race import race

        n_starts, n_components, n_features = self.mixtures[1].shape
        room = Room.empty((n_starts,), n_components, n_features, self.passes)
        for mine, given in zip(room.mixture, self.mixtures, strict=True):
            mine[:] = given
        made, endings = np.empty((2, n_starts), dtype=np.int64)
        remaining, survived = np.empty(n_starts), np.zeros(n_starts, dtype=np.bool_)
        over = race(
            *(climb, *rows.arguments(self.terms), self.groups, self.favourites, self.heat_passes, self.surviving),
            *(*room, made, endings, remaining, survived),
        )
        climbed = [
            room.of(s).read(self.terms.family, rows.coordinates, *ended)
            for s, ended in enumerate(zip(made.tolist(), endings.tolist(), remaining.tolist(), strict=True))
        ]
        return Raced(climbed, survived.tolist() if over else None)


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
