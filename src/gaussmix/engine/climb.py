"""Small problems: several passes as one request, answered by compiled code without coming back in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Self, final

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Family, Moment, Scatter
from gaussmix.covariance.regularization import PseudoObservations, Regularization, Unregularized
from gaussmix.engine.kernels.choose import compiled
from gaussmix.engine.kernels.endings import FELL, GOING, SETTLED
from gaussmix.engine.small_rows import SmallRows
from gaussmix.engine.summary import Summary
from gaussmix.engine.terms import Terms
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

MOST_WORK = 1 << 19
"""Rows times (D + 1)^2: beyond it BLAS is worth its calls."""
MOST_FEATURES = 16
Parameters = tuple[Array, Array, Array]

# Seconds, measured on one core of 2024: for a row and a square of a feature; for a cube of a feature in the M-step of
# families without axes to turn, with each component's own, and with common ones.
_E_STEP = 1e-10
_MATRICES, _OWN_AXES, _COMMON_AXES = 5e-9, 1.7e-8, 7e-8


@final
@dataclass(frozen=True, eq=False)
class Groups:
    """Masses, scatters and means of K groups of rows: an M-step makes a mixture of them.

    Parameters
    ----------
    scatter : Scatter
        Full ones, in the fit's coordinates.
    centres : array (K, D)
        Group means.
    """

    scatter: Scatter
    centres: Array


@final
@dataclass(frozen=True, eq=False)
class Position:
    """A mixture on its way, as compiled code has it: made into values, once, where somebody looks.

    Parameters
    ----------
    coordinates, family : Coordinates, Family
        What the arrays mean.
    stacked : tuple of arrays
        Weights (S, K), means (S, K, D), lower triangular factors (S, K, D, D), of this mixture and of others.
    stacked_sums : tuple of arrays or None
        Totals (S, K, 1 + D + D(D+1)/2), Kish sums (S, K), scalars (S, 3) of all rows under it, where they are known.
    number : int
        Which of them it is.
    """

    coordinates: Coordinates
    family: Family
    stacked: Parameters
    stacked_sums: Parameters | None = None
    number: int = 0

    @cached_property
    def parameters(self) -> Parameters:
        """Weights (K,), means (K, D), lower triangular factors (K, D, D)."""
        weights, centres, factors = self.stacked
        return weights[self.number], centres[self.number], factors[self.number]

    @cached_property
    def sums(self) -> Parameters | None:
        """Totals (K, 1 + D + D(D+1)/2), Kish sums (K,), scalars (3,) of all rows under it, where they are known."""
        if self.stacked_sums is None:
            return None
        totals, kish, scalars = self.stacked_sums
        return totals[self.number], kish[self.number], scalars[self.number]

    def take(self, components: Integers) -> Position:
        """Return the same mixture with its components in another order."""
        weights, centres, factors = (each[None, components] for each in self.parameters)
        sums = self.sums
        if sums is not None:
            sums = sums[0][None, components], sums[1][None, components], sums[2][None]
        return Position(self.coordinates, self.family, (weights, centres, factors), sums)

    @cached_property
    def mixture(self) -> Mixture:
        """The mixture."""
        weights, centres, factors = self.parameters
        return Mixture.within(self.coordinates, weights, centres, self.family.stored(factors), self.family.name)

    @cached_property
    def statistics(self) -> Statistics:
        """The statistics of all rows under the mixture; full moments about its means."""
        assert self.sums is not None
        totals, kish, (log_likelihood, magnitude, weight) = self.sums
        centres = self.parameters[1]
        moment = Moment.FULL
        return Statistics(self.coordinates, moment, centres, totals, None, kish, log_likelihood, magnitude, 0.0, weight)


@final
@dataclass(frozen=True, eq=False, slots=True)
class Climb:
    """A request: a few EM passes, all of them about its rows.

    Parameters
    ----------
    start : Position, Mixture or Groups
        Where to begin, in the fit's coordinates; groups are given an M-step first.
    terms : Terms
        On what terms.
    passes : int
        How many at most.
    made : int
        How many have been made before.
    """

    start: Position | Mixture | Groups
    terms: Terms
    passes: int
    made: int

    @property
    def sampled(self) -> bool:
        """Whether it is about the row sample."""
        return self.terms.sampled

    @property
    def shape(self) -> tuple[int, int]:
        """Number of components, and of features."""
        start = self.start
        centres = start.parameters[1] if isinstance(start, Position) else start.centres
        return len(centres), centres.shape[1]

    def seconds(self, n_rows: int) -> float:
        """About how long it takes at most."""
        return self.passes * pass_seconds(self.terms.family, n_rows, *self.shape)

    def run(self, rows: SmallRows) -> Climbed:
        """Make the passes."""
        from gaussmix.engine.kernels.small import climb

        room = Room.within(np.empty(Room.size(1, *self.shape, self.passes)), 1, *self.shape, self.passes)
        mine = room.of(0)
        mine.begin(self.start)
        ended = climb(*rows.arguments(self.terms, self.made), isinstance(self.start, Groups), *mine)
        return Climbed(room, 0, rows.coordinates, self.terms.family, *ended)


@final
class Climbed(NamedTuple):
    """The answer to a `Climb`.

    Parameters
    ----------
    room : Room
        What was written down; of several climbs, stacked.
    number : int
        Which of them it is.
    coordinates, family : Coordinates, Family
        What the arrays mean.
    made, ending : int
        How many passes were made, and how they ended.
    remaining : float
        Estimate of what is left to gain, per unit of weight.
    """

    room: Room
    number: int
    coordinates: Coordinates
    family: Family
    made: int
    ending: int
    remaining: float

    @property
    def objectives(self) -> list[float]:
        """Log-likelihood less the penalty, at every pass; of the best mixture where a leap failed."""
        found: list[float] = self.room.objectives[self.number, : self.made].tolist()
        return found

    @property
    def weight(self) -> float:
        """Of all rows."""
        return float(self.room.sums[2][self.number, 2])

    @property
    def settled(self) -> bool:
        """Whether the rule is met, or cannot be."""
        return self.ending == SETTLED

    @property
    def last(self) -> Position | None:
        """The best mixture evaluated, the last one unless a leap failed.

        Without sums when the objective fell and it is the one before; None when even the M-step of the groups needs
        the general code.
        """
        if self.made == 0:
            return None
        sums = None if self.ending == FELL else self.room.sums
        return Position(self.coordinates, self.family, self.room.evaluated, sums, self.number)

    @property
    def following(self) -> Position | None:
        """Where to go on; None when the M-step needs the general code, or the rule is met."""
        if self.made == 0 or self.ending != GOING:
            return None
        return Position(self.coordinates, self.family, self.room.mixture, None, self.number)


@final
class Room(NamedTuple):
    """What compiled passes read and write: of one climb, or of several, stacked.

    Parameters
    ----------
    mixture : tuple of arrays
        Weights (K,), means (K, D), factors (K, D, D): where to begin, then where to go on.
    evaluated : tuple of arrays
        The same of the best mixture that was evaluated.
    sums : tuple of arrays
        As of a `Position`.
    objectives : array (passes,)
        At every pass.
    """

    mixture: Parameters
    evaluated: Parameters
    sums: Parameters
    objectives: Array

    @classmethod
    def within(cls, numbers: Array, n_climbs: int, n_components: int, n_features: int, passes: int) -> Self:
        """Return room for so many climbs, stacked, made of one array; nothing in it yet."""
        arrays: list[Array] = []
        place = 0
        for shape in _shapes(n_climbs, n_components, n_features, passes):
            end = place + math.prod(shape)
            arrays.append(numbers[place:end].reshape(shape))
            place = end
        one, two, three, four, five, six, *sums, objectives = arrays
        return cls((one, two, three), (four, five, six), (sums[0], sums[1], sums[2]), objectives)

    @staticmethod
    def size(n_climbs: int, n_components: int, n_features: int, passes: int) -> int:
        """Return how many numbers the room of so many climbs takes."""
        return sum(math.prod(shape) for shape in _shapes(n_climbs, n_components, n_features, passes))

    def of(self, number: int) -> Room:
        """Return the room of one of several climbs."""
        mixture, evaluated, sums, objectives = self
        return Room(
            (mixture[0][number], mixture[1][number], mixture[2][number]),
            (evaluated[0][number], evaluated[1][number], evaluated[2][number]),
            (sums[0][number], sums[1][number], sums[2][number]),
            objectives[number],
        )

    def begin(self, start: Position | Mixture | Groups) -> None:
        """Write down where a climb begins: weights, means and factors; of groups masses, means and scatters."""
        weights, centres, factors = self.mixture
        if isinstance(start, Groups):
            weights[:], centres[:], factors[:] = start.scatter.mass, start.centres, start.scatter.matrices()
        elif isinstance(start, Position):
            weights[:], centres[:], factors[:] = start.parameters
        else:
            weights[:], centres[:], factors[:] = start.weights, start.centres, start.spread.triangles()


@lru_cache(maxsize=256)
def _shapes(n: int, k: int, d: int, passes: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the arrays of a `Room`, in the order in which compiled code finds them in its numbers."""
    mixture = (n, k), (n, k, d), (n, k, d, d)
    return (*mixture, *mixture, (n, k, 1 + d + d * (d + 1) // 2), (n, k), (n, 3), (n, passes))


def pass_seconds(family: Family, n_rows: int, n_components: int, n_features: int) -> float:
    """About how long a compiled pass takes on one core.

    By it requests are put in order, and those refused for which somebody who interrupts would have to wait.
    """
    if family.orientation == "I" or family.shape == family.orientation:
        m_step = _MATRICES
    else:
        m_step = _OWN_AXES if family.orientation == "V" else _COMMON_AXES
    return n_components * (_E_STEP * n_rows * (n_features + 1) ** 2 + m_step * n_features**3)


def is_small(regularization: Regularization, summary: Summary) -> bool:
    """Whether a problem is small enough, and of a kind, for compiled passes."""
    n_features = summary.means.shape[0]
    return (
        isinstance(regularization, PseudoObservations | Unregularized)
        and n_features <= MOST_FEATURES
        and summary.rows_read * (n_features + 1) ** 2 <= MOST_WORK
    )


def can_climb(regularization: Regularization, summary: Summary) -> bool:
    """Whether a small problem's passes are made by compiled code."""
    return is_small(regularization, summary) and compiled()
