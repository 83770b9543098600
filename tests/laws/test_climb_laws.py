"""Laws of a fit: the objective never falls, and what is reported belongs to what is returned."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nature import ALL, NASTY, fit_from, random_mixture, seeds

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.errors import FitError, TooFewRowsError
from gaussmix.fitting.em import em
from gaussmix.fitting.maximize import Collapsed, Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason, StoppingRule

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")


@dataclass(frozen=True)
class Seen:
    """One pass: the objective, and how much of it rounding may have taken."""

    objective: float
    rounding: float
    condition: float


def climb(x: np.ndarray, w: np.ndarray | None, structure: str, plain: bool, tol: float) -> tuple[list[Seen], Outcome]:
    """EM from a k-means start on all rows, watched pass by pass from outside."""
    evaluator = Evaluator.open(open_source(x, weights=w), gm.LocalEngine(1))
    chosen = family(structure, x.shape[1])
    pilot = evaluator.pilots[chosen.axis_equivariant]
    penalty = gm.Unregularized() if plain else gm.PseudoObservations(1e-6, evaluator.summary.reference_variances())
    model = Model(chosen, penalty.in_units(pilot.coordinates.scale), pilot, tol / 10.0)
    rule = StoppingRule(tol, 40)
    (start,) = Seeds(evaluator.summary, 0).starts(3, "kmeans", 1)
    method = em(start.mixture(model), model, rule)
    seen: list[Seen] = []
    requests = next(method)
    while True:
        (request,), (statistics,) = requests, evaluator.answer(requests)
        # In the anchored form a row loses eps times the condition of the factor that whitens it.
        condition = np.linalg.cond(request.mixture.spread.whiteners() * pilot.spreads).max()
        share = max(1e-12, np.finfo(float).eps * condition)
        rounding = statistics.rounding + share * (statistics.magnitude + statistics.weight)
        seen.append(Seen(model.objective(statistics, request.mixture), rounding, condition))
        try:
            requests = method.send([statistics])
        except StopIteration as ended:
            return seen, ended.value


@pytest.mark.parametrize("tol", [1e-6, 1e-12])
@pytest.mark.parametrize("structure", ALL)
@pytest.mark.parametrize("kind", NASTY)
@settings(max_examples=4)
@given(seed=seeds, d=st.integers(1, 4), weighted=st.booleans(), plain=st.booleans())
def test_the_objective_never_falls(
    structure: str, kind: str, tol: float, seed: int, d: int, weighted: bool, plain: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY[kind](rng, 80, d)
    w = rng.exponential(size=80) if weighted else None
    try:
        seen, outcome = climb(x, w, structure, plain, tol)
    except Collapsed:
        assert plain, "with regularization every start has covariances"
        return
    if len(outcome.segments) == 1:  # a component that is left out begins a new climb
        for before, after in pairwise(seen):
            assert after.objective >= before.objective - before.rounding - after.rounding
    # A fall beyond 1e-12 ends a fit, and only where factors are so thin that rounding explains it.
    assert outcome.reason is not Reason.PRECISION or seen[-1].condition > 1e3
    assert outcome.objective == pytest.approx(max(outcome.trace[outcome.segments[-1] :]), rel=1e-10)


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 4), weighted=st.booleans(), kind=st.sampled_from(sorted(NASTY)))
def test_the_reported_likelihood_is_that_of_the_returned_mixture(
    structure: str, seed: int, d: int, weighted: bool, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY[kind](rng, 120, d)
    w = rng.exponential(size=120) if weighted else np.ones(120)
    try:
        result = gm.fit(x, 2, structure, weights=w if weighted else None, n_starts=2, max_passes=15)
    except (TooFewRowsError, FitError):
        return
    log_prob = result.mixture.log_prob(x)
    # Relative to the sum of absolute values: the sum itself may be next to zero.
    assert abs(result.log_likelihood - w @ log_prob) <= 1e-10 * (w @ np.abs(log_prob))
    assert result.score == pytest.approx(gm.score(result, x, weights=w), rel=1e-10, abs=1e-12)
    shares = result.mixture.responsibilities(x)
    np.testing.assert_allclose(result.effective_rows, w @ shares, rtol=1e-8, atol=1e-8)
    assert result.mixture.weights.tolist() == sorted(result.mixture.weights, reverse=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(w[:, None] * shares * np.log(shares))
    assert result.entropy == pytest.approx(entropy, rel=1e-6, abs=1e-8)
    assert result.classification == pytest.approx(w @ np.log(shares.max(axis=1)), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 4))
def test_a_fixed_point_stays(structure: str, seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY["tame"](rng, 150, d)
    first = fit_from(random_mixture(rng, structure, 2, d), x, passes=2000, tol=1e-12)
    assume(first.converged)  # along a ridge it may crawl for longer
    again = fit_from(first.mixture, x, passes=2000, tol=1e-12)
    gain = (again.trace[-1] - first.trace[-1]) / 150
    # Where two components merge, gains shrink slower than any geometric series, and more is left than estimated.
    assert -1e-12 <= gain <= 1e-7
    assert again.trace[0] == pytest.approx(first.trace[-1], rel=1e-12)


@given(seed=seeds, structure=st.sampled_from(ALL))
def test_more_components_from_a_split_are_never_worse(seed: int, structure: str) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY["tame"](rng, 150, 2)
    one = fit_from(random_mixture(rng, structure, 2, 2), x, passes=30)
    mixture = one.mixture
    halves = gm.Mixture(
        np.r_[mixture.weights[0] / 2, mixture.weights[0] / 2, mixture.weights[1:]],
        np.concatenate([mixture.means[:1], mixture.means]),
        np.concatenate([mixture.covariances[:1], mixture.covariances]),
        structure=structure,
    )
    more = fit_from(halves, x, passes=1)
    assert more.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)
