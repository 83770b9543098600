"""Laws of what marks a component as degenerate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import ALL, random_mixture, seeds

import gaussmix as gm


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
