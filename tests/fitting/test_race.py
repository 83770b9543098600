"""Races: in one compiled call they end as start by start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance.families import NAMES, family
from gaussmix.covariance.regularization import Unregularized
from gaussmix.data.open import open_source
from gaussmix.engine.climb import Climb
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.race import LONGEST, Race
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.em import em
from gaussmix.fitting.fit import usual_regularization
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.race import Runner, race
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, StoppingRule

RULE = StoppingRule(1e-5, 100)  # as many passes as a small climb makes at once: none begins anew on the way


def prepared(x: np.ndarray, structure: str, k: int, seed: int) -> tuple[Evaluator, Model, list[Runner]]:
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    chosen = family(structure, x.shape[1])
    pilot = evaluator.pilots[chosen.axis_equivariant]
    penalty = usual_regularization(evaluator.summary).settled(chosen, pilot.coordinates)
    model = Model(chosen, penalty, pilot, 1e-9, small=True, n_rows=len(x))
    starts = Seeds(evaluator.summary, seed).starts(k, "auto", 6)
    return evaluator, model, [Runner(start.kind, start, start.favourite) for start in starts]


@pytest.mark.parametrize("structure", NAMES)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 5), n=st.integers(30, 150), d=st.integers(2, 6))
@settings(deadline=None, max_examples=8)
def test_a_compiled_race_ends_as_start_by_start(structure, seed, k, n, d):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.3, 3.0, d) + 4.0 * rng.integers(0, 3, (n, 1))
    evaluator, model, runners = prepared(x, structure, k, seed)
    driver = Driver(evaluator)
    (together,) = driver.run([race(runners, model, RULE)])
    (apart,) = driver.run([race(runners, replace(model, n_rows=0), RULE)])
    for one, other in zip(together, apart, strict=True):
        assert one.outcome.reason is other.outcome.reason
        assert one.outcome.trace == other.outcome.trace
        assert np.array_equal(one.outcome.mixture.centres, other.outcome.mixture.centres)


def test_favourites_and_the_two_best_go_on_and_the_rest_is_outrun():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, 3)) + 3.0 * rng.integers(0, 4, (120, 1))
    evaluator, model, runners = prepared(x, "VVV", 4, 0)
    (field,) = Driver(evaluator).run([race(runners, model, replace(RULE, tol=1e-12))])
    going = [runner for runner in field if runner.outcome.reason is not Reason.OUTRUN]
    assert {runner.kind for runner in runners if runner.favourite} <= {runner.kind for runner in going}
    assert all(runner.outcome.passes > 8 or runner.outcome.reason is Reason.CONVERGED for runner in going)
    assert all(runner.outcome.passes == 8 for runner in field if runner not in going)
    assert len(going) < len(field)


def test_a_start_that_compiled_code_cannot_judge_is_judged_by_the_general_code():
    x = np.concatenate([np.zeros((40, 2)), np.random.default_rng(0).normal(size=(40, 2)) + 9.0])
    evaluator, model, runners = prepared(x, "VVV", 3, 0)
    model = replace(model, regularization=gm.Unregularized())
    (field,) = Driver(evaluator).run([race(runners, model, RULE)])
    assert len(field) == len(runners)
    ended = {runner.outcome.reason for runner in field if runner.outcome is not None}
    assert ended & {Reason.COLLAPSED, Reason.DROPPED, Reason.PRECISION} or len(ended) < len(runners)


def test_what_would_take_too_long_is_not_raced_in_one_go():
    rng = np.random.default_rng(1)
    _, model, runners = prepared(rng.normal(size=(300, 15)), "EVE", 20, 0)
    method = race(runners, model, replace(RULE, max_passes=200))
    assert not any(isinstance(request, Race) for request in next(method))
    _, model, runners = prepared(rng.normal(size=(300, 3)), "EVE", 4, 0)
    (request,) = next(race(runners, model, replace(RULE, max_passes=200)))
    assert isinstance(request, Race)
    assert request.seconds(300) <= LONGEST


@pytest.mark.parametrize("compiled", [True, False])
def test_a_start_without_a_mixture_says_why(compiled):
    rng = np.random.default_rng(3)
    evaluator, model, runners = prepared(rng.normal(size=(60, 2)), "VVV", 2, 0)
    model = replace(model, n_rows=model.n_rows if compiled else 0, regularization=Unregularized())
    flat = replace(runners[0].start, scatters=np.zeros((2, 2, 2)))
    (field,) = Driver(evaluator).run([race([Runner("flat", flat), *runners], model, RULE)])
    assert field[0].outcome is None
    assert field[0].lost is Reason.COLLAPSED
    assert all(runner.outcome is not None and runner.lost is None for runner in field[1:])


def test_requests_of_all_kinds_are_answered_in_their_order_whoever_shares_a_call_with_whom():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(150, 3)) + 4.0 * rng.integers(0, 3, (150, 1))
    methods, evaluator = [], None
    for k in (2, 4, 3):
        for structure in NAMES:
            evaluator, model, runners = prepared(x, structure, k, 0)
            methods.append(next(race(runners, model, RULE))[0])
            methods.append(next(em(runners[0].start, model, replace(RULE, max_passes=5)))[0])
    rng.shuffle(methods)
    assert {type(each) for each in methods} == {Race, Climb}
    together = evaluator.answer(methods)
    for request, answer in zip(methods, together, strict=True):
        (alone,) = evaluator.answer([request])
        ours, theirs = ([each] if isinstance(request, Climb) else each.climbed for each in (answer, alone))
        assert [each.objectives for each in ours] == [each.objectives for each in theirs]
        assert [each.last.mixture.structure for each in ours] == [request.terms.family.name] * len(ours)
        assert {len(each.last.mixture.weights) for each in ours} == {len(each.last.mixture.weights) for each in theirs}


@pytest.mark.parametrize("structure", ["EVE", "VVE"])
@given(seed=st.integers(0, 2**32), k=st.integers(2, 4), d=st.integers(2, 5))
@settings(deadline=None, max_examples=10)
def test_common_axes_that_are_turned_a_little_at_a_pass_come_to_rest_where_whole_m_steps_do(structure, seed, k, d):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40 * k * d, d)) * rng.uniform(0.3, 3.0, d) + 3.0 * rng.integers(0, k, (40 * k * d, 1))
    x = x @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    evaluator, model, runners = prepared(x, structure, k, seed)
    rule = StoppingRule(1e-8, 2000)
    (end,) = Driver(evaluator).run([em(runners[0].start, model, rule)])
    assume(end.reason is Reason.CONVERGED)
    whole = replace(model, small=False)
    (further,) = Driver(evaluator).run([em(end.mixture, whole, replace(rule, tol=1e-300, max_passes=10))])
    # Ten whole M-steps gain what a converged fit is allowed to lack, and no more: 1e-8 a row at a pass.
    assert further.objective - end.objective <= 10 * rule.tol * len(x)
