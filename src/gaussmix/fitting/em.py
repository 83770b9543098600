"""EM as a coroutine: ask for the statistics of a mixture, maximise, ask again."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.covariance import Diagonal
from gaussmix.engine.assignment import Assignment
from gaussmix.engine.climb import Climbed, Groups, Position
from gaussmix.engine.evaluator import Request
from gaussmix.engine.expectation import Expectation
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Settling, Stop, StoppingRule, rounding_noise
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_RESEEDS = 3  # times that dead components get new rows before they are left out
_MONOTONE = 1e-12  # relative fall of the objective that rounding may cause
_LEAST_AT_ONCE, _MOST_AT_ONCE = 8, 128

Reseed = Callable[[Mixture, NDArray[np.int64]], Mixture | None]
"""Gives dead components of a mixture new rows, or None where that cannot be done."""


def em(
    start: Start | Mixture | Outcome, model: Model, rule: StoppingRule, reseed: Reseed | None = None
) -> Method[Outcome]:
    """Climb from `start` until the rule is met (Dempster, Laird & Rubin 1977).

    Parameters
    ----------
    start : Start, Mixture or Outcome
        Where to begin, or where an earlier run left off.
    model : Model
        What is fitted.
    rule : StoppingRule
        When to stop.
    reseed : callable, optional
        What to do with dead components; without it they are dropped.

    Returns
    -------
    Outcome
        With the best mixture of the last segment; its statistics belong to it.
    """
    run = _Run(start, model, rule)
    known = start.statistics if isinstance(start, Outcome) and not model.small else None
    while True:
        try:
            if known is None and run.small:
                (climbed,) = yield [model.climb(run.here, run.passes_at_once)]
                known = run.follow(climbed)
            else:
                if known is None:
                    (known,) = yield [model.expectation(run.mixture())]
                run.see(known)
            if run.reason is not None:
                return run.outcome(run.reason)
            if known is not None:
                run.here = yield from improve(model.expectation(run.mixture()), known, model)
                known = None
        except Stop as stop:
            return run.outcome(stop.reason)
        except Collapsed:
            return run.outcome(Reason.COLLAPSED)
        except Died as died:
            known = None
            if not run.bury(died.components, reseed):
                return run.outcome(Reason.COLLAPSED)


def improve(
    request: Expectation, statistics: Statistics, model: Model
) -> Generator[Sequence[Request], list[Any], Mixture]:
    """Maximise; where the answer needs digits that the pass has lost, make the pass again first."""
    candidate = model.maximize(statistics, request.mixture.spread)
    while (again := model.repeat(request, statistics, candidate)) is not None:
        request = again
        (statistics,) = yield [request]
        candidate = model.maximize(statistics, request.mixture.spread)
    return candidate


def begin(assignment: Assignment, n_components: int, model: Model) -> Method[Mixture]:
    """Return the mixture that belongs to given labels or responsibilities of the rows."""
    spreads = model.pilot.spreads
    nowhere = Mixture.within(
        model.pilot.coordinates,
        np.full(n_components, 1.0 / n_components),
        np.zeros((n_components, len(spreads))),
        Diagonal(len(spreads), spreads[None] ** 2),
        model.structure.name,
    )
    request = model.expectation(nowhere, assignment=assignment, anchored=True)
    (statistics,) = yield [request]
    return (yield from improve(request, statistics, model))


@final
class _Run:
    """What EM knows between two passes."""

    here: Position | Mixture | Groups

    def __init__(self, start: Start | Mixture | Outcome, model: Model, rule: StoppingRule) -> None:
        self._model = model
        self._rule = rule
        self._settling = Settling(rule)
        self._best: Position | tuple[Mixture, Statistics] | None = None
        self._objective = -math.inf
        self._rounding = 0.0
        self._reseeds = 0
        self._dropped = False
        self._trace: list[float] = []
        self._segments = [0]
        self.small = model.small
        self.reason: Reason | None = None
        if isinstance(start, Outcome):
            # The last pass of the earlier run is seen again, as the first of this one.
            self.here = start.mixture
            self._dropped = start.reason is Reason.DROPPED
            self._trace, self._segments = list(start.trace[:-1]), list(start.segments)
        elif isinstance(start, Start):
            self.here = start.groups(model)
        else:
            self.here = start.expressed_in(model.pilot.coordinates)

    @property
    def passes_at_once(self) -> int:
        """Passes of a small problem to make before looking again: about as many as will be needed."""
        wanted = min(_MOST_AT_ONCE, max(_LEAST_AT_ONCE, self._settling.passes_left()))
        return max(1, min(wanted, self._rule.max_passes - len(self._trace)))

    def mixture(self) -> Mixture:
        """Return the mixture that the next pass is about."""
        if isinstance(self.here, Groups):
            self.here = self._model.fitted(self.here.scatter, self.here.centres, None)
        elif isinstance(self.here, Position):
            self.here = self.here.mixture()
        return self.here

    def see(self, statistics: Statistics) -> None:
        """Take in the statistics of the mixture; set a reason where it is time to stop."""
        mixture = self.mixture()
        objective = self._model.objective(statistics, mixture)
        if self._fell(objective, statistics):
            self.reason = Reason.PRECISION
            return
        self._best, self._rounding = (mixture, statistics), statistics.rounding
        self._count([objective], statistics.magnitude, statistics.weight)

    def follow(self, climbed: Climbed) -> Statistics | None:
        """Take in several passes at once; return statistics where the next M-step needs the general code."""
        last, following = climbed.last, climbed.following
        if last is None or last.sums is None:
            # The groups were too much for compiled code, or the objective fell: the general code is to judge.
            self.small = False
            self._trace += climbed.objectives[:-2]
            self.here = self.here if last is None else last
            return None
        self._best = last
        _, magnitude, weight = last.sums[2].tolist()
        self._count(climbed.objectives, magnitude, weight)
        self.here = last if following is None else following
        return last.statistics() if following is None else None

    def bury(self, dead: NDArray[np.int64], reseed: Reseed | None) -> bool:
        """Give dead components new rows a few times, then leave them out; either begins a new segment."""
        mixture = self.mixture()
        if len(dead) == mixture.n_components:
            return False
        self._segments.append(len(self._trace))
        self._settling = Settling(self._rule)
        fresh = reseed(mixture, dead) if reseed is not None and self._reseeds < _RESEEDS else None
        if fresh is not None:
            self._reseeds += 1
            self.here = fresh
        else:
            self._dropped = True
            self.here = mixture.without(dead)
        return True

    def outcome(self, reason: Reason) -> Outcome:
        """Return the best mixture, and why the method ended; raise `Stop` where there is none yet."""
        best = self._best
        if best is None:
            raise Stop(reason)
        if self._dropped and reason in (Reason.CONVERGED, Reason.MAX_PASSES):
            reason = Reason.DROPPED
        mixture, statistics = (best.mixture(), best.statistics()) if isinstance(best, Position) else best
        trace, segments = tuple(self._trace), tuple(self._segments)
        return Outcome(mixture, statistics, self._objective, reason, trace, segments, self._settling.remaining)

    def _count(self, objectives: list[float], magnitude: float, weight: float) -> None:
        """Take in the objectives of the latest passes."""
        noise = rounding_noise(magnitude, weight)
        settled = False
        for objective in objectives:
            settled = self._settling.settled(objective / weight, noise) or settled
        self._trace += objectives
        self._objective = objectives[-1]
        if settled and math.isfinite(objectives[-1]):
            self.reason = Reason.CONVERGED
        elif len(self._trace) >= self._rule.max_passes:
            self.reason = Reason.MAX_PASSES
        elif self._rule.hopeless(self._objective, self._settling.remaining * weight):
            self.reason = Reason.OUTRUN

    def _fell(self, objective: float, statistics: Statistics) -> bool:
        """Whether the objective fell by more than rounding explains (or is not a number at all)."""
        if self._best is None or len(self._trace) == self._segments[-1]:
            return bool(np.isnan(objective)) and self._best is not None
        if not self._model.regularization.monotone:
            return bool(np.isnan(objective))
        allowed = max(_MONOTONE * statistics.magnitude, statistics.rounding + self._rounding)
        return not objective >= self._objective - allowed
