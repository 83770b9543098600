"""One candidate, a structure and a number of components, from its starts to an appraised mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice
from typing import final

from gaussmix.covariance import Family
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.climb import can_climb, is_small
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.scoring import Appraisal
from gaussmix.engine.summary import Summary
from gaussmix.fitting.algorithm import EM, Algorithm
from gaussmix.fitting.approach import ROWS_PER_PARAMETER, decided
from gaussmix.fitting.contest import Contest, StartRecord
from gaussmix.fitting.degeneracy import Degeneracy
from gaussmix.fitting.effort import EFFORTS, Effort
from gaussmix.fitting.em import Reseed
from gaussmix.fitting.escape import Search, doubtful, escaped
from gaussmix.fitting.judge import Judge
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome, together
from gaussmix.fitting.race import SURVIVING, Pace, Runner, contenders, finalists, race, winner
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.statistics import Statistics

_HEAT_TOL = 1e-5  # per row: heats only decide who goes on to the finals
_HEAT_PASSES = 200
_FINALISTS = 2
_SECOND_CHANCES = 4  # runs to the end of runners that others were ahead of, until these turned out to be spurious
_LONG_HEAT = 32  # passes after which half of the moves go on, where these are cheap
_FIRST = 4  # starts of a candidate fitted alone that go on after the first heat, beside the favourites
_LANDING = 8  # optima of the sample that are tried on all rows
_FRESH, _FEW_FRESH = 4, 2  # new starts in a round of moves
# Rows times components times squares of features, up to which a pass takes no time, is cheap, is worth a doubt.
_CHEAPEST, _CHEAP, _WORTH_DOUBTING = 3 << 19, 5 << 19, 1 << 23


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
            contest = yield from self._sought(contest)
        else:
            contest = yield from self.heats(contest)
        return (yield from self.finals(contest))

    def _sought(self, contest: Contest) -> Method[Contest]:
        """Look for the best optimum: on the row sample first, then on all rows where a doubt is worth their passes."""
        contest = yield from self._escaped((yield from self._heats_alone(contest)))
        if not contest.sampled or contest.leader is None:
            return contest
        worth = self.same * contest.leader.statistics.weight
        near = self._work(replace(contest, sampled=False)) <= _WORTH_DOUBTING and self.recipe.effort.moves > 0
        near = near and contest.n_components > 1 and doubtful(contest, worth)
        landed = yield from (self._landed(contest, worth) if near else self._decided(contest, self.recipe.rule))
        if landed.leader is None:
            return contest
        return (yield from self._escaped(landed, repairs_only=not near))

    def _heats_alone(self, contest: Contest) -> Method[Contest]:
        return self.heats(contest, alone=True)

    def _escaped(self, contest: Contest, *, repairs_only: bool = False) -> Method[Contest]:
        """Try ways out of the best optimum; the dearer passes are, the fewer."""
        work, on_all = self._work(contest), bool(contest.earlier)
        cheapest, most = work <= _CHEAPEST and not on_all, _WORTH_DOUBTING if on_all else _CHEAP
        fresh = 0 if work > most else _FRESH if cheapest else _FEW_FRESH
        small = self._few(contest) and not on_all
        same = self.same * self._asked(contest).summary.weight
        search = Search(self.recipe.effort.moves, fresh, cheapest, small, repairs_only, same)
        return escaped(contest, self._heats_alone, self.seeds, search)

    def _landed(self, contest: Contest, same: float) -> Method[Contest]:
        """Race the best optima of the row sample on all rows."""
        field = contenders(contest.field, contest.judge.spurious, _LANDING, same)
        return self._heats_alone(self._on_all(contest, field))

    def _on_all(self, contest: Contest, field: Sequence[Runner]) -> Contest:
        """Return the contest of these runners on all rows."""
        judge = self._judge(contest.model)
        return replace(contest, judge=judge, field=tuple(field), sampled=False, earlier=contest.records)

    def _decided(
        self, contest: Contest, rule: StoppingRule, most: int = _FINALISTS, max_passes: int | None = None
    ) -> Method[Contest]:
        """Run the best of the row sample on all rows until the rule is met."""
        algorithm, model = self.recipe.algorithm, contest.model
        field = yield from decided(
            *(finalists(contest.field, contest.judge.spurious, most), model, rule),
            *(self._nested(contest, max_passes), self._n_parameters(contest)),
            *(algorithm.finishing, self._reseed(model), self._judge(model).spurious),
        )
        return self._on_all(contest, field)

    def _asked(self, contest: Contest) -> Evaluator:
        """Return the passes over the rows that a contest is run on."""
        return self.evaluator.sample if contest.sampled else self.evaluator

    def _few(self, contest: Contest) -> bool:
        """Whether there are so few rows that passes cost next to nothing, whoever makes them."""
        return is_small(contest.model.regularization, self.evaluator.summary)

    def _work(self, contest: Contest) -> int:
        """Return how much a pass is: rows times components times the square of features."""
        features = self.evaluator.source.n_features
        return self._asked(contest).summary.rows_read * contest.n_components * (features + 1) ** 2

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
        scale = self.evaluator.summary.weight / self.evaluator.sample.summary.weight if sampled else 1.0
        return Contest(family, n_components, model, self._judge(model, scale), runners, sampled)

    def heats(self, contest: Contest, bar: float = -math.inf, *, alone: bool = False) -> Method[Contest]:
        """Race those that have not run yet by a looser rule, on the row sample where that is not all rows.

        There may be a bar to reach, an objective; where others have run before, their best is one. A candidate that is
        fitted `alone` has time where passes are cheap: nobody is given up for being behind at first, for moves out of
        an optimum go down before they climb, and starts by lot overtake hierarchies late.
        """
        model, rule = contest.model, self.recipe.rule
        fresh = [runner for runner in contest.field if runner.outcome is None]
        ran = [runner for runner in contest.field if runner.outcome is not None]
        pace = self._pace(contest, fresh, begun=bool(ran)) if alone else Pace()
        bar = bar if contest.leader is None or pace.barless else max(bar, contest.leader.objective)
        rule = StoppingRule(max(_HEAT_TOL, rule.tol), min(_HEAT_PASSES, rule.max_passes), bar)
        if contest.sampled:
            model = _sized(replace(model, sampled=True), self.evaluator.sample.summary)
        field = yield from race(fresh, model, rule, self._reseed(model), algorithm=self.recipe.algorithm, pace=pace)
        return replace(contest, field=(*ran, *field))

    def _pace(self, contest: Contest, fresh: Sequence[Runner], *, begun: bool) -> Pace:
        """Return how many of the fresh runners of a candidate that is fitted alone go on, and after how many passes."""
        if contest.earlier:
            return Pace(patient=True)
        every, small = len(fresh), self._few(contest)
        if small and begun:
            return Pace(_LONG_HEAT, every // 2, patient=True, barless=True)
        if small or (self._work(contest) <= _CHEAP and not (begun and any(not each.favourite for each in fresh))):
            return Pace(surviving=every, patient=True, barless=True)
        return Pace(surviving=SURVIVING if begun else _FIRST, patient=True)

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
        leader, records = contest.leader, contest.records
        if bar == math.inf and leader is not None:
            contest = replace(contest, field=(Runner("heats", leader, outcome=leader),))
        elif contest.sampled:
            contest = yield from self._decided(contest, rule, 1 if bar > -math.inf else _FINALISTS, max_passes)
        elif any(runner.outcome is None for runner in contest.field):
            field = yield from race(contest.field, model, rule, self._reseed(model), algorithm=algorithm, final=True)
            contest = replace(contest, field=tuple(field))
            records = contest.records
        field = list(contest.field)
        best = yield from self._finish(field, model, contest.judge, rule)
        if best is None and leader is not None:
            # Stopped before all rows were read once: the heats' best is what there is.
            return self._stopped(contest, leader.in_order().ended(Reason.INTERRUPTED), records)
        if best is None:
            return Fitted(family, contest.n_components, None, None, (), records)
        ordered = best.in_order()
        try:
            (appraisal,) = yield [Appraise(ordered.mixture)]
        except Stop as stop:
            return self._stopped(contest, ordered.ended(stop.reason), records)
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

    def _stopped(self, contest: Contest, outcome: Outcome, records: tuple[StartRecord, ...]) -> Fitted:
        """Return a candidate that all rows were not asked about in the end."""
        statistics = outcome.statistics
        degenerate = contest.judge.degenerate(outcome, statistics.mass, statistics.kish)
        appraisal = _hasty(statistics, self.recipe.algorithm.by_likelihood, self.evaluator.summary.weight)
        return Fitted(contest.family, contest.n_components, outcome, appraisal, degenerate, records)

    def _judge(self, model: Model, scale: float = 1.0) -> Judge:
        if (model, scale) not in self._judges:
            self._judges[model, scale] = Judge(model, self.recipe.allow_spurious, scale)
        return self._judges[model, scale]

    @cached_property
    def _judges(self) -> dict[tuple[Model, float], Judge]:
        """Those asked so far."""
        return {}

    def _reseed(self, model: Model) -> Reseed:
        return lambda mixture, dead: self.seeds.reseed(model, mixture, dead)

    def _finish(self, field: list[Runner], model: Model, judge: Judge, rule: StoppingRule) -> Method[Outcome | None]:
        """Return the best of the field, once it has run until the rule is met; `field` is changed accordingly."""
        for left in count(_SECOND_CHANCES, -1):
            best = winner(field if left > 0 else [r for r in field if r.finished], judge.spurious)
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
            ended = best._replace(outcome=end or outcome.ended(Reason.INTERRUPTED), finished=True)
            field[next(i for i, each in enumerate(field) if each is best)] = ended


def _sized(model: Model, summary: Summary) -> Model:
    """Return the model with what the size of the rows allows."""
    return replace(model, small=can_climb(model.regularization, summary), n_rows=summary.rows_read)


def _hasty(statistics: Statistics, by_likelihood: bool, weight: float) -> Appraisal:
    """Return what the last pass already told, for a fit that was stopped: no entropies, of labels no likelihood.

    What a sample said is scaled up to the weight of all rows, so that candidates compare.
    """
    scale = weight / statistics.weight
    mass, log_likelihood = scale * statistics.mass, scale * statistics.log_likelihood if by_likelihood else math.nan
    return Appraisal(log_likelihood, math.nan, math.nan, mass, scale * statistics.kish, mass)
