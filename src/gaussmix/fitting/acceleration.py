"""Leaps over many passes of slow EM, with the same fixed points (SQUAREM; Varadhan & Roland 2008).

Near an optimum EM moves the statistics S by steps that shrink by a constant factor along each direction. Of three
passes, r = S_1 - S_0 and v = (S_2 - S_1) - r tell how slow the slowest direction is, and

    S' = S_0 + 2 a r + a^2 v,    a = |r| / |v|

is about where 2a passes would have led; a = 1 is S_2 itself. Extrapolating statistics rather than parameters serves
all structures alike: masses still sum to the weight of all rows, and the M-step makes whatever comes out a member of
the family. A leap is left out where a component would have no mass or a scatter that is not positive definite, and
taken back where the objective falls short of that of S_2, so the objective never falls.

Plain EM begins and ends every climb. Where components merge, its steps shrink more and more slowly, and no estimate of
what is left to gain is right: so a climb that has leapt ends only after a leap that gained less than the tolerance.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import final

import numpy as np

from gaussmix._linalg import Array, pack
from gaussmix.covariance import Moment
from gaussmix.statistics import Statistics

GENTLE = 1e-3
"""Gain per unit of weight below which EM is near enough to an optimum for a leap to stay in its basin."""
WORTH = 6.0
"""Passes that plain EM must have left for a leap to pay."""
LONG = 3.0
"""Leaps that are longer leave a doubt: what gained much along slow directions may have more to gain there."""
FIRST_CAP, GROWTH = 4.0, 4.0
"""Longest leap at first, and the factor by which that grows where it was too short, and shrinks where it failed."""


@final
class Leaps:
    """The passes of plain EM since the last leap, and how far the next may go.

    Parameters
    ----------
    spreads : array (D,)
        Standard deviations of the features, in the coordinates of the statistics: lengths do not depend on units.
    """

    def __init__(self, spreads: Array) -> None:
        self._spreads = spreads
        self._history: list[Statistics] = []
        self._cap = FIRST_CAP
        self._length = 1.0
        self.doubtful = False
        """Whether the last leap gained so much that more may be left than seems."""

    def begin(self, statistics: Statistics | None = None) -> None:
        """Begin a cycle of three passes, with a first one where there is one."""
        self._history = [] if statistics is None else [statistics]

    def see(self, statistics: Statistics) -> None:
        """Take in the statistics of a mixture that an M-step has led to."""
        self._history.append(statistics)

    def landed(self, worthwhile: bool) -> None:
        """Allow longer leaps, where the last one was held back and was good."""
        self._cap *= GROWTH if self._length == self._cap else 1.0
        self.doubtful = worthwhile and self._length > LONG

    def failed(self) -> None:
        """Allow only shorter ones."""
        self.doubtful = self.doubtful and self._cap > FIRST_CAP
        self._cap = max(1.0, self._cap / GROWTH)

    def stretch(self) -> float | None:
        """How many of EM's steps a leap is worth now, |r| / |v|; None before three passes have been seen."""
        if len(self._history) < 3:
            return None
        anchors = self._history[0].anchors
        self._history = [each.about(anchors) for each in self._history]
        first, second, third = (written(each, self._spreads) for each in self._history)
        steps = second - first
        turns = float(np.linalg.norm(third - second - steps))
        return float(np.linalg.norm(steps)) / turns if turns > 0.0 else 1.0

    def leap(self, stretched: float) -> Statistics | None:
        """Return statistics as far ahead as is allowed, or None where that is no farther than EM goes."""
        self._length = min(stretched, self._cap)
        first, second, third = self._history
        return _ahead(first, second, third, self._length) if self._length > 1.0 else None


def written(statistics: Statistics, spreads: Array) -> Array:
    """Return statistics as one vector, without units.

    Parameters
    ----------
    statistics : Statistics
        About any anchors.
    spreads : array (D,)
        Standard deviations of the features, in the same coordinates.
    """
    moment, squares = statistics.moment, np.square(spreads)
    units = {
        Moment.TRACE: squares.sum(keepdims=True),
        Moment.DIAGONAL: squares,
        Moment.POOLED: spreads[:0],
        Moment.FULL: pack(np.outer(spreads, spreads)),
    }[moment]
    vector = (statistics.totals / np.concatenate([[1.0], spreads, units])).ravel()
    if statistics.pooled is None:
        return vector
    return np.concatenate([vector, pack(statistics.pooled / np.outer(spreads, spreads))])


def _ahead(first: Statistics, second: Statistics, third: Statistics, length: float) -> Statistics:
    """S_0 + 2 a r + a^2 v, of statistics about the same anchors."""

    def leap(start: Array, middle: Array, end: Array) -> Array:
        step = middle - start
        return start + 2.0 * length * step + length * length * (end - middle - step)

    pooled = None
    if first.pooled is not None and second.pooled is not None and third.pooled is not None:
        pooled = leap(first.pooled, second.pooled, third.pooled)
    return replace(first, totals=leap(first.totals, second.totals, third.totals), pooled=pooled)


def slow(gain: float, remaining: float, tol: float) -> bool:
    """Whether EM is near an optimum and has many passes left; all per unit of weight."""
    if not (0.0 < gain < GENTLE and 0.0 < remaining < math.inf):
        return False
    return math.log(tol / max(gain, remaining)) / math.log(remaining / (remaining + gain)) > WORTH
