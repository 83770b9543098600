"""A corrected sample says of the mixture that it was corrected at what all rows say, and has their gradient there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.data.source import Chunk
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.expectation import Expectation
from gaussmix.engine.sampling import RowsFold, nested_levels
from gaussmix.engine.surrogate import Correction, complete_log_likelihood
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

NAMES = ("VVV", "EEE", "VVI", "EEI", "VII", "EII", "VEV", "EVE")
D, K = 3, 2


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, D)) @ rng.normal(size=(D, D)) + 40.0
    x[:2000] += 3.0
    return x


def mixture_of(x: np.ndarray, name: str, step: float = 0.0, seed: int = 0) -> Mixture:
    """A mixture of the structure, moved by about `step` from where EM is after a few passes."""
    start = gm.fit(x[::7], K, name, n_starts=1, seed=1, max_passes=4)
    rng = np.random.default_rng(seed)
    means = start.mixture.means + step * rng.normal(size=(K, D))
    weights = start.mixture.weights * (1.0 + step * np.array([1.0, -1.0]))
    centres = start.mixture.coordinates.inward(means)
    spread = start.mixture.spread.scaled(np.full(D, 1.0 + step))
    return Mixture.within(start.mixture.coordinates, weights / weights.sum(), centres, spread, name)


def both(x: np.ndarray, part: np.ndarray, mixture: Mixture, name: str) -> tuple[Statistics, Statistics, Mixture]:
    """Statistics of all rows and of a part of them, and the mixture in their coordinates."""
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    structure = family(name, D)
    pilot = evaluator.pilots[structure.axis_equivariant]
    mixture = mixture.expressed_in(pilot.coordinates)
    sample = Evaluator(open_source(part), evaluator.executor, evaluator.summary, evaluator.pilots)
    request = Expectation(mixture, structure.moment, 1e-9, structure.axis_equivariant)
    return evaluator.answer([request])[0], sample.answer([replace(request, sampled=False)])[0], mixture


@pytest.mark.filterwarnings("ignore::gaussmix.errors.ConvergenceWarning")
@pytest.mark.parametrize("hold", [0.0, 0.4])
@pytest.mark.parametrize("name", NAMES)
def test_where_it_was_corrected_a_sample_says_what_all_rows_say(rows: np.ndarray, name: str, hold: float) -> None:
    whole, part, mixture = both(rows, rows[::5], mixture_of(rows, name), name)
    found = replace(Correction.between(whole, part, mixture), hold=hold).applied(part, mixture)
    expected = whole.about(found.anchors)
    scale = np.abs(expected.totals).max()
    np.testing.assert_allclose(found.totals, expected.totals, rtol=0.0, atol=1e-12 * scale)
    if expected.pooled is not None:
        np.testing.assert_allclose(found.pooled, expected.pooled, rtol=1e-10)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)
    assert found.weight == pytest.approx(expected.weight, rel=1e-14)


@pytest.mark.filterwarnings("ignore::gaussmix.errors.ConvergenceWarning")
@pytest.mark.parametrize("hold", [0.0, 0.4])
@pytest.mark.parametrize("name", NAMES)
def test_its_gradient_there_is_that_of_all_rows(rows: np.ndarray, name: str, hold: float) -> None:
    whole, part, mixture = both(rows, rows[::5], mixture_of(rows, name), name)
    correction = replace(Correction.between(whole, part, mixture), hold=hold)
    # A central difference errs by the third derivative times step^2, and by the sums' rounding over the step.
    step = 1e-4
    slopes: list[tuple[float, float]] = []
    for sign in (1.0, -1.0):
        moved = mixture_of(rows, name, sign * step)
        all_rows, sample, there = both(rows, rows[::5], moved, name)
        slopes.append((correction.applied(sample, there).log_likelihood, all_rows.log_likelihood))
    surrogate, truth = (np.subtract(*slopes)) / (2.0 * step)
    uncorrected = [both(rows, rows[::5], mixture_of(rows, name, s * step), name)[1].log_likelihood for s in (1, -1)]
    without = 5.0 * float(np.subtract(*uncorrected)) / (2.0 * step)
    assert surrogate == pytest.approx(truth, rel=1e-5, abs=1e-2)
    assert abs(without - truth) > 100.0 * abs(surrogate - truth)  # the correction is what does it


@pytest.mark.filterwarnings("ignore::gaussmix.errors.ConvergenceWarning")
def test_the_complete_log_likelihood_is_that_of_rows_with_labels(rows: np.ndarray) -> None:
    name = "VVV"
    labels = (np.arange(len(rows)) >= 2000).astype(int)
    start = gm.fit(rows, K, name, start=labels, max_passes=1, regularization=None)
    evaluator = Evaluator.open(open_source(rows), gm.LocalEngine(1))
    mixture = start.mixture.expressed_in(evaluator.pilots[True].coordinates)
    z = mixture.coordinates.inward(rows)
    masks = [labels == k for k in range(K)]
    order = np.argsort([-np.linalg.norm(z[mask].mean(axis=0) - mixture.centres[0]) for mask in masks])[::-1]
    d = np.stack([z[masks[k]].mean(axis=0) for k in order])
    totals = [
        np.concatenate([[m.sum()], np.zeros(D), np.cov(z[m].T, bias=True)[np.tril_indices(D)] * m.sum()])
        for m in (masks[k] for k in order)
    ]
    statistics = Statistics(
        mixture.coordinates,
        family(name, D).moment,
        d,
        np.array(totals),
        None,
        np.ones(K),
        0.0,
        0.0,
        0.0,
        float(len(rows)),
    )
    expected = sum(start.mixture.component_log_prob(rows[masks[k]])[:, i].sum() for i, k in enumerate(order))
    assert complete_log_likelihood(statistics, mixture) == pytest.approx(expected, rel=1e-11)


def test_samples_nest_and_depend_on_positions_alone() -> None:
    x = np.arange(20_000.0)[:, None]
    weights = np.where(np.arange(len(x)) % 3 == 0, 0.0, 2.0)
    engine = gm.LocalEngine(2)
    sample = engine.sample(open_source(x, weights=weights), 0.25, 7)
    found = np.concatenate([chunk.x for chunk in sample.chunks()])
    fold = RowsFold(0.25, 7)
    pieces = [slice(0, 5), slice(5, 12_345), slice(12_345, None)]
    states = [fold.segment(Chunk(x[part], weights[part], part.start)) for part in pieces]
    again, again_weights = fold.finish(fold.merge(fold.merge(states[0], states[1]), states[2]))
    np.testing.assert_array_equal(found, again)
    assert again_weights is not None
    assert (again_weights == 2.0).all()
    assert (found[:, 0] % 3 != 0).all()
    # A binomial number: seven standard deviations are exceeded with a probability below 1e-7.
    expected = 0.25 * (weights > 0.0).sum()
    assert abs(len(found) - expected) < 7.0 * np.sqrt(0.75 * expected)


def test_small_data_have_no_nested_samples_and_large_ones_samples_of_bounded_size() -> None:
    assert nested_levels(200_000, 8) == ()
    for n_rows in (10**6, 2 * 10**7, 10**9, 10**11):
        for d in (1, 8, 64):
            levels = nested_levels(n_rows, d)
            assert all(n_rows >> 2 * level >= 32_768 for level in levels)
            assert all((n_rows >> 2 * level) * 8 * (d + 1) <= 2**25 for level in levels)
            assert list(levels) == sorted(levels, reverse=True)
    assert nested_levels(2 * 10**7, 8) == (4, 3)
