"""Ways out of an optimum, tried until they lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import final

import numpy as np

from gaussmix.fitting.contest import Contest
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.race import Runner
from gaussmix.fitting.starts.groups import groups_of, likely_groups, moves, repairs
from gaussmix.fitting.starts.seeds import Seeds, is_start
from gaussmix.mixture import Mixture

_OFTEN = 3  # starts that come to one optimum, from which on it is not doubted
_DOUBTED = 2  # times as many rounds must fail where an optimum is doubted
_FAR = 10.0  # standard deviations of the squared distance of a component's own rows: what is farther off is not amid it
_TRIED = 4  # starts by k-means that every candidate has

Heats = Callable[[Contest], Method[Contest]]
"""Runs what has not run yet."""


@final
@dataclass(frozen=True)
class Search:
    """How long ways out are looked for.

    Parameters
    ----------
    patience : int
        Rounds that must fail, one after the other, before an optimum is believed.
    fresh : int
        New starts that a round tries beside its moves, as long as the optimum is doubtful.
    thorough : bool
        Whether an optimum to which a single start has come is believed later; one that is spurious always is.
    at_once : bool
        Whether new starts and moves run side by side, none of them behind others.
    repairs_only : bool
        Whether an optimum that is not spurious is left alone.
    same : float
        Difference of two objectives up to which they are those of one optimum.
    """

    patience: int
    fresh: int
    thorough: bool
    at_once: bool
    repairs_only: bool
    same: float

    def over(self, contest: Contest, leader: Outcome, failures: int) -> bool:
        """Whether enough rounds have failed."""
        spurious = contest.judge.spurious(leader)
        if self.repairs_only and not spurious:
            return True
        doubted = spurious or (self.thorough and reached(contest, leader, self.same) < 2)
        return failures >= self.patience * (_DOUBTED if doubted else 1)


def escaped(contest: Contest, heats: Heats, seeds: Seeds, search: Search) -> Method[Contest]:
    """Race ways out of the best optimum so far, until a number of rounds has led to nothing better.

    Out of a spurious optimum leads what gives the rows of its degenerate components back, if they lie amid others:
    nothing that makes sense is higher, and moves would end at saddles below it. Out of others lead moves. What few
    starts have come to is doubtful: then each round tries new ones, too.
    """
    failures = rounds = 0
    while (leader := contest.leader) is not None and not search.over(contest, leader, failures):
        fresh = tuple(_fresh(contest, seeds, rounds, search)) if doubtful(contest, search.same) else ()
        ways = tuple(_ways_out(contest, leader, seeds, rounds))
        if not ways:
            break
        for batch in [(*ways, *fresh)] if search.at_once else [ways, fresh]:
            if batch:
                contest = yield from heats(replace(contest, field=(*contest.field, *batch)))
        failures, rounds = 0 if _bettered(contest, leader, search.same) else failures + 1, rounds + 1
    return contest


def doubtful(contest: Contest, same: float) -> bool:
    """Whether the best optimum is spurious, or only a few starts have come to it."""
    leader = contest.leader
    return leader is not None and (contest.judge.spurious(leader) or reached(contest, leader, same) < _OFTEN)


def reached(contest: Contest, leader: Outcome, same: float) -> int:
    """Return how many starts have come to an optimum; moves, which begin near one, are not counted."""
    ends = [runner.outcome for runner in contest.field if is_start(runner.kind) and runner.outcome is not None]
    return sum(abs(end.objective - leader.objective) <= same for end in ends)


def _ways_out(contest: Contest, leader: Outcome, seeds: Seeds, number: int) -> Iterator[Runner]:
    found = groups_of(leader, contest.model) or likely_groups(leader, contest.model)
    if found is None:
        return
    lots = seeds.generator("moves", number, contest.n_components)
    if not contest.judge.spurious(leader):
        yield from (Runner(start.kind, start) for start in moves(found, seeds.z, lots))
        return
    wrong = [k for k in contest.judge.wrong(leader) if _amid(leader.mixture, k)]
    if wrong:
        yield from (Runner(start.kind, start) for start in repairs(found, wrong, seeds.z, lots))


def _amid(mixture: Mixture, component: int) -> bool:
    """Whether a component lies where others put rows: chance has not brought those together that lie elsewhere."""
    d, centre = mixture.n_features, mixture.centres[component]
    others = [j for j in range(mixture.n_components) if j != component]
    squares = [np.square(mixture.spread.whiten(j, (centre - mixture.centres[j])[None])).sum() for j in others]
    return min(squares, default=np.inf) <= d + _FAR * np.sqrt(2.0 * d)


def _fresh(contest: Contest, seeds: Seeds, number: int, search: Search) -> Iterator[Runner]:
    """Return starts that no earlier round has tried; they are followed to the end, for they begin far behind."""
    first = _TRIED + search.fresh * number
    for start in islice(seeds.starts(contest.n_components, "kmeans", first + search.fresh), first, None):
        yield Runner(start.kind, start, favourite=True)


def _bettered(contest: Contest, leader: Outcome, same: float) -> bool:
    """Whether there is a better optimum now, or a sane one in place of a spurious one."""
    now, judge = contest.leader, contest.judge
    if now is None or now is leader:
        return False
    return now.objective > leader.objective + same or (judge.spurious(leader) and not judge.spurious(now))
