"""One candidate, a structure and a number of components, from its starts to an appraised mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import final

from gaussmix._linalg import Integers
from gaussmix.covariance import Family
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.climb import can_climb
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.scoring import Appraisal
from gaussmix.fitting.degeneracy import Degeneracy, find_degenerate
from gaussmix.fitting.em import Reseed, em
from gaussmix.fitting.maximize import Collapsed, Model
from gaussmix.fitting.method import Method, Outcome, together
from gaussmix.fitting.race import Runner, race, winner
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.mixture import Mixture

_SAMPLE_TOL = 1e-6  # per row: a fit to the sample is only the start of one to all rows
_FINALISTS = 2


@final
@dataclass(frozen=True)
class StartRecord:
    """How one start of a candidate ended.

    Parameters
    ----------
    kind : str
        How it was found.
    objective : float
        Best (penalised) log-likelihood it came to, of the rows it was run on.
    passes : int
        Passes it made.
    reason : str
        Why it ended.
    on_sample : bool
        Whether it was run on the row sample only.
    """

    kind: str
    objective: float
    passes: int
    reason: str
    on_sample: bool = False


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """An appraised candidate.

    Parameters
    ----------
    family, n_components : Family, int
        What was asked for.
    outcome : Outcome or None
        How its best start ended, components in order; None where there is no mixture.
    appraisal : Appraisal or None
        What that mixture says of all rows.
    degenerate : tuple of Degeneracy
        Components that rest on something else than data.
    starts : tuple of StartRecord
        Every start.
    """

    family: Family
    n_components: int
    outcome: Outcome | None
    appraisal: Appraisal | None
    degenerate: tuple[Degeneracy, ...]
    starts: tuple[StartRecord, ...]

    @property
    def reason(self) -> Reason:
        """Why it ended."""
        return Reason.INFEASIBLE if self.outcome is None else self.outcome.reason


@final
@dataclass(frozen=True)
class Recipe:
    """How candidates are to be fitted.

    Parameters
    ----------
    kind : str
        Kind of starts.
    n_starts : int or None
        How many; None leaves it to the kind.
    rule : StoppingRule
        When to stop.
    """

    kind: str
    n_starts: int | None
    rule: StoppingRule


def candidate(
    family: Family,
    n_components: int,
    evaluator: Evaluator,
    regularization: Regularization,
    seeds: Seeds,
    recipe: Recipe,
    given: Sequence[Runner] = (),
) -> Method[Fitted]:
    """Fit one candidate from its starts, or from `given` ones.

    Parameters
    ----------
    family, n_components : Family, int
        What to fit.
    evaluator : Evaluator
        Only its summary and pilots are looked at.
    regularization : Regularization
        In data units.
    seeds : Seeds
        Where starts come from.
    recipe : Recipe
        How many of them, of which kind, and when to stop.
    given : sequence of Runner
        Starts to use instead, run on all rows.
    """
    model = model_of(family, evaluator, regularization, recipe.rule)

    def reseed(mixture: Mixture, dead: Integers) -> Mixture | None:
        return seeds.reseed(model, mixture, dead)

    records: list[StartRecord] = []
    runners = list(given)
    if not runners:
        runners = _runners(model, n_components, seeds, recipe)
        if evaluator.sample is not evaluator:
            small = can_climb(model.regularization, evaluator.sample.summary)
            sampled = replace(model, sampled=True, small=small)
            runners = yield from _heats(runners, sampled, recipe, reseed, records)
    field = yield from race(runners, model, recipe.rule, reseed)
    best = yield from _finished_winner(field, model, recipe, reseed)
    if not records:
        records += [_record(runner) for runner in field]
    if best is None or best.outcome is None:
        return Fitted(family, n_components, None, None, (), tuple(records))
    outcome = best.outcome
    ordered = outcome.in_order()
    try:
        (appraisal,) = yield [Appraise(ordered.mixture)]
    except Stop as stop:
        ordered, appraisal = ordered.ended(stop.reason), _hasty(outcome)
    degenerate = find_degenerate(ordered.mixture, family, model.regularization, appraisal.mass, appraisal.kish_rows)
    return Fitted(family, n_components, ordered, appraisal, degenerate, tuple(records))


def model_of(family: Family, evaluator: Evaluator, regularization: Regularization, rule: StoppingRule) -> Model:
    """Return what is fitted, in the coordinates that the family allows."""
    pilot = evaluator.pilots[family.axis_equivariant]
    scaled = regularization.in_units(pilot.coordinates.scale)
    return Model(family, scaled, pilot, rule.tol / 10.0, small=can_climb(scaled, evaluator.summary))


def _runners(model: Model, n_components: int, seeds: Seeds, recipe: Recipe) -> list[Runner]:
    """Make a mixture of every start that gives a valid one."""
    runners: list[Runner] = []
    for start in seeds.starts(n_components, recipe.kind, recipe.n_starts):
        with suppress(Collapsed):
            runners.append(Runner(start.kind, start.mixture(model), start.favourite))
    return runners


def _heats(
    runners: Sequence[Runner], model: Model, recipe: Recipe, reseed: Reseed, records: list[StartRecord]
) -> Method[list[Runner]]:
    """Run the starts on the row sample; the best few begin on all rows where they ended there."""
    rule = StoppingRule(max(_SAMPLE_TOL, recipe.rule.tol), recipe.rule.max_passes)
    field = yield from race(runners, model, rule, reseed)
    records += [replace(_record(runner), on_sample=True) for runner in field]
    ran = [(runner, outcome) for runner in field if (outcome := runner.outcome) is not None]
    ran.sort(key=lambda pair: (pair[1].reason is Reason.DROPPED, -pair[1].objective))
    return [Runner(runner.kind, outcome.mixture) for runner, outcome in ran[:_FINALISTS]]


def _finished_winner(field: list[Runner], model: Model, recipe: Recipe, reseed: Reseed) -> Method[Runner | None]:
    """Return the best of the field; one that was outrun, but by degenerate ones only, is first run to its end.

    `field` is changed accordingly.
    """
    while True:
        bad = [runner.outcome is not None and bool(_degenerate(runner.outcome, model)) for runner in field]
        best = winner(field, bad)
        if best is None or best.outcome is None or best.outcome.reason is not Reason.OUTRUN:
            return best
        (end,) = yield from together([em(best.outcome, model, recipe.rule, reseed)])
        field[field.index(best)] = replace(best, outcome=end or best.outcome.ended(Reason.INTERRUPTED))


def _record(runner: Runner) -> StartRecord:
    outcome = runner.outcome
    if outcome is None:
        return StartRecord(runner.kind, float("-inf"), 0, Reason.INTERRUPTED.value)
    return StartRecord(runner.kind, outcome.objective, outcome.passes, outcome.reason.value)


def _hasty(outcome: Outcome) -> Appraisal:
    """Return what the last pass already told, for a fit that was stopped: no entropies."""
    statistics, order = outcome.statistics, outcome.mixture.order()
    mass, kish = statistics.mass[order], statistics.kish[order]
    return Appraisal(statistics.log_likelihood, math.nan, math.nan, mass, kish, mass)


def _degenerate(outcome: Outcome, model: Model) -> tuple[Degeneracy, ...]:
    statistics = outcome.statistics
    return find_degenerate(
        outcome.mixture, model.structure, model.regularization, statistics.mass, statistics.kish_rows
    )
