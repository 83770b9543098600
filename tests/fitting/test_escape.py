"""Ways out of an optimum: what they are made of, how long they are tried, where they lead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance.families import family
from gaussmix.data.open import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.fitting.candidate import Candidates, Recipe
from gaussmix.fitting.contest import Contest
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.escape import Search, doubtful, escaped, reached
from gaussmix.fitting.fit import usual_regularization
from gaussmix.fitting.race import Runner, contenders
from gaussmix.fitting.starts.groups import repairs
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import StoppingRule

SAME = 1e-4


def clusters(seed: int, n: int = 240, d: int = 2, k: int = 3, apart: float = 8.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + apart * rng.normal(size=(k, d))[rng.integers(k, size=n)]


def contest_of(x: np.ndarray, k: int) -> tuple[Candidates, Contest]:
    """A contest whose starts have run, and what it belongs to."""
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    recipe = Recipe("auto", None, StoppingRule())
    candidates = Candidates(evaluator, usual_regularization(evaluator.summary), Seeds(evaluator.summary, 0), recipe)
    (contest,) = Driver(evaluator).run([candidates.heats(candidates.entered(family("VVV", x.shape[1]), k), alone=True)])
    assert contest is not None
    return candidates, contest


@given(seed=st.integers(0, 2**32), k=st.integers(2, 6), d=st.integers(1, 4), lost=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_repairs_keep_the_other_groups_number_and_rows(seed, k, d, lost):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d + 2))
    mass = rng.uniform(5.0, 50.0, k)
    groups = Start("found", mass, 5.0 * rng.normal(size=(k, d)), mass[:, None, None] * roots @ roots.transpose(0, 2, 1))
    wrong = tuple(int(i) for i in rng.choice(k, min(lost, k), replace=False))
    kept = np.setdiff1d(np.arange(k), wrong)
    made = list(repairs(groups, wrong, rng.normal(size=(80, d)), rng))
    assert bool(made) == bool(len(kept))
    for start in made:
        assert len(start.mass) == k
        assert start.mass.sum() == pytest.approx(mass[kept].sum())
        assert (start.mass > 0.0).all()
        assert (np.linalg.eigvalsh(start.scatters)[:, 0] > -1e-9 * mass.max()).all()


def test_what_the_sample_sends_on_are_different_optima_and_at_most_half_of_them_spurious():
    _, contest = contest_of(clusters(5, apart=1.5), 5)
    outcomes = [runner.outcome for runner in contest.field]
    worst = sorted(outcomes, key=lambda each: each.objective)[len(outcomes) // 2].objective
    sent = contenders(contest.field, lambda outcome: outcome.objective > worst, 4, SAME)
    means = [runner.start.centres for runner in sent]
    objectives = [next(o.objective for o in outcomes if o.mixture.centres is each) for each in means]
    assert sum(each > worst for each in objectives) == 2
    assert len(objectives) == 4
    assert (np.diff(objectives) < -SAME).all()


def test_an_optimum_that_most_starts_come_to_is_not_doubted():
    _, contest = contest_of(clusters(1), 3)
    assert reached(contest, contest.leader, SAME) >= 3
    assert not doubtful(contest, SAME)


@pytest.mark.parametrize(("thorough", "copies", "rounds"), [(True, 1, 4), (True, 2, 2), (False, 1, 2)])
def test_an_optimum_that_one_start_has_come_to_is_believed_later(thorough, copies, rounds):
    _, contest = contest_of(clusters(1), 3)
    leader = contest.leader
    field = tuple(Runner("kmeans", leader, outcome=leader) for _ in range(copies))
    alone = Contest(contest.family, 3, contest.model, contest.judge, field, False)
    search = Search(2, 0, thorough, True, False, SAME)
    asked = 0

    def heats(tried: Contest):
        nonlocal asked
        asked += 1
        assert any(runner.outcome is None for runner in tried.field)
        return Contest(tried.family, 3, tried.model, tried.judge, field, False)
        yield

    method = escaped(alone, heats, contest_seeds(), search)
    with pytest.raises(StopIteration):
        next(method)
    assert asked == rounds


def contest_seeds() -> Seeds:
    return Seeds(Evaluator.open(open_source(clusters(1)), gm.LocalEngine(1)).summary, 0)


def with_three_rows_at(place: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    blobs = [rng.standard_normal((80, 2)), 6.0 + rng.standard_normal((80, 2))]
    return np.concatenate([*blobs, place + 0.01 * rng.standard_normal((3, 2))])


def test_rows_far_from_all_others_are_told_and_not_given_back() -> None:
    assert gm.fit(with_three_rows_at(50.0), 3, "VVV").degenerate


def test_rows_amid_others_are_given_back() -> None:
    x = with_three_rows_at(3.0)
    spurious = gm.Mixture([0.48, 0.5, 0.02], [[0, 0], [6, 6], [3, 3]], [np.eye(2), np.eye(2), 1e-4 * np.eye(2)])
    assert gm.fit(x, 3, "VVV", start=spurious).degenerate
    assert not gm.fit(x, 3, "VVV").degenerate
