"""Laws of what marks a component as degenerate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from nature import ALL, random_mixture, seeds

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.engine.climb import Position
from gaussmix.engine.kernels.small_judge import sane
from gaussmix.engine.summary import Pilot
from gaussmix.fitting.degeneracy import find_degenerate
from gaussmix.fitting.judge import Judge
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.stopping import Reason


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, k=st.integers(1, 4), d=st.integers(1, 5), log_strength=st.floats(-8.0, 2.0))
def test_a_look_at_what_pseudo_observations_supply_never_says_less_than_it_is(
    structure: str, seed: int, k: int, d: int, log_strength: float
) -> None:
    rng = np.random.default_rng(seed)
    spread = random_mixture(rng, structure, k, d).spread
    penalty = gm.PseudoObservations(10.0**log_strength, rng.uniform(0.1, 10.0, d))
    mass = rng.uniform(0.5, 50.0, k)
    largest = penalty.shares(spread, mass)[0].max()
    for share in (0.01, largest * (1.0 - 1e-9)):
        assert not penalty.supplies_less(spread, mass, share) or largest < share
    assert penalty.supplies_less(spread, mass, 1e9)


@pytest.mark.parametrize("structure", [name for name in ALL if len(name) == 3])
@given(
    seed=seeds,
    k=st.integers(1, 5),
    d=st.integers(2, 5),
    scale=st.floats(-3.0, 0.0),
    rows=st.floats(0.0, 3.0),
    step=st.sampled_from([None, 0.01, 1.0]),
)
def test_what_compiled_code_finds_sane_is_not_degenerate(
    structure: str, seed: int, k: int, d: int, scale: float, rows: float, step: float | None
) -> None:
    rng = np.random.default_rng(seed)
    chosen, mixture = family(structure, d), random_mixture(rng, structure, k, d)
    factors = np.broadcast_to(mixture.spread.triangles(), (k, d, d)).copy()
    if chosen.n_own_parameters(d):
        factors[-1] *= 10.0**scale  # the last one is out of line, more or less, and rests on more or fewer rows
    mass = np.append(rng.uniform(50.0, 500.0, k - 1), 10.0**rows)
    coordinates, penalty = mixture.coordinates, gm.PseudoObservations(1e-6, rng.uniform(0.1, 10.0, d))
    kish = mass * rng.uniform(0.3, 1.0, k)
    pilot = Pilot(coordinates, np.ones(d), None if step is None else np.full(d, step))
    judge = Judge(Model(chosen, penalty, pilot, 1e-9, small=True))
    position = Position(coordinates, chosen, ((mass / mass.sum())[None], mixture.centres[None], factors[None]))
    found = find_degenerate(position.mixture, chosen, penalty, mass, mass**2 / kish, pilot.steps)
    limits = judge.limits
    assert limits is not None
    passed = sane(mass / mass.sum(), factors, mass, kish, *limits)
    event(f"sane to compiled code: {passed}, degenerate: {bool(found)}")
    assert not (passed and found)
    outcome = Outcome(position, -1.0, Reason.CONVERGED, (-1.0,), (0,), 0.0)
    assert judge.degenerate(outcome, mass, kish) == found
    if not found and rows > 2.5 and scale > -0.5 and step is None:
        assert passed, "compiled code must know most of the clear cases, or it is of no use"
