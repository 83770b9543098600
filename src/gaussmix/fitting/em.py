"""EM as a coroutine: ask for the statistics of a mixture, maximise, ask again."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.covariance import Diagonal
from gaussmix.engine.assignment import Assignment
from gaussmix.engine.climb import Climb, Climbed, Groups, Position
from gaussmix.engine.evaluator import Request
from gaussmix.engine.expectation import Expectation
from gaussmix.fitting.acceleration import Leaps, slow
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Evaluated, Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Settling, Stop, StoppingRule, rounding_noise
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_RESEEDS = 3  # times that dead components get new rows before they are left out
_MONOTONE = 1e-12  # relative fall of the objective that rounding may cause
_MOST_AT_ONCE = 128  # passes of a small problem, between which interrupts are answered

Reseed = Callable[[Mixture, NDArray[np.int64]], Mixture | None]
"""Gives dead components of a mixture new rows, or None where that cannot be done."""


def em(
    start: Start | Mixture | Outcome,
    model: Model,
    rule: StoppingRule,
    reseed: Reseed | None = None,
    *,
    accelerated: bool = False,
    climbed: Climbed | None = None,
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
    accelerated : bool
        Whether to leap where EM is slow (`fitting.acceleration`); every trial counts as a pass.
    climbed : Climbed, optional
        The first passes, where they have been made already.

    Returns
    -------
    Outcome
        With the best mixture of the last segment; its statistics belong to it.
    """
    run = _Run(start, model, rule, accelerated)
    known = start.statistics if isinstance(start, Outcome) and not model.small else None
    while True:
        try:
            if known is None and run.small:
                (made,) = [climbed] if climbed is not None else (yield [run.climb()])
                known, climbed = run.follow(made), None
            else:
                if known is None:
                    (known,) = yield [model.expectation(run.mixture())]
                known = run.see(known)
            if run.reason is not None:
                return run.outcome(run.reason)
            if known is not None and not run.leap():
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


def concluded(climbed: Climbed, rule: StoppingRule, outrun: bool) -> Outcome | None:
    """Return the outcome of compiled passes from a start, where these were enough; `em` goes on from others.

    One that might have gone on says so, or that others were ahead.
    """
    last = climbed.last
    if last is None or last.stacked_sums is None:
        return None
    trace = tuple(climbed.objectives)
    left = climbed.remaining * climbed.weight
    reason = rule.verdict(trace[-1], left, climbed.settled, len(trace))
    if outrun and reason is Reason.MAX_PASSES:
        reason = Reason.OUTRUN
    return None if reason is None else Outcome(last, trace[-1], reason, trace, (0,), climbed.remaining)


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

    def __init__(self, start: Start | Mixture | Outcome, model: Model, rule: StoppingRule, accelerated: bool) -> None:
        self._model = model
        self._rule = rule
        self._leaps = Leaps(model.pilot.spreads) if accelerated and model.regularization.monotone else None
        self._leaping = False
        self._settling = Settling(rule)
        self._best: Position | Evaluated | None = None
        self._objective = -math.inf
        self._rounding = 0.0
        self._remaining = math.inf
        self._reseeds = 0
        self._dropped = False
        self._trace: list[float] = []
        self._segments = [0]
        self.small = model.small
        self.reason: Reason | None = None
        if isinstance(start, Outcome):
            # The last pass of the earlier run is seen again, as the first of this one.
            self.here = start.found if isinstance(start.found, Position) else start.mixture
            self._dropped = start.reason is Reason.DROPPED
            self._trace, self._segments = list(start.trace[:-1]), list(start.segments)
        elif isinstance(start, Start):
            self.here = start.groups(model)
        else:
            self.here = start.expressed_in(model.pilot.coordinates)

    def climb(self) -> Climb:
        """Return the request for the next passes of a small problem."""
        made = len(self._trace)
        passes = max(1, min(_MOST_AT_ONCE, self._rule.max_passes - made))
        terms = self._model.terms(self._rule, accelerated=self._leaps is not None)
        return Climb(self.here, terms, passes, made)

    def mixture(self) -> Mixture:
        """Return the mixture that the next pass is about."""
        if isinstance(self.here, Groups):
            self.here = self._model.fitted(self.here.scatter, self.here.centres, None)
        elif isinstance(self.here, Position):
            self.here = self.here.mixture
        return self.here

    def see(self, statistics: Statistics) -> Statistics:
        """Take in the statistics of the mixture; set a reason where it is time to stop.

        Returned are those to go on from: of the best mixture, where a leap has failed.
        """
        mixture = self.mixture()
        objective = self._model.objective(statistics, mixture)
        if self._leaping and not objective >= self._objective:
            return self._take_back()
        if self._fell(objective, statistics):
            self.reason = Reason.PRECISION
            return statistics
        self._best, self._rounding = Evaluated(mixture, statistics), statistics.rounding
        weight, settled = statistics.weight, False
        if self._leaping:
            self._settling.leapt(objective / weight)
        else:
            settled = self._settling.settled(objective / weight, rounding_noise(statistics.magnitude, weight))
        if self._leaps is not None:
            if self._leaping:
                self._leaps.landed((objective - self._objective) / weight >= self._rule.tol)
            self._leaps.see(statistics)
            settled = settled and not self._leaps.doubtful
        self._leaping = False
        self._count([objective], settled, self._settling.remaining, weight)
        return statistics

    def leap(self) -> bool:
        """Go on from far ahead, where EM is slow and three passes have told the way; say whether that was done."""
        if self._leaps is None or (stretched := self._leaps.stretch()) is None:
            return False
        settling, best = self._settling, self._best
        assert best is not None
        settling.stretched(stretched)
        wanted = self._leaps.doubtful if settling.calm else slow(settling.gain, settling.remaining, self._rule.tol)
        ahead = self._leaps.leap(stretched) if wanted else None
        self._leaps.begin(best.statistics)
        if ahead is None:
            self._leaps.doubtful = self._leaps.doubtful and not wanted
            return False
        try:
            self.here = self._model.maximize(ahead, best.mixture.spread)
        except (Collapsed, Died):
            self._leaps.doubtful = False
            return False
        self._leaping = True
        self._leaps.begin()
        return True

    def _take_back(self) -> Statistics:
        """Go on from where a failed leap began."""
        assert self._leaps is not None
        assert self._best is not None
        self.here, statistics = self._best.mixture, self._best.statistics
        self._leaping = False
        self._leaps.failed()
        self._leaps.begin(statistics)
        self._count([self._objective], False, self._settling.remaining, statistics.weight)
        return statistics

    def follow(self, climbed: Climbed) -> Statistics | None:
        """Take in several passes at once; return statistics where the next M-step needs the general code."""
        last, following = climbed.last, climbed.following
        if last is None or last.stacked_sums is None:
            # The groups were too much for compiled code, or the objective fell: the general code is to judge.
            self.small = False
            self._trace += climbed.objectives[:-2]
            self.here = self.here if last is None else last
            return None
        self._best = last
        self._count(climbed.objectives, climbed.settled, climbed.remaining, climbed.weight)
        # Where one M-step is too much for compiled code, others will be: the general code goes on.
        self.small = following is not None
        self.here = following or last
        return None if self.small else last.statistics

    def bury(self, dead: NDArray[np.int64], reseed: Reseed | None) -> bool:
        """Give dead components new rows a few times, then leave them out; either begins a new segment."""
        mixture = self.mixture()
        if len(dead) == mixture.n_components:
            return False
        self._segments.append(len(self._trace))
        self._settling = Settling(self._rule)
        self._leaping = False
        if self._leaps is not None:
            self._leaps.begin()
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
        trace, segments = tuple(self._trace), tuple(self._segments)
        return Outcome(best, self._objective, reason, trace, segments, self._remaining)

    def _count(self, objectives: list[float], settled: bool, remaining: float, weight: float) -> None:
        """Take in the objectives of the latest passes, and what is left to gain after them, per unit of weight."""
        self._trace += objectives
        self._objective, self._remaining = objectives[-1], remaining
        self.reason = self._rule.verdict(self._objective, remaining * weight, settled, len(self._trace))

    def _fell(self, objective: float, statistics: Statistics) -> bool:
        """Whether the objective fell by more than rounding explains (or is not a number at all)."""
        if self._best is None or len(self._trace) == self._segments[-1]:
            return bool(np.isnan(objective)) and self._best is not None
        if not self._model.regularization.monotone:
            return bool(np.isnan(objective))
        allowed = max(_MONOTONE * statistics.magnitude, statistics.rounding + self._rounding)
        return not objective >= self._objective - allowed
