"""Rounded data: ties buy likelihood, which must not win."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.fitting.degeneracy import find_degenerate


def steps(x: np.ndarray) -> np.ndarray:
    return Evaluator.open(open_source(x), gm.LocalEngine(1)).summary.steps()


@given(
    seed=st.integers(0, 2**32 - 1), step=st.sampled_from([1.0, 0.1, 0.25, 1e-3, 5.0]), shift=st.sampled_from([0, 70])
)
def test_the_step_is_found(seed: int, step: float, shift: float) -> None:
    x = np.random.default_rng(seed).standard_normal((300, 1)) * 10.0 * step
    assert steps(step * np.rint(x / step + shift))[0] == pytest.approx(step, rel=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_not_rounded_has_no_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.standard_normal(200), np.full(200, 3.0), rng.choice(rng.standard_normal(20), 200)])
    assert steps(x).tolist() == [0.0, 0.0, 0.0]
    assert steps(rng.integers(0, 7, (200, 1)).astype(float)) == [0.0], "classes are not measurements"


def counts() -> np.ndarray:
    """Whole numbers of two broad clusters: several rows share every value."""
    rng = np.random.default_rng(4)
    return np.column_stack([rng.poisson(np.repeat([4.0, 15.0], 150)), rng.standard_normal(300)])


def test_needles_among_whole_numbers_do_not_win() -> None:
    selection = gm.select(counts(), range(1, 7))
    assert not selection.best.degenerate
    assert (selection.best.mixture.covariances[:, 0, 0] >= 1.0 / 12.0).all()
    assert selection.best.mixture.n_components <= 4


def test_a_component_between_two_values_is_named_with_a_cure() -> None:
    # A variance of 0.05 is far above the regularization, and below the 1/12 that rounding alone makes.
    mixture = gm.Mixture([0.8, 0.2], [[0.0], [1.5]], [[[4.0]], [[0.05]]], structure="V")
    penalty = gm.PseudoObservations(1e-6, np.ones(1))
    rows = np.array([80.0, 20.0])
    (found,) = find_degenerate(mixture, family("V", 1), penalty, rows, rows, np.ones(1))
    assert (found.component, found.rounded) == (1, (0,))
    assert "narrower in x1 than the step to which the values are rounded" in found.sentence(("x1",))
    assert not find_degenerate(mixture, family("V", 1), penalty, rows, rows, np.full(1, 0.5))
