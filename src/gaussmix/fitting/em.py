"""EM as a coroutine: ask for the statistics of a mixture, maximise, ask again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.covariance import Diagonal
from gaussmix.engine.assignment import Assignment
from gaussmix.engine.evaluator import Request
from gaussmix.engine.expectation import Expectation
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.stopping import Reason, Settling, Stop, StoppingRule, rounding_noise
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_RESEEDS = 3  # times that dead components get new rows before they are left out
_MONOTONE = 1e-12  # relative fall of the objective that rounding may cause

Reseed = Callable[[Mixture, NDArray[np.int64]], Mixture | None]
"""Gives dead components of a mixture new rows, or None where that cannot be done."""


@final
@dataclass
class _State:
    """What EM knows between two passes."""

    mixture: Mixture
    best: Outcome | None = None
    reseeds: int = 0
    dropped: bool = False

    def __post_init__(self) -> None:
        self.trace: list[float] = []
        self.segments = [0]

    @classmethod
    def of(cls, start: Mixture | Outcome, model: Model) -> _State:
        """Return the state before the first pass; of a resumed run, before the pass whose statistics are known."""
        if isinstance(start, Mixture):
            return cls(start.expressed_in(model.pilot.coordinates))
        state = cls(start.mixture, dropped=start.reason is Reason.DROPPED)
        state.trace, state.segments = list(start.trace[:-1]), list(start.segments)
        return state

    def keep(self, statistics: Statistics, objective: float, remaining: float) -> Outcome:
        """Remember the mixture that `statistics` belong to as the best of this segment."""
        self.best = Outcome(
            self.mixture,
            statistics,
            objective,
            Reason.MAX_PASSES,
            tuple(self.trace),
            tuple(self.segments),
            remaining,
        )
        return self.best

    def end(self, reason: Reason) -> Outcome:
        """Return the best mixture, and why the method ended."""
        best = self.best
        if best is None:
            raise Stop(reason)
        if self.dropped and reason in (Reason.CONVERGED, Reason.MAX_PASSES):
            reason = Reason.DROPPED
        return replace(best, reason=reason, trace=tuple(self.trace), segments=tuple(self.segments))


def em(start: Mixture | Outcome, model: Model, rule: StoppingRule, reseed: Reseed | None = None) -> Method[Outcome]:
    """Climb from `start` until the rule is met (Dempster, Laird & Rubin 1977).

    Parameters
    ----------
    start : Mixture or Outcome
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
    state = _State.of(start, model)
    settling = Settling(rule)
    known = start.statistics if isinstance(start, Outcome) else None
    while True:
        request = model.expectation(state.mixture)
        try:
            (statistics,) = (yield [request]) if known is None else [known]
        except Stop as stop:
            return state.end(stop.reason)
        known = None
        objective = model.objective(statistics, state.mixture)
        if _fell(objective, statistics, state, model):
            return state.end(Reason.PRECISION)
        state.trace.append(objective)
        noise = rounding_noise(statistics.magnitude, statistics.weight)
        settled = settling.settled(objective / statistics.weight, noise)
        state.keep(statistics, objective, settling.remaining)
        if settled:
            return state.end(Reason.CONVERGED)
        if len(state.trace) >= rule.max_passes:
            return state.end(Reason.MAX_PASSES)
        try:
            state.mixture = yield from improve(request, statistics, model)
        except Stop as stop:
            return state.end(stop.reason)
        except Collapsed:
            return state.end(Reason.COLLAPSED)
        except Died as died:
            if len(died.components) == state.mixture.n_components:
                return state.end(Reason.COLLAPSED)
            settling = Settling(rule)
            _bury(state, died.components, reseed)


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
    nowhere = Mixture.within(
        model.pilot.coordinates,
        np.full(n_components, 1.0 / n_components),
        np.zeros((n_components, len(model.pilot.spreads))),
        Diagonal(len(model.pilot.spreads), model.pilot.spreads[None] ** 2),
        model.structure.name,
    )
    request = model.expectation(nowhere, assignment=assignment, anchored=True)
    (statistics,) = yield [request]
    return (yield from improve(request, statistics, model))


def _fell(objective: float, statistics: Statistics, state: _State, model: Model) -> bool:
    """Whether the objective fell by more than rounding explains (or is not a number at all)."""
    if not np.isfinite(objective):
        return state.best is not None
    if state.best is None or not model.regularization.monotone or len(state.trace) == state.segments[-1]:
        return False
    allowed = max(_MONOTONE * statistics.magnitude, statistics.rounding + state.best.statistics.rounding)
    return objective < state.best.objective - allowed


def _bury(state: _State, dead: NDArray[np.int64], reseed: Reseed | None) -> None:
    """Give dead components new rows a few times, then leave them out; either begins a new segment."""
    state.segments.append(len(state.trace))
    fresh = reseed(state.mixture, dead) if reseed is not None and state.reseeds < _RESEEDS else None
    if fresh is not None:
        state.reseeds += 1
        state.mixture = fresh
        return
    alive = np.setdiff1d(np.arange(state.mixture.n_components), dead)
    left = state.mixture.take(alive)
    state.dropped = True
    state.mixture = Mixture.within(
        left.coordinates, left.weights / left.weights.sum(), left.centres, left.spread, left.structure
    )
