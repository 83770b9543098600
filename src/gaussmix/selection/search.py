"""The search over structures and numbers of components: shared reads, shared starts, warm starts between neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from gaussmix import criteria
from gaussmix.covariance import Family
from gaussmix.engine.evaluator import appraise_source
from gaussmix.errors import TooFewRowsError
from gaussmix.fitting.candidate import Fitted
from gaussmix.fitting.contest import Contest
from gaussmix.fitting.drive import Driver, Progress
from gaussmix.fitting.fit import Ground, infeasible
from gaussmix.fitting.method import Ending, Method
from gaussmix.fitting.result import FitResult
from gaussmix.fitting.stopping import Reason
from gaussmix.selection.neighbours import Key, Neighbours, Suggestion
from gaussmix.selection.table import ELIGIBLE, Row, Table, best_row

_FIRST_STARTS = 3  # of every candidate; the rest is for those that may come near the best
_PIONEERS = ("EEE", "VVV", "E", "V")  # fitted first, so that the rest has something to be measured by
_OF_INTEREST = 10.0  # above the best: candidates that may come so near are fitted to the end
_GAIN_PER_ROW = 0.3  # of log-likelihood, that a better start of a candidate may bring
_STEPS = (-2, -1, 1, 2)
_SCOUTS = 3
_SCOUT_PASSES = 30
_IMPROVEMENT = 0.1  # of the best criterion, for which another round of suggestions is worth its while


@final
@dataclass(frozen=True, eq=False)
class Selection:
    """The outcome of a search.

    Parameters
    ----------
    best : FitResult
        The candidate with the least criterion among those neither degenerate, unless that was allowed, nor stopped
        early.
    table : Table
        Every candidate.
    criterion : str
        By which the best was chosen; lower is better.
    results : mapping from (structure, K) to FitResult
        Every candidate that has a mixture.
    """

    best: FitResult
    table: Table
    criterion: str
    results: Mapping[Key, FitResult]

    def __getitem__(self, key: Key) -> FitResult:
        return self.results[key]

    def __repr__(self) -> str:
        return f"<Selection of {len(self.table)} candidates by {self.criterion}: best {self.best!r}>"


def search(
    ground: Ground,
    families: Sequence[Family],
    n_components: Sequence[int],
    criterion: str,
    *,
    prune: bool = True,
    watch: Callable[[Progress], None] | None = None,
) -> Selection:
    """Fit every structure with every number of components, all of them advanced by the same reads.

    Parameters
    ----------
    ground : Ground
        What all candidates stand on.
    families, n_components : sequences
        The grid.
    criterion : str
        By which the best is chosen.
    prune : bool
        Whether to stop candidates early that cannot become the best.
    watch : callable, optional
        Told after every read how far the search is.

    Raises
    ------
    TooFewRowsError
        When no candidate has a mixture.
    """
    grid = [(family, k) for family in families for k in n_components]
    leaders = {_model_key(family, k): (family, k) for family, k in reversed(grid)}
    distinct = list(leaders.values())
    ended = _Grid(ground, distinct, criterion, prune, watch).fit()
    found = {
        _model_key(family, k): ended.get((family.name, k)) if ground.feasible(k) else infeasible(family, k)
        for family, k in distinct
    }
    results: dict[Key, FitResult] = {}
    rows: list[Row] = []
    for family, k in grid:
        fitted = found[_model_key(family, k)]
        result = None
        if fitted is not None and fitted.outcome is not None:
            result = ground.result(replace(fitted, family=family))
            results[family.name, k] = result
        rows.append(_row(family, k, fitted, result))
    if ground.held_out is not None:
        rows = _judged(rows, results, ground)
    return _selected(ground, rows, results, criterion, found)


def _judged(rows: Sequence[Row], results: Mapping[Key, FitResult], ground: Ground) -> list[Row]:
    """Fill in minus twice the log-likelihood of the rows held out, all candidates by one read."""
    held_out = ground.held_out
    assert held_out is not None
    appraisals = appraise_source([result.mixture for result in results.values()], held_out, ground.evaluator.executor)
    if not all(appraisal.mass.sum() > 0.0 for appraisal in appraisals):
        raise TooFewRowsError("no row was held out; raise holdout, or choose by a criterion that needs none")
    values = {key: -2.0 * appraisal.log_likelihood for key, appraisal in zip(results, appraisals, strict=True)}
    return [replace(row, heldout=values.get((row.structure, row.n_components), math.nan)) for row in rows]


@final
class _Grid:
    """The distinct candidates of a search, on their way.

    Parameters
    ----------
    ground : Ground
        What they stand on.
    pairs : sequence of (Family, int)
        The candidates.
    criterion : str
        By which the best is chosen.
    prune : bool
        Whether to stop candidates that cannot become the best.
    watch : callable or None
        Told after every read how far the search is.
    """

    def __init__(
        self,
        ground: Ground,
        pairs: Sequence[tuple[Family, int]],
        criterion: str,
        prune: bool,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._ground = ground
        self._pairs = [pair for pair in pairs if ground.feasible(pair[1])]
        self._criterion = criterion
        tells = criterion in criteria.PENALISED and ground.candidates.recipe.algorithm.by_likelihood
        tells = tells and ground.candidates.regularization.near_likelihood
        self._prune = prune and tells  # an objective of labels says little of how far the criterion can come
        self._driver = Driver(ground.evaluator, watch)
        n_features = ground.evaluator.source.n_features
        self._sizes = {(family.name, k): family.n_mixture_parameters(k, n_features) for family, k in pairs}
        self._followed: dict[Suggestion, float] = {}
        self._n = ground.evaluator.summary.weight

    def fit(self) -> dict[Key, Fitted]:
        """Fit every candidate for which there are enough distinct rows."""
        few = _FIRST_STARTS if self._prune else None
        least, most = self._ground.candidates.recipe.effort.rounds
        least += 0 if self._prune else 1  # all candidates are to be good, not the best alone
        contests = self._first_heats(few)
        for number in range(most):
            before = self._best(contests)
            if self._driver.interrupted:
                break
            contests |= self._suggested(contests, few if number == 0 else None)
            if number + 1 >= least and self._best(contests) > before - _IMPROVEMENT:
                break
        order = sorted(contests, key=lambda key: self._estimate(contests[key]))
        best, fitted = math.inf, dict[Key, Fitted]()
        if self._prune:
            # A few passes of the most promising tell what the rest is to be measured by; who needs more starts again.
            scouted = self._finals(contests, order[:_SCOUTS], math.inf, _SCOUT_PASSES)
            best = min((self._value(each) for each in scouted.values()), default=math.inf)
            fitted = {key: each for key, each in scouted.items() if each.reason is not Reason.MAX_PASSES}
        return fitted | self._finals(contests, [key for key in order if key not in fitted], best)

    def _run(self, methods: Mapping[Key, Method[Ending]]) -> dict[Key, Ending]:
        ended = self._driver.run(list(methods.values()))
        return {key: end for key, end in zip(methods, ended, strict=True) if end is not None}

    def _first_heats(self, few: int | None) -> dict[Key, Contest]:
        """Race the first starts of every candidate; where there is a best, of a few structures before the others."""
        entered = [self._ground.candidates.entered(family, k, 0, few) for family, k in self._pairs]
        pioneers = [contest for contest in entered if not self._prune or contest.family.name in _PIONEERS] or entered
        contests = self._heats(pioneers, {})
        best = self._best(contests)
        rest = [contest for contest in entered if contest not in pioneers]
        bars = {_key(each): self._bar(each.family, each.n_components, best, each) for each in rest}
        return contests | self._heats(rest, bars)

    def _heats(self, contests: Sequence[Contest], bars: Mapping[Key, float]) -> dict[Key, Contest]:
        heats = self._ground.candidates.heats
        return self._run({_key(each): heats(each, bars.get(_key(each), -math.inf)) for each in contests})

    def _suggested(self, contests: Mapping[Key, Contest], held_back: int | None) -> dict[Key, Contest]:
        """Race what neighbours suggest, and starts held back so far; of candidates that may come near the best."""
        candidates = self._ground.candidates
        weight = candidates.evaluator.sample.summary.weight
        neighbours, enter = Neighbours(contests, self._followed, candidates.same * weight), candidates.entered
        estimates = [self._estimate(contest) for contest in contests.values()]
        best = min(estimates, default=math.inf) if self._prune else math.inf
        near = {key for key, contest in contests.items() if self._is_near(contest, neighbours, best)}
        # What wins is often found by way of its neighbours, a component more or less away.
        near |= {(name, k + step) for name, k in near for step in _STEPS} & contests.keys()
        again: list[Contest] = []
        for key in sorted(near):
            contest = contests[key]
            more = () if held_back is None else enter(contest.family, contest.n_components, held_back).field
            fresh = (*more, *neighbours.suggestions(key))
            if fresh:
                again.append(replace(contest, field=(*contest.field, *fresh)))
        return self._heats(again, {})

    def _is_near(self, contest: Contest, neighbours: Neighbours, best: float) -> bool:
        """Whether another start may bring a candidate near the best."""
        bar = self._bar(contest.family, contest.n_components, best, contest)
        return self._potential(contest, neighbours) >= bar

    def _potential(self, contest: Contest, neighbours: Neighbours) -> float:
        """Return the objective that another start may lift a candidate to.

        Not above what a structure that it lies in has come to, and not by more than a stated gain per row: other optima
        of a model are seldom that far apart.
        """
        if contest.leader is None:
            return math.inf
        summary = self._ground.evaluator.sample.summary if contest.sampled else self._ground.evaluator.summary
        own = max(contest.leader.objective, neighbours.within_reach(_key(contest)))
        return min(own + _GAIN_PER_ROW * summary.weight, neighbours.potential(_key(contest)))

    def _finals(
        self, contests: Mapping[Key, Contest], keys: Sequence[Key], best: float, max_passes: int | None = None
    ) -> dict[Key, Fitted]:
        methods: dict[Key, Method[Fitted]] = {}
        neighbours = Neighbours(contests)
        for key in keys:
            contest = contests[key]
            bar = self._bar(contest.family, contest.n_components, best) if self._prune else -math.inf
            if self._prune and not self._is_near(contest, neighbours, best):
                bar = math.inf
            methods[key] = self._ground.candidates.finals(contest, bar, max_passes)
        return self._run(methods)

    def _bar(self, family: Family, n_components: int, best: float, contest: Contest | None = None) -> float:
        """Return the objective that would come near the best value; on the sample, where `contest` is about that."""
        if best == math.inf:
            return -math.inf
        n_parameters = self._n_parameters(family, n_components)
        bar = 0.5 * (criteria.penalty(self._criterion, n_parameters, self._n) - best - _OF_INTEREST)
        if contest is None or not contest.sampled:
            return bar
        return (bar - n_parameters) / self._scale + n_parameters

    @property
    def _scale(self) -> float:
        """By how much the rows weigh more than those of the sample."""
        return self._n / self._ground.evaluator.sample.summary.weight

    def _n_parameters(self, family: Family, n_components: int) -> int:
        return self._sizes[family.name, n_components]

    def _best(self, contests: Mapping[Key, Contest]) -> float:
        """Return the least estimate of the criterion so far."""
        return min((self._estimate(contest) for contest in contests.values()), default=math.inf)

    def _estimate(self, contest: Contest) -> float:
        """Estimate a contest's criterion by its objective so far.

        What was fitted to a sample looks better there than on rows that it has not seen: by half a unit for every
        parameter of a regular model (Akaike 1974), by more where a component is one too many. Scaled up without a unit
        taken off for each, rich models would come first.
        """
        leader = contest.leader
        if leader is None:
            return math.inf
        name = self._criterion if self._criterion in criteria.PENALISED else "bic"
        n_parameters = self._n_parameters(contest.family, contest.n_components)
        objective = leader.objective
        if contest.sampled:
            objective = (objective - n_parameters) * self._scale + n_parameters
        return criteria.penalty(name, n_parameters, self._n) - 2.0 * objective

    def _value(self, fitted: Fitted) -> float:
        """Return the criterion of a candidate that may win; infinity of any other."""
        spurious = bool(fitted.degenerate) and not self._ground.candidates.recipe.allow_spurious
        if fitted.appraisal is None or spurious or fitted.reason.value not in ELIGIBLE:
            return math.inf
        penalty = criteria.penalty(self._criterion, self._n_parameters(fitted.family, fitted.n_components), self._n)
        return penalty - 2.0 * fitted.appraisal.log_likelihood


def _selected(
    ground: Ground,
    rows: Sequence[Row],
    results: Mapping[Key, FitResult],
    criterion: str,
    found: Mapping[Key, Fitted | None],
) -> Selection:
    lenient = ground.candidates.recipe.allow_spurious
    best = best_row(rows, criterion, lenient)
    if best is None:
        # No candidate has a mixture: the first one's own error says why.
        first = next(fitted for fitted in found.values() if fitted is not None)
        ground.result(first)
        raise AssertionError("unreachable: a candidate without a mixture has no result")
    return Selection(results[best.structure, best.n_components], Table(tuple(rows), lenient), criterion, results)


def _key(contest: Contest) -> Key:
    return contest.family.name, contest.n_components


def _model_key(family: Family, n_components: int) -> Key:
    """Return what tells different models apart: with a single component, equal and variable are one."""
    return (family.name.replace("V", "E") if n_components == 1 else family.name), n_components


def _row(family: Family, n_components: int, fitted: Fitted | None, result: FitResult | None) -> Row:
    if result is None:
        reason = Reason.INTERRUPTED if fitted is None else fitted.reason
        nan = math.nan
        return Row(family.name, n_components, nan, 0, nan, nan, nan, nan, nan, nan, reason.value, False, 0)
    return Row(
        family.name,
        n_components,
        result.log_likelihood,
        result.n_parameters,
        result.bic,
        result.icl,
        result.aic,
        result.aicc,
        math.nan,
        result.entropy,
        result.reason,
        result.degenerate,
        result.passes,
    )
