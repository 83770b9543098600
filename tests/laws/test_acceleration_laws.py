"""Laws of leaps: the same fixed points, in fewer passes, and never a fall; in NumPy and in compiled code alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import ALL, problem, random_mixture, seeds

import gaussmix as gm
from gaussmix.covariance import Moment, family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.kernels import small_leaps
from gaussmix.fitting import acceleration, stopping
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.em import em
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, StoppingRule

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

TOL = 1e-8
SLOW = 200  # passes of plain EM
PROBLEMS = 500


def climbed(x: np.ndarray, structure: str, k: int, seed: int, *, accelerated: bool, small: bool) -> Outcome:
    """EM from one start on all rows: from k-means where the seed is even, from a random partition where it is odd."""
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    chosen = family(structure, x.shape[1])
    pilot = evaluator.pilots[chosen.axis_equivariant]
    penalty = gm.PseudoObservations(1e-6, evaluator.summary.reference_variances())
    model = Model(chosen, penalty.in_units(pilot.coordinates.scale), pilot, TOL / 10.0, small=small)
    (start,) = Seeds(evaluator.summary, seed).starts(k, "random" if seed % 2 else "kmeans", 1)
    method = em(start, model, StoppingRule(TOL, 5000), accelerated=accelerated)
    (outcome,) = Driver(evaluator).run([method])
    assert outcome is not None
    return outcome


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds)
def test_the_objective_never_falls_and_is_that_of_the_mixture(structure: str, seed: int, small: bool) -> None:
    x, _, k = problem(seed)
    outcome = climbed(x, structure, k, seed % 100, accelerated=True, small=small)
    trace = np.array(outcome.trace[outcome.segments[-1] :])
    assert (np.diff(trace) >= -1e-12 * outcome.statistics.magnitude - outcome.statistics.rounding).all()
    assert outcome.objective == pytest.approx(trace[-1], rel=1e-12)
    assert outcome.statistics.log_likelihood == pytest.approx(outcome.mixture.log_prob(x).sum(), rel=1e-9)


@pytest.mark.parametrize("moment", list(Moment))
@given(seed=seeds, d=st.integers(1, 4))
def test_moments_about_other_anchors_are_those_of_the_same_rows(moment: Moment, seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    structure = {Moment.TRACE: "VII", Moment.DIAGONAL: "VVI", Moment.POOLED: "EEE", Moment.FULL: "VVV"}[moment]
    mixture = random_mixture(rng, structure if d > 1 else "V", 3, d)
    x = mixture.sample(50, rng)
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    model = Model(family("VVV", d), gm.Unregularized(), evaluator.pilots[True], TOL)
    request = model.expectation(mixture.expressed_in(model.pilot.coordinates), anchored=True)
    (statistics,) = evaluator.answer([request])
    anchors = rng.standard_normal(statistics.anchors.shape)
    moved = statistics.about(anchors)
    np.testing.assert_allclose(moved.means(), statistics.means(), atol=1e-11)
    np.testing.assert_allclose(moved.scatter().values, statistics.scatter().values, atol=1e-9)
    np.testing.assert_allclose(moved.about(statistics.anchors).totals, statistics.totals, atol=1e-9)


def test_compiled_leaps_have_the_limits_of_the_specification() -> None:
    for name in ("GENTLE", "WORTH", "LONG", "FIRST_CAP", "GROWTH"):
        assert getattr(small_leaps, name) == getattr(acceleration, name)
    for name in ("CALM", "CALM_SHARE", "CALM_MOST"):
        assert getattr(small_leaps, name) == getattr(stopping, name)


@pytest.mark.slow
@pytest.mark.parametrize("small", [False, True])
def test_leaps_end_where_plain_em_does_in_fewer_passes(small: bool) -> None:
    count = PROBLEMS if small else PROBLEMS // 2
    gaps, passes, plain_passes = np.empty(count), np.empty(count), np.empty(count)
    for seed in range(count):
        x, structure, k = problem(seed)
        plain = climbed(x, structure, k, seed, accelerated=False, small=small)
        leaps = climbed(x, structure, k, seed, accelerated=True, small=small)
        assert leaps.reason in (Reason.CONVERGED, Reason.DROPPED)
        gaps[seed] = (leaps.objective - plain.objective) / len(x)
        passes[seed], plain_passes[seed] = leaps.passes, plain.passes
    ratios = passes / plain_passes
    assert (gaps >= -1e-8).mean() >= 0.99
    assert np.median(ratios[plain_passes > SLOW]) <= 0.5
    assert np.mean(ratios) < 0.9
    # One pass more where a dozen are enough; many only where plain EM stops well short of where leaps end.
    assert (gaps[passes > 1.1 * plain_passes + 1.0] > TOL / 2.0).all()
