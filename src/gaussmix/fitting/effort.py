"""How much is spent on looking for a better optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Effort:
    """How many starts a candidate has, and how much is tried to better what they lead to.

    Parameters
    ----------
    name : str
        By which users call it.
    n_starts : int or None
        Starts of a candidate, in the order of the automatic choice; None for all that it has. A single fit tries more
        of them where few come to the best optimum.
    rounds : tuple of int
        Least and largest number of rounds in which candidates of a grid suggest starts to their neighbours; between the
        two, as long as that helps.
    moves : int
        Rounds of moves out of the best optimum of a single fit that must fail, one after the other, before it is
        believed; twice as many for one that is in doubt.
    """

    name: str
    n_starts: int | None
    rounds: tuple[int, int]
    moves: int


EFFORTS = {
    each.name: each
    for each in (
        Effort("quick", 1, (0, 0), 0),
        Effort("default", None, (2, 8), 2),
        Effort("thorough", 30, (4, 16), 8),
    )
}
"""By name; "quick" is one start from the model-based hierarchy, as mclust does it."""
