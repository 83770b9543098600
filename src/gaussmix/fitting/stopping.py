"""When to stop, and why a fit stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

_EPS = float(np.finfo(np.float64).eps)
_BENEFIT_OF_DOUBT = 10.0
CALM, CALM_SHARE, CALM_MOST = 2, 10, 20
"""Passes running that meet the rule before a method stops; after a leap a tenth of all its passes, up to 20."""


class Reason(Enum):
    """Why a fit stopped; the value is its name in tables and files."""

    CONVERGED = "converged"
    """What is left to gain is below the tolerance."""
    MAX_PASSES = "max_passes"
    """The allowed number of passes was used up."""
    PRECISION = "precision"
    """The objective fell by more than rounding should allow; the best mixture before that was kept."""
    DROPPED = "dropped"
    """A component died again and again and was left out."""
    COLLAPSED = "collapsed"
    """A covariance became singular without regularization; the last valid mixture was kept."""
    OUTRUN = "outrun"
    """Other starts of the same candidate were ahead."""
    PRUNED = "pruned"
    """No plausible gain could have made this candidate the best."""
    INTERRUPTED = "interrupted"
    """The user stopped it."""
    INFEASIBLE = "infeasible"
    """There are fewer distinct rows than components, or no start gave a valid mixture."""


class Stop(Exception):  # noqa: N818 - a message to a method, not an error
    """Thrown into a method by its driver: end now, with the best mixture so far."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@final
@dataclass(frozen=True)
class StoppingRule:
    """Stop when the gain per unit of weight, and the estimate of all that remains, are below `tol` twice running.

    With gain g and ratio c of successive gains, what remains is g c / (1 - c), the sum of the geometric series that
    Aitken's method assumes (Boehning et al. 1994); for c >= 1 it is taken to be without bound.

    A leap leaves gains along fast directions, whose ratio says nothing of slow ones. So a method that has leapt stops
    when both are below `tol` for a tenth of all its passes, up to 20: by then the slowest direction is what is seen;
    or when the objective moves no more than by rounding.

    Parameters
    ----------
    tol : float
        In log-likelihood per unit of weight.
    max_passes : int
        Passes after which the method stops anyway.
    bar : float
        Give up when even ten times the estimate of what remains would not lift the objective over this.
    """

    tol: float = 1e-8
    max_passes: int = 1000
    bar: float = -math.inf

    def hopeless(self, objective: float, remaining: float) -> bool:
        """Whether an objective with so much left to gain, both in total, will not reach the bar."""
        return objective + _BENEFIT_OF_DOUBT * remaining < self.bar

    def verdict(self, objective: float, remaining: float, settled: bool, passes: int) -> Reason | None:
        """Return why to stop after so many passes, or None; the gain that remains is in total."""
        if self.hopeless(objective, remaining):
            return Reason.OUTRUN
        if settled and math.isfinite(objective):
            return Reason.CONVERGED
        return Reason.MAX_PASSES if passes >= self.max_passes else None


@final
class Settling:
    """Follows the objective of one method, pass by pass."""

    def __init__(self, rule: StoppingRule) -> None:
        self._rule = rule
        self._last: float | None = None
        self._gain = 0.0
        self._rate = 0.0
        self._calm = 0
        self._passes = 0
        self._has_leapt = False
        self.remaining = float("inf")

    @property
    def gain(self) -> float:
        """The latest gain of an M-step, per unit of weight."""
        return self._gain

    @property
    def calm(self) -> bool:
        """Whether the rule has been met once."""
        return self._calm > 0

    def leapt(self, objective: float) -> None:
        """Take in an objective that a leap has led to: what it gained says nothing of the gains to come."""
        self._last, self._gain, self._calm = objective, 0.0, 0
        self._passes += 1
        self._has_leapt = True
        self.remaining = float("inf")

    def stretched(self, length: float) -> None:
        """Take in that the slowest steps shrink by 1 - 1/length: gains, which go with their squares, by no more.

        After a leap the fast directions have most of the gain, and hide for a while how slow the rest is.
        """
        self._rate = (1.0 - 1.0 / length) ** 2 if length > 1.0 else 0.0

    def settled(self, objective: float, noise: float) -> bool:
        """Take in the next objective per unit of weight; say whether the rule is met.

        Parameters
        ----------
        objective : float
            Per unit of weight.
        noise : float
            Rounding error of the objective, per unit of weight: a gain below it is none.
        """
        self._passes += 1
        last, self._last = self._last, objective
        if last is None:
            return False
        gain, before = objective - last, self._gain
        self._gain = gain
        if gain <= noise:
            self.remaining = 0.0
        elif gain < before:
            rate = max(self._rate, gain / before)
            self.remaining = gain * rate / (1.0 - rate)
        else:
            self.remaining = float("inf")
        calm = gain < self._rule.tol and self.remaining < self._rule.tol
        self._calm = self._calm + 1 if calm else 0
        hiding = self._has_leapt and self.remaining > 0.0
        return self._calm >= (max(CALM, min(self._passes // CALM_SHARE, CALM_MOST)) if hiding else CALM)


def rounding_noise(magnitude: float, weight: float) -> float:
    """Rounding error of a mean log density: a few units in the last place of its terms."""
    return 4.0 * _EPS * magnitude / weight
