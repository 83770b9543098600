"""Rounded data: ties buy likelihood, which must not win."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.fitting.degeneracy import find_degenerate
from gaussmix.fitting.fit import usual_regularization


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


@given(seed=st.integers(0, 2**32 - 1), step=st.sampled_from([1.0, 0.1, 5.0]), share=st.floats(0.02, 0.1))
@settings(deadline=None, max_examples=30)
def test_the_unit_of_the_regularization_is_at_least_what_rounding_makes(seed: int, step: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.where(rng.random(600) < share, rng.integers(0, 20, 600), 0.0), rng.standard_normal(600)])
    x[:20, 0] = np.arange(20)
    x[:, 0] *= step
    x[:, 1] = np.rint(x[:, 1] / step) * step if step < 0.5 else x[:, 1]
    summary = Evaluator.open(open_source(x), gm.LocalEngine(1)).summary
    found = summary.steps()
    variances = usual_regularization(summary).variances
    assert found[0] == pytest.approx(step)
    assert (variances >= found**2 / 12.0).all()
    assert (variances >= summary.reference_variances()).all()
    broad = summary.reference_variances() > found**2 / 12.0
    assert np.array_equal(variances[broad], summary.reference_variances()[broad])


def test_a_nearly_constant_column_of_whole_numbers_has_the_unit_of_rounding() -> None:
    x = np.zeros((2000, 1))
    x[:20, 0] = np.arange(1, 21) % 9 + 1  # a hundredth of the rows: most of it is trimmed
    summary = Evaluator.open(open_source(x), gm.LocalEngine(1)).summary
    assert summary.reference_variances()[0] < 1.0 / 12.0 or summary.steps()[0] == 0.0
    assert usual_regularization(summary).variances[0] >= 1.0 / 12.0


def test_what_the_warning_says_lets_rounding_count_as_variance() -> None:
    x = counts()
    needles = [[0.3, 0.3, 0.1, 0.3], [[4.0, 0.0], [15.0, 0.0], [3.0, 0.0], [12.0, 0.0]]]
    spread = np.array([np.diag([4.0, 1.0]), np.diag([15.0, 1.0]), np.diag([1e-3, 1.0]), np.diag([4.0, 1.0])])
    found = gm.fit(x, 4, "VVV", start=gm.Mixture(*needles, spread))
    (said,) = [each for each in found.warnings if "rounded" in each]
    cure = said[said.index("gaussmix.AddedDiagonal([") + len("gaussmix.AddedDiagonal([") : said.index("])")]
    variances = [float(each) for each in cure.split(",")]
    assert variances == pytest.approx([1.0 / 12.0, 0.0], abs=1e-9)
    cured = gm.fit(x, 4, "VVV", start=gm.Mixture(*needles, spread), regularization=gm.AddedDiagonal(variances))
    assert not [each for each in cured.warnings if "rounded" in each or "no spread" in each]
    assert cured.mixture.covariances[:, 0, 0].min() >= (1.0 - 1e-6) / 12.0
    # What is added beyond rounding is an artefact still.
    more = gm.fit(x, 4, "VVV", start=gm.Mixture(*needles, spread), regularization=gm.AddedDiagonal([1.0 / 6.0, 0.0]))
    assert any("regularization" in each for each in more.warnings)
