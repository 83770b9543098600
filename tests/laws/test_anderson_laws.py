"""Laws of steps mixed of the last ones: the fixed points of EM, in fewer passes, and never a fall."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import ALL, problem, random_mixture, seeds

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.fitting.algorithm import algorithm
from gaussmix.fitting.anderson import damped
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, StoppingRule

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

TOL = 1e-8
SLOW = 200  # passes of plain EM
PROBLEMS = 140


def climbed(x: np.ndarray, structure: str, k: int, seed: int, acceleration: str) -> Outcome:
    """One start on all rows, in the general code."""
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    chosen = family(structure, x.shape[1])
    pilot = evaluator.pilots[chosen.axis_equivariant]
    penalty = gm.PseudoObservations(1e-6, evaluator.summary.reference_variances())
    model = Model(chosen, penalty.in_units(pilot.coordinates.scale), pilot, TOL / 10.0)
    (start,) = Seeds(evaluator.summary, seed).starts(k, "random" if seed % 2 else "kmeans", 1)
    climb = algorithm("em", 0, 5000, acceleration).finish
    (outcome,) = Driver(evaluator).run([climb(start, model, StoppingRule(TOL, 5000), None)])
    assert outcome is not None
    return outcome


@pytest.mark.parametrize("structure", ["VVV", "EEE", "VVI", "VII", "VVE"])
@given(seed=seeds)
def test_the_objective_never_falls_and_is_that_of_the_mixture(structure: str, seed: int) -> None:
    x, _, k = problem(seed)
    outcome = climbed(x, structure, k, seed % 100, "anderson")
    trace = np.array(outcome.trace[outcome.segments[-1] :])
    assert (np.diff(trace) >= -1e-12 * outcome.statistics.magnitude - outcome.statistics.rounding).all()
    assert outcome.objective == pytest.approx(trace[-1], rel=1e-12)
    assert outcome.statistics.log_likelihood == pytest.approx(outcome.mixture.log_prob(x).sum(), rel=1e-9)


@pytest.mark.slow
def test_mixed_steps_end_where_plain_em_does_in_fewer_passes() -> None:
    gaps, ratios, plain_passes = np.empty(PROBLEMS), np.empty(PROBLEMS), np.empty(PROBLEMS)
    for seed in range(PROBLEMS):
        x, structure, k = problem(seed)
        plain, mixed = (climbed(x, structure, k, seed, name) for name in ("none", "anderson"))
        assert mixed.reason in (Reason.CONVERGED, Reason.DROPPED)
        gaps[seed] = (mixed.objective - plain.objective) / len(x)
        ratios[seed], plain_passes[seed] = mixed.passes / plain.passes, plain.passes
    assert (gaps >= -1e-8).mean() >= 0.97
    assert np.median(ratios[plain_passes > SLOW]) <= 0.7
    assert np.mean(ratios) < 1.0


@given(seed=seeds, share=st.floats(0.01, 0.99), m=st.integers(1, 6))
def test_damping_shortens_least_squares_to_a_share(seed: int, share: float, m: int) -> None:
    rng = np.random.default_rng(seed)
    differences, residual = rng.standard_normal((12, m)), rng.standard_normal(12)
    whole = np.linalg.lstsq(differences, residual, rcond=None)[0]
    assert np.square(damped(differences, residual, share)).sum() == pytest.approx(share * np.square(whole).sum(), 1e-6)
    np.testing.assert_allclose(damped(differences, residual, 1.0 - 1e-12), whole, rtol=1e-4, atol=1e-8)


def test_without_a_way_ahead_nothing_is_mixed() -> None:
    assert damped(np.zeros((3, 2)), np.ones(3), 0.5).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("acceleration", ["anderson", "none"])
@pytest.mark.parametrize("structure", ALL)
def test_every_acceleration_comes_to_the_same_fit(structure: str, acceleration: Literal["anderson", "none"]) -> None:
    rng = np.random.default_rng(3)
    x = random_mixture(rng, structure, 3, 2).sample(300, rng)
    usual = gm.fit(x, 3, structure)
    other = gm.fit(x, 3, structure, acceleration=acceleration)
    assert other.log_likelihood == pytest.approx(usual.log_likelihood, abs=1e-6 * len(x))
    assert other.facts["acceleration"] == acceleration


def test_an_unknown_acceleration_is_named() -> None:
    with pytest.raises(gm.errors.ParameterError, match="acceleration='warp': expected one of squarem, anderson, none"):
        gm.fit(np.zeros((9, 1)), 2, acceleration="warp")  # type: ignore[arg-type]
