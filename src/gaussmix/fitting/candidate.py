"""One candidate, a structure and a number of components, from its starts to an appraised mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import final

from gaussmix.covariance import Family
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.climb import can_climb, is_small
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.scoring import Appraisal
from gaussmix.engine.summary import Summary
from gaussmix.fitting.algorithm import EM, Algorithm
from gaussmix.fitting.approach import ROWS_PER_PARAMETER, decided
from gaussmix.fitting.degeneracy import Degeneracy
from gaussmix.fitting.effort import EFFORTS, Effort
from gaussmix.fitting.em import Reseed
from gaussmix.fitting.judge import Judge
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome, together
from gaussmix.fitting.race import SURVIVING, Runner, finalists, race, winner
from gaussmix.fitting.starts.groups import groups_of, likely_groups, moves
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.statistics import Statistics

_HEAT_TOL = 1e-5  # per row: heats only decide who goes on to the finals
_HEAT_PASSES = 200
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
        if self.outcome is not None:
            return self.outcome.reason
        stopped = any(start.reason == Reason.INTERRUPTED.value for start in self.starts)
        return Reason.INTERRUPTED if stopped else Reason.INFEASIBLE


@final
@dataclass(frozen=True)
class Recipe:
    """How candidates are to be fitted.

    Parameters
    ----------
    kind : str
        Kind of starts.
    n_starts : int or None
        How many; None leaves it to the effort.
    rule : StoppingRule
        When to stop.
    algorithm : Algorithm
        How each of them climbs.
    effort : Effort
        How much is spent on looking for a better optimum.
    acceleration : str
        How the algorithm leaves out passes, by name.
    allow_spurious : bool
        Whether an optimum that a degenerate component has bought may win.
    """

    kind: str
    n_starts: int | None
    rule: StoppingRule
    algorithm: Algorithm = EM
    effort: Effort = EFFORTS["default"]
    acceleration: str = "squarem"
    allow_spurious: bool = False

    @property
    def searching(self) -> bool:
        """Whether the user leaves it to us how an optimum is looked for."""
        return self.kind == "auto" and self.n_starts is None and self.algorithm.by_likelihood


@final
@dataclass(frozen=True, eq=False)
class Contest:
    """A candidate between two stages: its runners so far.

    Parameters
    ----------
    family, n_components : Family, int
        What is fitted.
    model : Model
        The family with its regularization, in the coordinates of all rows.
    judge : Judge
        Of its outcomes.
    field : tuple of Runner
        Every start and how it ended.
    sampled : bool
        Whether they were run on the row sample only.
    """

    family: Family
    n_components: int
    model: Model
    judge: Judge
    field: tuple[Runner, ...]
    sampled: bool

    @cached_property
    def leader(self) -> Outcome | None:
        """The best outcome so far."""
        best = winner(self.field, self.judge.spurious)
        return None if best is None else best.outcome


@final
@dataclass(frozen=True, eq=False)
class Candidates:
    """How candidates of one source are fitted: first all starts, on the row sample where there is one, then the finals.

    Parameters
    ----------
    evaluator : Evaluator
        Only its summary and pilots are looked at.
    regularization : Regularization
        In data units.
    seeds : Seeds
        Where starts come from.
    recipe : Recipe
        How many of them, of which kind, and when to stop.
    """

    evaluator: Evaluator
    regularization: Regularization
    seeds: Seeds
    recipe: Recipe

    def fit(self, family: Family, n_components: int, given: Sequence[Runner] = ()) -> Method[Fitted]:
        """Fit one candidate from its starts, or from `given` ones on all rows."""
        if given:
            model = self.model(family)
            contest = Contest(family, n_components, model, self._judge(model), tuple(given), False)
            return (yield from self.finals(contest))
        contest = self.entered(family, n_components)
        if self.recipe.searching:
            contest = yield from self.escaped((yield from self.heats(contest, alone=True)))
        else:
            contest = yield from self.heats(contest)
        return (yield from self.finals(contest))

    def model(self, family: Family) -> Model:
        """Return what is fitted, in the coordinates that the family allows."""
        if family not in self._models:
            evaluator = self.evaluator
            pilot = evaluator.pilots[family.axis_equivariant]
            scaled = self.regularization.settled(family, pilot.coordinates)
            model = Model(family, scaled, pilot, self.recipe.rule.tol / 10.0)
            self._models[family] = _sized(model, evaluator.summary)
        return self._models[family]

    @cached_property
    def _models(self) -> dict[Family, Model]:
        """Those made so far."""
        return {}

    def entered(self, family: Family, n_components: int, first: int = 0, last: int | None = None) -> Contest:
        """Return a candidate's starts, from the `first` to before the `last`, none of them run yet."""
        n_starts = self.recipe.n_starts or self.recipe.effort.n_starts
        starts = islice(self.seeds.starts(n_components, self.recipe.kind, n_starts), first, last)
        runners = tuple(Runner(start.kind, start, start.favourite) for start in starts)
        sampled = self.evaluator.sample is not self.evaluator
        model = self.model(family)
        return Contest(family, n_components, model, self._judge(model), runners, sampled)

    def heats(self, contest: Contest, bar: float = -math.inf, *, alone: bool = False) -> Method[Contest]:
        """Race those that have not run yet by a looser rule, on the row sample where that is not all rows.

        There may be a bar to reach, an objective; where others have run before, their best is one. A candidate that is
        fitted `alone` to few rows has time: all go on after the first heat, and being behind is no reason to give up,
        for moves out of an optimum go down before they climb.
        """
        model, rule = contest.model, self.recipe.rule
        lavish = alone and is_small(model.regularization, self.evaluator.summary)
        bar = bar if contest.leader is None or lavish else max(bar, contest.leader.objective)
        rule = StoppingRule(max(_HEAT_TOL, rule.tol), min(_HEAT_PASSES, rule.max_passes), bar)
        if contest.sampled:
            model = _sized(replace(model, sampled=True), self.evaluator.sample.summary)
        fresh = [runner for runner in contest.field if runner.outcome is None]
        ran = [runner for runner in contest.field if runner.outcome is not None]
        algorithm, surviving = self.recipe.algorithm, len(fresh) if lavish else SURVIVING
        field = yield from race(fresh, model, rule, self._reseed(model), algorithm=algorithm, surviving=surviving)
        return replace(contest, field=(*ran, *field))

    def escaped(self, contest: Contest) -> Method[Contest]:
        """Race moves out of the best optimum so far, until a number of rounds has led to nothing better.

        There is no way out of a spurious one: nothing that makes sense is higher, and saddles below it would win.
        """
        failures = rounds = 0
        while failures < self.recipe.effort.moves and (leader := contest.leader) is not None:
            if contest.judge.spurious(leader):
                break
            found = groups_of(leader, contest.model) or likely_groups(leader, contest.model)
            lots = self.seeds.generator("moves", rounds, contest.n_components)
            moved = moves(found, self.seeds.z, lots) if found else ()
            runners = tuple(Runner(move.kind, move) for move in moved)
            if not runners:
                break
            contest = yield from self.heats(replace(contest, field=(*contest.field, *runners)), alone=True)
            worth = self.same * leader.statistics.weight
            better = contest.leader is not None and contest.leader.objective > leader.objective + worth
            failures, rounds = 0 if better else failures + 1, rounds + 1
        return contest

    @property
    def same(self) -> float:
        """Difference of two objectives of the heats, per unit of weight, up to which they are those of one optimum."""
        return 10.0 * max(_HEAT_TOL, self.recipe.rule.tol)

    def finals(self, contest: Contest, bar: float = -math.inf, max_passes: int | None = None) -> Method[Fitted]:
        """Run the best of a contest on all rows until the rule is met, and appraise it.

        A candidate that will not reach the bar, an objective, is pruned as soon as that shows; at once, as the heats
        left it, when the bar is infinite. It may be allowed fewer passes on all rows than the rule says.
        """
        family, model, algorithm = contest.family, contest.model, self.recipe.algorithm
        rule = replace(self.recipe.rule, bar=bar)
        if max_passes is not None:
            before = 0 if contest.sampled or contest.leader is None else contest.leader.passes
            rule = replace(rule, max_passes=min(rule.max_passes, before + max_passes))
        records = tuple(_record(runner, contest.sampled) for runner in contest.field)
        field = list(contest.field)
        if bar == math.inf and contest.leader is not None:
            field = [Runner("heats", contest.leader, outcome=contest.leader)]
        elif contest.sampled:
            field = yield from decided(
                *(
                    finalists(field, contest.judge.spurious, 1 if bar > -math.inf else _FINALISTS),
                    model,
                    rule,
                    self._nested(contest, max_passes),
                    self._n_parameters(contest),
                ),
                *(algorithm.finishing, self._reseed(model), contest.judge.spurious),
            )
        elif any(runner.outcome is None for runner in field):
            field = yield from race(field, model, rule, self._reseed(model), algorithm=algorithm, final=True)
            records = tuple(_record(runner, False) for runner in field)
        best = yield from self._finish(field, model, contest.judge, rule)
        if best is None and contest.leader is not None:
            # Stopped before all rows were read once: the heats' best is what there is.
            return self._stopped(contest, contest.leader, records)
        if best is None:
            return Fitted(family, contest.n_components, None, None, (), records)
        ordered = best.in_order()
        try:
            (appraisal,) = yield [Appraise(ordered.mixture)]
        except Stop as stop:
            ordered = ordered.ended(stop.reason)
            appraisal = _hasty(ordered.statistics, algorithm.by_likelihood)
        degenerate = contest.judge.degenerate(ordered, appraisal.mass, appraisal.kish)
        return Fitted(family, contest.n_components, ordered, appraisal, degenerate, records)

    def _nested(self, contest: Contest, max_passes: int | None) -> list[tuple[int, int]]:
        """Return levels and rows of the nested samples that have rows enough; few passes are not worth drawing them."""
        if max_passes or self.recipe.algorithm is not EM or not contest.model.regularization.monotone:
            return []
        rows = self.evaluator.summary.n_rows
        samples = [(level, rows >> 2 * level) for level in self.evaluator.levels]
        return [(level, size) for level, size in samples if size >= ROWS_PER_PARAMETER * self._n_parameters(contest)]

    def _n_parameters(self, contest: Contest) -> int:
        return contest.family.n_mixture_parameters(contest.n_components, self.evaluator.source.n_features)

    def _stopped(self, contest: Contest, leader: Outcome, records: tuple[StartRecord, ...]) -> Fitted:
        """Return a candidate of which only the heats are known: what a sample said is scaled up to all rows."""
        ordered = leader.in_order().ended(Reason.INTERRUPTED)
        scale = self.evaluator.summary.weight / ordered.statistics.weight
        hasty = _hasty(ordered.statistics, self.recipe.algorithm.by_likelihood)
        appraisal = replace(hasty, log_likelihood=hasty.log_likelihood * scale)
        return Fitted(contest.family, contest.n_components, ordered, appraisal, (), records)

    def _judge(self, model: Model) -> Judge:
        return Judge(model, self.recipe.allow_spurious)

    def _reseed(self, model: Model) -> Reseed:
        return lambda mixture, dead: self.seeds.reseed(model, mixture, dead)

    def _finish(self, field: list[Runner], model: Model, judge: Judge, rule: StoppingRule) -> Method[Outcome | None]:
        """Return the best of the field, once it has run until the rule is met; `field` is changed accordingly."""
        while True:
            best = winner(field, judge.spurious)
            if best is None or best.outcome is None:
                return None
            outcome = best.outcome
            if best.finished and outcome.reason is not Reason.OUTRUN and rule.bar < math.inf:
                return outcome
            # One that others were ahead of, until they turned out to be spurious, has to go on.
            weight = self.evaluator.summary.weight
            if rule.bar == math.inf or rule.hopeless(outcome.objective, outcome.remaining * weight):
                settled = outcome.reason is Reason.CONVERGED and outcome.remaining < rule.tol
                return outcome if settled else outcome.ended(Reason.PRUNED)
            climb = self.recipe.algorithm.finish
            (end,) = yield from together([climb(outcome, model, rule, self._reseed(model))])
            field[field.index(best)] = replace(best, outcome=end or outcome.ended(Reason.INTERRUPTED), finished=True)


def _sized(model: Model, summary: Summary) -> Model:
    """Return the model with what the size of the rows allows."""
    return replace(model, small=can_climb(model.regularization, summary), n_rows=summary.rows_read)


def _record(runner: Runner, on_sample: bool) -> StartRecord:
    outcome = runner.outcome
    if outcome is None:
        return StartRecord(runner.kind, float("-inf"), 0, (runner.lost or Reason.INTERRUPTED).value, on_sample)
    return StartRecord(runner.kind, outcome.objective, outcome.passes, outcome.reason.value, on_sample)


def _hasty(statistics: Statistics, by_likelihood: bool) -> Appraisal:
    """Return what the last pass already told, for a fit that was stopped: no entropies, of labels no likelihood."""
    mass, log_likelihood = statistics.mass, statistics.log_likelihood if by_likelihood else math.nan
    return Appraisal(log_likelihood, math.nan, math.nan, mass, statistics.kish, mass)
