"""Answers requests about one source: any number of them with one read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar, final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import Moment
from gaussmix.data.open import open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.climb import Climb, Climbed
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.expectation import Expectation, ExpectationFold
from gaussmix.engine.fold import MOST_SEGMENT, Fold
from gaussmix.engine.kernels.choose import choose, kernel_for, sized
from gaussmix.engine.kernels.kernel import Kernel
from gaussmix.engine.merging import GroupEntropies, GroupEntropyFold
from gaussmix.engine.plan import Form, Plan, make_plan
from gaussmix.engine.race import Race, Raced, answer_by_one_call, shared_out
from gaussmix.engine.sampling import nested_levels
from gaussmix.engine.scoring import Appraisal, AppraisalFold, RowScores, score_rows
from gaussmix.engine.small_rows import SmallRows
from gaussmix.engine.summary import MOST_SAMPLED, Pilot, Summary, SummaryFold, TotalScatterFold, summarized
from gaussmix.errors import SourceError
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

Made = TypeVar("Made")

_SPARED = 2  # times the rows of a sample: where all rows are no more, asking the sample saves too little


@final
@dataclass(frozen=True, eq=False)
class Appraise:
    """A request: what a mixture says of all rows together, computed in the anchored form."""

    mixture: Mixture


Request = Expectation | Climb | Race | Appraise


def is_sampled(request: Request) -> bool:
    """Whether a request is about a sample of the rows only."""
    return level_of(request) > 0 or (not isinstance(request, Appraise) and request.sampled)


def level_of(request: Request) -> int:
    """Return the level of the nested sample that a request is about; 0 where it is about none."""
    return request.level if isinstance(request, Expectation) else 0


@final
class Evaluator:
    """The passes over one source.

    Parameters
    ----------
    source : Source
        Where rows come from.
    executor : Engine
        Who computes.
    summary : Summary
        Of the source.
    pilots : mapping from bool to Pilot
        Coordinates for structures that allow a factor per feature (True), or only a common one (False).
    seed : int
        Of the samples of its rows.
    """

    def __init__(
        self, source: Source, executor: Engine, summary: Summary, pilots: Mapping[bool, Pilot], seed: int = 0
    ) -> None:
        self.source = source
        self.executor = executor
        self.summary = summary
        self.pilots = pilots
        self.reads = 0
        self._seed = seed
        self._nested: dict[int, Evaluator] = {}
        self._scatters: dict[bool, Array] = {}
        self._rows: dict[bool, SmallRows] = {}

    @classmethod
    def open(cls, source: Source, executor: Engine, seed: int = 0, n_sampled: int = MOST_SAMPLED) -> Self:
        """Read the source once for its summary, with a sample of `n_sampled` rows."""
        summary = summarized(source, executor, seed, n_sampled)
        sized(summary.rows_read * source.n_features)
        return cls(source, executor, summary, {each: summary.pilot(each) for each in (True, False)}, seed)

    @cached_property
    def sample(self) -> Evaluator:
        """The passes over the row sample, in the same coordinates; itself where the sample is all rows."""
        summary = self.summary
        if summary.n_rows <= _SPARED * summary.n_sampled:
            return self
        source = open_source(summary.sample, weights=summary.sample_weights)
        fold = SummaryFold(0)
        near = self.executor.near
        return Evaluator(source, near, near.reduce([fold], source, None)[0], self.pilots)

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of the nested samples of the rows, the smallest sample first; none where there are few rows."""
        return nested_levels(self.summary.n_rows, self.source.n_features)

    def nested(self, level: int) -> Evaluator:
        """Return the passes over a nested sample, in the same coordinates; the largest one is drawn by a read."""
        if level not in self._nested:
            largest = self.levels[-1]
            if level == largest:
                self.reads += 1
                source = self.executor.sample(self.source, 0.25**level, self._seed)
            else:
                parent = self.nested(level - 1)
                source = parent.executor.sample(parent.source, 0.25, self._seed)
            near = self.executor.near
            summary: Summary = near.reduce([SummaryFold(0, 1)], source, None)[0]
            self._nested[level] = Evaluator(source, near, summary, self.pilots)
        return self._nested[level]

    def covariance(self) -> Array:
        """Read the source for the covariance (D, D) of all rows, in data units; unbiased."""
        coordinates, weight = self.pilots[True].coordinates, self.summary.weight
        fold = TotalScatterFold(coordinates)
        scatter: Array = self.executor.reduce([fold], self.source, self.summary.rows_read)[0]
        self.reads += 1
        return scatter * coordinates.scale * coordinates.scale[:, None] / (weight - 1.0 if weight > 1.0 else weight)

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        """Read the source (or its sample) once; return every request's answer.

        That is `Statistics` for an `Expectation`, `Climbed` for a `Climb`, `Raced` for a `Race`, an `Appraisal` for
        an `Appraise`.
        """
        if any(level_of(request) for request in requests):
            return self._answer_by_level(requests)
        if all(is_sampled(request) for request in requests) and self.sample is not self:
            return self.sample.answer(requests)
        climbs = [i for i, request in enumerate(requests) if isinstance(request, Climb | Race)]
        answers: list[Any] = [self._appraised(each) if isinstance(each, Appraise) else None for each in requests]
        others = [i for i, each in enumerate(requests) if answers[i] is None and not isinstance(each, Climb | Race)]
        for i, answer in zip(climbs, self._climb([requests[i] for i in climbs]), strict=True):
            answers[i] = answer
        for i, answer in zip(others, self._read([requests[i] for i in others]), strict=True):
            answers[i] = answer
        return answers

    def _answer_by_level(self, requests: Sequence[Request]) -> list[Any]:
        """Answer those about nested samples from these, by one read of each."""
        answers: list[Any] = [None] * len(requests)
        for level in sorted({level_of(request) for request in requests}):
            mine = [i for i, request in enumerate(requests) if level_of(request) == level]
            found = self._answer_nested(level, [requests[i] for i in mine]) if level else None
            found = found or self.answer([requests[i] for i in mine])
            for i, answer in zip(mine, found, strict=True):
                answers[i] = answer
        return answers

    def _answer_nested(self, level: int, requests: Sequence[Any]) -> list[Statistics]:
        plain = [replace(request, level=0, correction=None) for request in requests]
        found: list[Statistics] = self.nested(level).answer(plain)
        return [
            each if request.correction is None else request.correction.applied(each, request.mixture)
            for each, request in zip(found, requests, strict=True)
        ]

    def fold(self, request: Expectation) -> Fold[Any, Any]:
        """Return the fold that answers a request, for whoever reads the source in another way.

        A pooled request must not be quadratic, for that takes sums over all rows from before.
        """
        plan = self._plan(request)
        assert plan.moment is not Moment.POOLED or plan.form is Form.ANCHORED
        return ExpectationFold(plan, choose(), request.assignment)

    def _climb(self, requests: Sequence[Any]) -> list[Climbed | Raced]:
        """Make compiled passes, side by side where there are many."""
        for each in {request.terms.per_feature for request in requests} - self._rows.keys():
            self._rows[each] = SmallRows(list(self.source.chunks()), self.pilots[each])
        shares = shared_out(requests, self.summary.rows_read)

        def answered(some: list[int]) -> list[Climbed | Raced]:
            return answer_by_one_call([requests[i] for i in some], self._rows[requests[some[0]].terms.per_feature])

        answers: list[Any] = [None] * len(requests)
        for some, found in zip(shares, self.executor.near.each(answered, shares), strict=True):
            for i, answer in zip(some, found, strict=True):
                answers[i] = answer
        return answers

    def _appraised(self, request: Appraise) -> Appraisal | None:
        """Return the appraisal of a mixture by compiled code, where that has the rows."""
        coordinates = request.mixture.coordinates
        rows = next((rows for rows in self._rows.values() if rows.coordinates.same_as(coordinates)), None)
        return None if rows is None else rows.appraise(request.mixture)

    def _read(self, requests: Sequence[Any]) -> list[Any]:
        if not requests:
            return []
        plans = [self._plan(request) for request in requests]
        self._prepare_scatters(requests, plans)
        kernel = _kernel(plans, self.summary.rows_read)
        folds = [self._fold(request, plan, kernel) for request, plan in zip(requests, plans, strict=True)]
        self.reads += 1
        return self.executor.reduce(folds, self.source, self.summary.rows_read)

    def _plan(self, request: Expectation | Appraise) -> Plan:
        if isinstance(request, Appraise):
            return make_plan(request.mixture, self.pilots[True], Moment.FULL, precision=0.0, anchored=True)
        return make_plan(
            request.mixture,
            self.pilots[request.per_feature],
            request.moment,
            precision=request.precision,
            anchors=request.anchors,
            anchored=request.anchored,
        )

    def _fold(self, request: Expectation | Appraise, plan: Plan, kernel: Kernel) -> Fold[Any, Any]:
        if isinstance(request, Appraise):
            return AppraisalFold(plan, kernel)
        return ExpectationFold(plan, kernel, request.assignment, self._scatters.get(request.per_feature))

    def _prepare_scatters(self, requests: Sequence[Expectation | Appraise], plans: Sequence[Plan]) -> None:
        """Compute, once, the total scatters that pooled quadratic plans are going to need."""
        for request, plan in zip(requests, plans, strict=True):
            if isinstance(request, Appraise) or request.per_feature in self._scatters:
                continue
            if plan.moment is Moment.POOLED and plan.form is Form.QUADRATIC:
                fold = TotalScatterFold(plan.coordinates)
                n_rows = self.summary.rows_read
                self._scatters[request.per_feature] = self.executor.reduce([fold], self.source, n_rows)[0]
                self.reads += 1


def score_source(mixture: Mixture, source: Source, executor: Engine) -> Iterator[tuple[int, RowScores]]:
    """Yield (position of the first row, scores) for consecutive stretches of all rows of `source`."""
    yield from map_scored(mixture, source, executor, lambda chunk, scores: (chunk.start, scores))


def score_all(mixture: Mixture, source: Source, executor: Engine) -> RowScores:
    """Return the scores of all rows of `source`, written where they stay if the number of rows is known beforehand.

    Raises
    ------
    SourceError
        When there are more or fewer rows than the source said.
    """
    if source.n_rows is None:
        parts = [scores for _, scores in score_source(mixture, source, executor)]
        none = RowScores.empty(0, mixture.n_components)
        return RowScores(*(np.concatenate(field) for field in zip(none, *parts, strict=True)))
    plan = scoring_plan(mixture)
    kernel = _kernel([plan], source.n_rows)
    said, whole = source.n_rows, RowScores.empty(source.n_rows, mixture.n_components)

    def write(chunk: Chunk) -> int:
        if chunk.stop <= said:
            score_rows(plan, kernel, mixture, chunk, whole.part(slice(chunk.start, chunk.stop)))
        return len(chunk.x)

    found = sum(executor.map(write, source, MOST_SEGMENT))
    if found != said:
        raise SourceError(
            f"{source.description} said that it has {said} rows, and gave {found}; its n_rows must be their number, or "
            "None where only reading tells"
        )
    return whole


def map_scored(
    mixture: Mixture, source: Source, executor: Engine, work: Callable[[Chunk, RowScores], Made]
) -> Iterator[Made]:
    """Yield what `work` makes of consecutive stretches of all rows of `source` and their scores."""
    plan = scoring_plan(mixture)
    kernel = _kernel([plan], source.n_rows)
    yield from executor.map(lambda chunk: work(chunk, score_rows(plan, kernel, mixture, chunk)), source, MOST_SEGMENT)


def appraise_source(mixtures: Sequence[Mixture], source: Source, executor: Engine) -> list[Appraisal]:
    """Return what each of `mixtures` says of all rows of `source` together, by one read."""
    plans = [scoring_plan(mixture) for mixture in mixtures]
    kernel = _kernel(plans, source.n_rows)
    folds = [AppraisalFold(plan, kernel) for plan in plans]
    return executor.reduce(folds, source, source.n_rows)


def group_entropies(
    mixture: Mixture, source: Source, executor: Engine, membership: Array, pairs: Sequence[tuple[int, int]]
) -> GroupEntropies:
    """Return how uncertain all rows are between groups of components, and would be with some pairs joined."""
    plan = scoring_plan(mixture)
    fold = GroupEntropyFold(plan, _kernel([plan], source.n_rows), mixture, membership, tuple(pairs))
    return executor.reduce([fold], source, source.n_rows)[0]


def expect_source(mixture: Mixture, moment: Moment, source: Source, executor: Engine) -> tuple[Statistics, Summary]:
    """Return the statistics of all rows under `mixture`, about its means, and the rows' summary, by one read."""
    pilot = Pilot(mixture.coordinates, np.sqrt(mixture.spread.variances().max(axis=0)))
    plan = make_plan(mixture, pilot, moment, precision=0.0, anchored=True)
    expectation = ExpectationFold(plan, _kernel([plan], source.n_rows))
    statistics, summary = executor.reduce([expectation, SummaryFold(0, 1)], source, source.n_rows)
    return statistics, summary


def scoring_plan(mixture: Mixture) -> Plan:
    """Return the plan by which rows are scored without knowing their summary, in anchored form."""
    pilot = Pilot(mixture.coordinates, np.sqrt(mixture.spread.variances().max(axis=0)))
    return make_plan(mixture, pilot, Moment.FULL, precision=0.0, anchored=True)


def _kernel(plans: Sequence[Plan], n_rows: int | None) -> Kernel:
    """Return the kernel for one read of so many rows."""
    return kernel_for(math.inf if n_rows is None else n_rows * sum(plan.work for plan in plans))
