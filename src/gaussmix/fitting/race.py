"""Many starts of one candidate: all run a little, the best are run to the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np

from gaussmix.engine.climb import Parameters
from gaussmix.engine.race import LONGEST, Flags, Race
from gaussmix.fitting.algorithm import EM, Algorithm
from gaussmix.fitting.em import Reseed, concluded, em
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome, together
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.mixture import Mixture

_HEAT_PASSES = 8
SURVIVING = 2
"""Starts that go on after the first heat, at most, beside the favourites."""


@final
@dataclass(frozen=True)
class Pace:
    """How a race is thinned out.

    Parameters
    ----------
    heat_passes : int
        Of the first heat.
    surviving : int
        How many go on then, beside the favourites.
    patient : bool
        Whether nobody is given up during the first heat.
    barless : bool
        Whether nobody is given up for what others have reached before.
    """

    heat_passes: int = _HEAT_PASSES
    surviving: int = SURVIVING
    patient: bool = False
    barless: bool = False


@final
class Runner(NamedTuple):
    """One start of a race.

    Parameters
    ----------
    kind : str
        How the start was found.
    start : Start, Mixture or Outcome
        Where it begins.
    favourite : bool
        Whether it runs to the end even when others are ahead after the first heat.
    outcome : Outcome or None
        How it ended; None while it has not run.
    finished : bool
        Whether that was on all rows and by the rule that the user asked for.
    lost : Reason or None
        Why it has no outcome although it has run.
    """

    kind: str
    start: Start | Mixture | Outcome
    favourite: bool = False
    outcome: Outcome | None = None
    finished: bool = False
    lost: Reason | None = None

    def after(self, end: Outcome | Reason | None, *, finished: bool = False) -> Runner:
        """Return the runner as it ended."""
        if end is None or isinstance(end, Reason):
            return self._replace(lost=end)
        return self._replace(outcome=end, finished=finished)


def race(
    runners: Sequence[Runner],
    model: Model,
    rule: StoppingRule,
    reseed: Reseed | None = None,
    *,
    algorithm: Algorithm = EM,
    final: bool = False,
    pace: Pace | None = None,
) -> Method[list[Runner]]:
    """Run every start for a few passes, then the best and the favourites until the rule is met.

    With `final` those that were not outrun are finished then. A bar in the rule is what all of them must reach.

    Returns
    -------
    list of Runner
        All of them, in the order given, with how they ended; those that others outran say so.
    """
    pace = pace or Pace()
    bar = -math.inf if pace.patient else rule.bar
    heat = replace(rule, max_passes=min(pace.heat_passes, rule.max_passes), bar=bar)
    if algorithm.compiled and not final and bar == rule.bar and rule.max_passes > heat.max_passes:
        request = _one_request(runners, model, heat, rule, pace.surviving)
        if request is not None:
            return (yield from _compiled_race(request, runners, model, heat, rule, reseed))
    first = yield from together([_to_its_end(algorithm.explore(r.start, model, heat, reseed)) for r in runners])
    field = [runner.after(end, finished=final) for runner, end in zip(runners, first, strict=True)]
    return (yield from _second_heat(field, model, heat, rule, reseed, algorithm, pace.surviving))


def _to_its_end(method: Method[Outcome]) -> Method[Outcome | Reason]:
    """Return a start's outcome, or why it has none."""
    try:
        return (yield from method)
    except Stop as stop:
        return stop.reason


def _second_heat(
    field: list[Runner],
    model: Model,
    heat: StoppingRule,
    rule: StoppingRule,
    reseed: Reseed | None,
    algorithm: Algorithm,
    surviving: int,
) -> Method[list[Runner]]:
    """Run the best of the first heat, and the favourites, until the rule is met."""
    going = [i for i, runner in enumerate(field) if _unfinished(runner.outcome)]
    going.sort(key=lambda i: -_objective(field[i].outcome))
    chosen = {i for place, i in enumerate(going) if place < surviving or field[i].favourite}
    if rule.max_passes > heat.max_passes and chosen:
        order = sorted(chosen)
        starts = [outcome for i in order if (outcome := field[i].outcome) is not None]
        ends = yield from together([algorithm.finish(start, model, rule, reseed) for start in starts])
        for i, end in zip(order, ends, strict=True):
            field[i] = field[i]._replace(outcome=end or field[i].outcome)
        for i in set(going) - chosen:
            field[i] = _outrun(field[i])
    return field


def _one_request(
    runners: Sequence[Runner], model: Model, heat: StoppingRule, rule: StoppingRule, surviving: int
) -> Race | None:
    """Return the request by which compiled code runs all these starts in one go, where it can and may."""
    starts = [runner.start for runner in runners]
    if not (starts and model.small and model.n_rows) or any(isinstance(start, Outcome) for start in starts):
        return None
    favourites = np.array([runner.favourite for runner in runners])
    terms = model.terms(rule, accelerated=True)
    request = Race(*_stacked(runners, model), favourites, terms, heat.max_passes, surviving, rule.max_passes)
    return request if request.seconds(model.n_rows) <= LONGEST else None


def _n_components(start: Start | Mixture | Outcome) -> int:
    if isinstance(start, Outcome):
        return start.mixture.n_components
    return len(start.mass) if isinstance(start, Start) else start.n_components


def _stacked(runners: Sequence[Runner], model: Model) -> tuple[Parameters, Flags]:
    """Return weights, means and factors of the starts, of groups their masses, means and scatters; and which are."""
    units = model.pilot.spreads
    n, k = len(runners), _n_components(runners[0].start)
    weights, centres, factors = np.empty((n, k)), np.empty((n, k, len(units))), np.empty((n, k, len(units), len(units)))
    groups = np.array([isinstance(runner.start, Start) for runner in runners])
    for s, runner in enumerate(runners):
        start = runner.start
        if isinstance(start, Start):
            weights[s], centres[s], factors[s] = start.mass, start.means, start.scatters
        elif isinstance(start, Mixture):
            mixture = start.expressed_in(model.pilot.coordinates)
            weights[s], centres[s], factors[s] = mixture.weights, mixture.centres, mixture.spread.triangles()
    centres[groups] *= units
    factors[groups] = factors[groups] * units * units[:, None]
    return (weights, centres, factors), groups


def _compiled_race(
    request: Race,
    runners: Sequence[Runner],
    model: Model,
    heat: StoppingRule,
    rule: StoppingRule,
    reseed: Reseed | None,
) -> Method[list[Runner]]:
    """Race in one request, as far as compiled code can."""
    try:
        (raced,) = yield [request]
    except Stop:
        return list(runners)
    survived = [False] * len(runners) if raced.survived is None else raced.survived
    field: list[Runner] = []
    rest: dict[int, Method[Outcome | Reason]] = {}
    for i, (runner, climbed) in enumerate(zip(runners, raced.climbed, strict=True)):
        mine = rule if survived[i] else heat
        outcome = concluded(climbed, mine, raced.survived is not None and not survived[i])
        field.append(Runner(runner.kind, runner.start, runner.favourite, outcome))
        if outcome is None:
            rest[i] = _to_its_end(em(runner.start, model, mine, reseed, accelerated=True, climbed=climbed))
    for i, end in zip(rest, (yield from together(list(rest.values()))), strict=True):
        field[i] = runners[i].after(end)
    if raced.survived is None:
        return (yield from _second_heat(field, model, heat, rule, reseed, EM, request.surviving))
    return [_outrun(r) if i in rest and not survived[i] and _unfinished(r.outcome) else r for i, r in enumerate(field)]


def winner(runners: Sequence[Runner], spurious: Callable[[Outcome], bool]) -> Runner | None:
    """Return the runner with the highest objective among the best class.

    Whole mixtures come before such that lost components or became singular, and then such that `spurious` does not
    object to before the rest.
    """
    ran = [runner for runner in runners if runner.outcome is not None]
    highest = best = max(ran, key=_standing, default=None)
    while best is not None and best.outcome is not None:
        if not spurious(best.outcome):
            return best
        ran = [runner for runner in ran if runner is not best]
        best = max(ran, key=_standing, default=None)
    return highest


def finalists(runners: Sequence[Runner], spurious: Callable[[Outcome], bool], most: int) -> list[Runner]:
    """Return the best few runners of a sample, the best first, to begin on all rows where they ended there.

    Among several is the best that is not spurious on the sample; others may be sane on all rows.
    """
    ran = [(runner, outcome) for runner in runners if (outcome := runner.outcome) is not None]
    ran.sort(key=lambda pair: (pair[1].reason is Reason.DROPPED, -pair[1].objective))
    if most > 1:
        sane = next((place for place, (_, outcome) in enumerate(ran) if not spurious(outcome)), 0)
        if sane >= most:
            ran[most - 1] = ran[sane]
    return [Runner(runner.kind, outcome.mixture) for runner, outcome in ran[:most]]


def contenders(runners: Sequence[Runner], spurious: Callable[[Outcome], bool], most: int, same: float) -> list[Runner]:
    """Return the best few optima of a sample, the best first; at most half of them such that are spurious there."""
    ran = [(runner, outcome) for runner in runners if (outcome := runner.outcome) is not None]
    ran.sort(key=lambda pair: (pair[1].reason is Reason.DROPPED, -pair[1].objective))
    found: list[Runner] = []
    dubious, last = 0, math.inf
    for runner, outcome in ran:
        if len(found) == most or outcome.objective > last - same:
            continue
        dubious += spurious(outcome)
        if dubious <= most // 2 or not spurious(outcome):
            found.append(Runner(runner.kind, outcome.mixture))
            last = outcome.objective
    return found


def _standing(runner: Runner) -> tuple[bool, float]:
    outcome = runner.outcome
    assert outcome is not None
    return outcome.reason not in (Reason.DROPPED, Reason.COLLAPSED), outcome.objective


def _unfinished(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.reason in (Reason.MAX_PASSES, Reason.DROPPED)


def _objective(outcome: Outcome | None) -> float:
    return float("-inf") if outcome is None else outcome.objective


def _outrun(runner: Runner) -> Runner:
    """Mark a runner as outrun; that one has lost components must not be forgotten."""
    assert runner.outcome is not None
    if runner.outcome.reason is Reason.DROPPED:
        return runner
    return runner._replace(outcome=runner.outcome.ended(Reason.OUTRUN), finished=False)
