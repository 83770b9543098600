"""From an optimum of the row sample to one of very many rows, by a handful of reads.

First EM on nested samples that grow fourfold, each until there is less to gain than its own rows can tell. Then every
read of all rows corrects the largest sample (`engine.surrogate`), on which EM goes on to the maximum: that is where the
next read is made, and what it says is the truth about the mixture found there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix.engine.surrogate import Correction
from gaussmix.fitting.algorithm import Algorithm
from gaussmix.fitting.em import Reseed, em, improve
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Evaluated, Method, Outcome, together
from gaussmix.fitting.race import Pace, Runner, race, winner
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule, rounding_noise
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

ROWS_PER_PARAMETER = 20
"""Rows that a nested sample must have for each parameter, to stand for all rows."""
_TIED = 20.0  # times the tolerance per row: a rival that cannot be better by more is left where it is
_STRETCH = 8  # passes of all before the best is what the others have to reach; then twice as many, and so on
_READS = 8  # at most, of all rows: where these are not enough EM is left to go on
_NOISE = 0.1  # of one over the rows: gains per row below it are no news of the next sample
_PASSES = 300  # over a sample, in one go
_FINER = 0.1  # of the tolerance, to which a corrected sample is climbed
_PLAUSIBLE = 10.0  # times what a sample's optimum is expected to lack, per row: more cannot be left to gain
_MOST_HELD = 0.9
_SHY = 4.0  # times as large a step back, after a leap that led nowhere
_HALF = 0.5  # of what was foretold: a leap that gains less was too long

Samples = Sequence[tuple[int, int]]
"""Levels of nested samples with their numbers of rows, the smallest first."""


def decided(
    runners: Sequence[Runner],
    model: Model,
    rule: StoppingRule,
    samples: Samples,
    n_parameters: int,
    algorithm: Algorithm,
    reseed: Reseed,
    spurious: Callable[[Outcome], bool],
) -> Method[list[Runner]]:
    """Run the best of the row sample on all rows until the rule is met, all of them by the same reads.

    From stretch to stretch, each of twice as many passes, the best of them is what the others have to reach: one that
    creeps towards another optimum would read all rows hundreds of times.

    Parameters
    ----------
    runners, model, rule, samples, n_parameters
        As for `brought_near`; there may be no samples.
    algorithm : Algorithm
        How all rows are climbed.
    reseed : callable
        What is done with dead components.
    spurious : callable
        Says which outcomes set no bar.
    """
    near, ended, stretch = list(runners), list[Runner](), _STRETCH
    if samples:
        near = yield from brought_near(runners, model, rule, samples, n_parameters)
        near, ended = [r for r in near if not r.finished], [r for r in near if r.finished]
    while near:
        best = winner([*near, *ended], spurious)
        if best is not None and best.outcome is not None and not spurious(best.outcome):
            rule = replace(rule, bar=max(rule.bar, best.outcome.objective))
        made = max(0 if runner.outcome is None else runner.outcome.passes for runner in near)
        allowed = min(rule.max_passes, made + stretch) if len(near) > 1 else rule.max_passes
        stretched, stretch = replace(rule, max_passes=allowed), 2 * stretch
        every = Pace(surviving=len(near))
        ran = yield from race(near, model, stretched, reseed, algorithm=algorithm, final=True, pace=every)
        near = []
        for runner in ran:
            outcome = _to_be_continued(runner, allowed, rule)
            if outcome is None:
                ended.append(runner)
            else:
                near.append(Runner(runner.kind, outcome, outcome=outcome))
    return ended


def _to_be_continued(runner: Runner, allowed: int, rule: StoppingRule) -> Outcome | None:
    """Return its outcome if it stopped only because no more passes were allowed so far."""
    outcome = runner.outcome
    if outcome is None or outcome.reason not in (Reason.MAX_PASSES, Reason.DROPPED):
        return None
    return outcome if allowed <= outcome.passes < rule.max_passes else None


def brought_near(
    runners: Sequence[Runner], model: Model, rule: StoppingRule, samples: Samples, n_parameters: int
) -> Method[list[Runner]]:
    """Bring mixtures near an optimum of all rows by reads that they share; return those that may still win, best first.

    Parameters
    ----------
    runners : sequence of Runner
        Each begins at a mixture.
    model, rule, samples, n_parameters
        As for `approach`.
    """
    starts = [runner.start for runner in runners if isinstance(runner.start, Mixture)]
    ends = yield from together([approach(start, model, rule, samples, n_parameters) for start in starts])
    pairs = [(runner, end) for runner, end in zip(runners, ends, strict=True) if end is not None]
    pairs.sort(key=lambda pair: -pair[1].objective)
    return [_arrived(runner, end) for runner, end in pairs if not _beaten(end, pairs[0][1], rule)]


def _beaten(end: Outcome, best: Outcome, rule: StoppingRule) -> bool:
    """Whether an outcome that knows what it has left to gain cannot be better than the best by more than a few tol."""
    weight = best.statistics.weight
    reach = replace(rule, bar=best.objective + _TIED * rule.tol * weight)
    return end is not best and reach.hopeless(end.objective, end.remaining * weight)


def _arrived(runner: Runner, end: Outcome) -> Runner:
    return runner._replace(start=end, outcome=end, finished=end.reason is Reason.CONVERGED)


def approach(start: Mixture, model: Model, rule: StoppingRule, samples: Samples, n_parameters: int) -> Method[Outcome]:
    """Go on from `start` until the corrected sample has less to gain than the rule's tolerance, or is no use.

    Returned is the best mixture that all rows were asked about. It has converged where a plain step of EM on all
    rows has found what the corrected sample foretold, that less than the tolerance is left to gain; else EM on all rows
    is to go on from it. What is said to remain is infinite where the corrected sample could not tell.

    Parameters
    ----------
    start : Mixture
        In the fit's coordinates.
    model : Model
        What is fitted, to all rows.
    rule : StoppingRule
        Of the fit.
    samples : sequence of (int, int)
        At least one.
    n_parameters : int
        Of the mixture.
    """
    here = start
    for level, rows in samples:
        settled = replace(rule, tol=max(rule.tol, _NOISE / rows), max_passes=_PASSES, bar=-math.inf)
        end = yield from _climbed(here, replace(model, level=level), settled)
        here = here if end is None else end.mixture
    level, rows = samples[-1]
    flight = _Flight(model, replace(model, level=level), rule, n_parameters / rows)
    try:
        ahead: Mixture | None = here
        while ahead is not None:
            (whole,) = yield [model.expectation(ahead)]
            if flight.land(ahead, whole):
                (part,) = yield [flight.near.expectation(ahead)]
                flight.correction = Correction.between(whole, part, ahead)
            ahead = None
            while ahead is None and flight.going:
                ahead = flight.ahead((yield from flight.climb()))
    except Stop as stop:
        if flight.best is None:
            raise
        return flight.best.ended(stop.reason)
    assert flight.best is not None
    return flight.best if math.isinf(flight.best.remaining) else (yield from _confirmed(flight.best, model, rule))


def _confirmed(best: Outcome, model: Model, rule: StoppingRule) -> Method[Outcome]:
    """Make one plain step from where the corrected sample has nothing left to gain; all rows must say the same."""
    try:
        mixture = yield from improve(model.expectation(best.mixture), best.statistics, model)
        (whole,) = yield [model.expectation(mixture)]
    except (Collapsed, Died):
        return best
    except Stop as stop:
        return best.ended(stop.reason)
    objective, weight = model.objective(whole, mixture), whole.weight
    if not objective >= best.objective - rounding_noise(whole.magnitude, weight) * weight:
        return replace(best, trace=(*best.trace, best.objective))
    settled = objective - best.objective < rule.tol * weight
    reason = Reason.CONVERGED if settled else Reason.MAX_PASSES
    return Outcome(Evaluated(mixture, whole), objective, reason, (*best.trace, objective), (0,), best.remaining)


@final
class _Flight:
    """Leaps from read to read.

    Parameters
    ----------
    model, near : Model
        Fitted to all rows, and to the sample.
    rule : StoppingRule
        Of the fit.
    expected : float
        What an optimum of the sample lacks of that of all rows, per row: half a unit for each parameter (Wilks 1938).
    """

    def __init__(self, model: Model, near: Model, rule: StoppingRule, expected: float) -> None:
        self.model, self.near, self.rule, self.expected = model, near, rule, expected
        self.best: Outcome | None = None
        self.correction: Correction | None = None
        self.hold = 0.0
        self.foretold = math.inf
        self.going = True

    def land(self, mixture: Mixture, whole: Statistics) -> bool:
        """Take in what all rows say of `mixture`; return whether it is the best so far."""
        objective, before = self.model.objective(whole, mixture), self.best
        trace = () if before is None else before.trace
        self.going = len(trace) + 1 < min(_READS, self.rule.max_passes - 1)
        if before is not None and not objective > before.objective:
            self.best = replace(before, trace=(*trace, before.objective))
            self.shrink()
            return False
        if before is not None and objective - before.objective < _HALF * self.foretold:
            self.shrink()
        self.best = Outcome(
            Evaluated(mixture, whole), objective, Reason.MAX_PASSES, (*trace, objective), (0,), math.inf
        )
        return True

    def shrink(self) -> None:
        """Make the next leap a shorter one; end where it would be hardly longer than EM's own step."""
        self.hold = max(math.sqrt(self.expected), _SHY * self.hold)
        self.going = self.going and self.hold < _MOST_HELD

    def climb(self) -> Method[Outcome | None]:
        """Climb the corrected sample from the best mixture."""
        assert self.best is not None and self.correction is not None
        finer = replace(self.rule, tol=_FINER * self.rule.tol, max_passes=_PASSES, bar=-math.inf)
        corrected = replace(self.near, correction=replace(self.correction, hold=self.hold))
        return _climbed(self.best.mixture, corrected, finer)

    def ahead(self, climbed: Outcome | None) -> Mixture | None:
        """Return where the next read is to be made; None where what was climbed is no use, or there is no need."""
        assert self.best is not None
        weight = self.best.statistics.weight
        self.foretold = math.inf if climbed is None else climbed.objective - self.best.objective
        if climbed is None or self.foretold > _PLAUSIBLE * self.expected * weight:
            self.shrink()
            return None
        near = self.foretold < self.rule.tol * weight
        if near and self.hold == 0.0:
            self.best = replace(self.best, remaining=max(0.0, self.foretold / weight))
        self.going = not near and not self.rule.hopeless(self.best.objective, self.foretold)
        return climbed.mixture if self.going else None


def _climbed(start: Mixture, model: Model, rule: StoppingRule) -> Method[Outcome | None]:
    """Return how EM ends on a sample; None where components are lost on the way."""
    try:
        end = yield from em(start, model, rule, _refuse, accelerated=True)
    except Collapsed:
        return None
    if end.reason is Reason.INTERRUPTED:
        raise Stop(end.reason)
    return None if end.reason is Reason.COLLAPSED else end


def _refuse(mixture: Mixture, dead: NDArray[np.int64]) -> Mixture | None:
    raise Collapsed(f"components {dead.tolist()} have no rows in a sample")
