"""Small problems: the starts of one candidate as one request, raced by compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix.engine.climb import Climb, Climbed, Room, SmallRows
from gaussmix.engine.summary import Summary

MOST_WORK = 1 << 21
"""Rows times (D + 1)^2 times components: a longer race would keep somebody waiting who interrupts it."""


@final
@dataclass(frozen=True, eq=False, slots=True)
class Race:
    """A request: EM from several starts, a few passes of each, then the best and the favourites on; of its rows.

    Parameters
    ----------
    lanes : sequence of Climb
        A request for each start, that differ in nothing else and allow as many passes as the longest may make; all of
        the starts have as many components.
    favourites : sequence of bool
        Whether each goes on, however far behind.
    heat_passes : int
        Passes that each of them is given first; fewer than it may make.
    surviving : int
        How many of those still on their way go on then, beside the favourites.
    """

    lanes: Sequence[Climb]
    favourites: Sequence[bool]
    heat_passes: int
    surviving: int

    @property
    def per_feature(self) -> bool:
        """Which coordinates."""
        return self.lanes[0].per_feature

    @property
    def sampled(self) -> bool:
        """Whether it is about the row sample."""
        return self.lanes[0].sampled

    def run(self, rows: SmallRows) -> Raced:
        """Run it."""
        from gaussmix.engine.kernels.small import climb
        from gaussmix.engine.kernels.small_race import race

        lanes, n_starts = self.lanes, len(self.lanes)
        room = Room.empty((n_starts,), *lanes[0].shape, lanes[0].passes)
        rooms = [room.of(s) for s in range(n_starts)]
        for lane, mine in zip(lanes, rooms, strict=True):
            mine.begin(lane.start)
        made, endings = np.empty((2, n_starts), dtype=np.int64)
        remaining, survived = np.empty(n_starts), np.zeros(n_starts, dtype=np.bool_)
        over = race(
            *(climb, *rows.units(lanes[0]), rows.problem(lanes[0]), lanes[0].rule),
            *(np.array([lane.from_groups for lane in lanes]), np.array(self.favourites)),
            *(self.heat_passes, self.surviving, *room, made, endings, remaining, survived),
        )
        climbed = [
            mine.read(lane, rows.coordinates, int(made[s]), int(endings[s]), float(remaining[s]))
            for s, (lane, mine) in enumerate(zip(lanes, rooms, strict=True))
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


def most_raced(summary: Summary) -> int:
    """Return up to how many components a small problem may have for a race in one go."""
    return MOST_WORK // max(1, summary.rows_read * (summary.means.shape[0] + 1) ** 2)
