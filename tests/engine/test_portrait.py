"""What pictures need of all rows: counts that are complete, and depend neither on storage nor on threads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import gaussmix as gm
from gaussmix.data.open import open_source
from gaussmix.engine.distances import distances_of_scores, quantile, residuals, squared_distances, tail
from gaussmix.engine.portrait import CELLS, RARITIES, portray
from gaussmix.engine.quantiles import distance_quantiles
from gaussmix.engine.regions import affinities, density_on_grid, ellipses, region_levels, separation, telling

SEEDS = st.integers(0, 2**31)


def drawn(seed: int, count: int = 3, n_features: int = 3) -> gm.Mixture:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(count, n_features, n_features)) + 2.0 * np.eye(n_features)
    return gm.Mixture(
        rng.dirichlet(np.full(count, 5.0)), 4.0 * rng.normal(size=(count, n_features)), roots @ roots.transpose(0, 2, 1)
    )


@given(SEEDS)
def test_distances_that_scores_imply_are_the_distances(seed):
    mixture = drawn(seed)
    x = mixture.sample(50, seed)
    responsibilities = mixture.responsibilities(x)
    implied = distances_of_scores(mixture, responsibilities, mixture.log_prob(x))
    exact = squared_distances(mixture, x)
    reached = responsibilities > 1e-300  # smaller ones are subnormal, and have lost their digits
    np.testing.assert_allclose(implied[reached], exact[reached], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(implied.min(axis=1), exact.min(axis=1), rtol=1e-9, atol=1e-9)


@given(SEEDS)
def test_residuals_are_those_of_the_conditional_distribution(seed):
    mixture = drawn(seed, count=1, n_features=3)
    x = mixture.sample(1, seed)
    conditional = mixture.condition({0: x[0, 0], 2: x[0, 2]})
    expected = (x[0, 1] - conditional.means[0, 0]) / conditional.standard_deviations[0, 0]
    np.testing.assert_allclose(residuals(mixture, x, np.zeros(1, np.int64))[0, 1], expected, rtol=1e-8, atol=1e-10)


def test_tails_and_quantiles_are_chi_square():
    squares = np.array([0.5, 3.0, 40.0])
    np.testing.assert_allclose(tail(squares, 3), stats.chi2.sf(squares, 3), rtol=1e-12)
    np.testing.assert_allclose(tail(quantile(np.array([0.3, 1e-9]), 5), 5), [0.3, 1e-9], rtol=1e-10)


@given(SEEDS, st.sampled_from([0.5, 0.9, 0.95]))
def test_an_ellipse_lies_at_its_quantile(seed, coverage):
    mixture = drawn(seed)
    outline = ellipses(mixture, (0, 2), coverage)
    distances = squared_distances(mixture.marginal([0, 2]), outline[1])[:, 1]
    np.testing.assert_allclose(distances, stats.chi2.ppf(coverage, 2), rtol=1e-9)


def test_regions_of_a_single_normal_are_its_ellipses():
    mixture = gm.Mixture([1.0], [[1.0, -2.0]], [[[2.0, 0.6], [0.6, 1.0]]])
    _, _, values = density_on_grid(mixture, (0, 1), (-10, 12), (-10, 6), 400)
    peak = 1.0 / (2.0 * np.pi * np.sqrt(2.0 - 0.36))
    shares = np.array([0.25, 0.5, 0.75, 0.95])
    # The density at the edge of the region of mass c is (1 - c) of the peak; cells of the grid give it to a percent.
    np.testing.assert_allclose(region_levels(values, shares), peak * (1.0 - shares), rtol=0.01)


def test_affinities_are_the_integral_of_the_root():
    mixture = gm.Mixture([0.3, 0.7], [0.0, 1.5], [1.0, 0.25])
    one, two = stats.norm(0.0, 1.0), stats.norm(1.5, 0.5)
    expected, _ = integrate.quad(lambda x: np.sqrt(one.pdf(x) * two.pdf(x)), -20, 20)
    np.testing.assert_allclose(affinities(mixture), [[1.0, expected], [expected, 1.0]], rtol=1e-8)


def test_telling_features_are_those_that_differ():
    means = np.zeros((2, 5))
    means[1, [1, 4]] = 3.0
    mixture = gm.Mixture([0.5, 0.5], means, np.broadcast_to(np.eye(5), (2, 5, 5)))
    assert telling(mixture, 2) == [1, 4]
    assert separation(mixture)[0] == 0.0


@pytest.fixture(scope="module")
def rows() -> tuple[gm.Mixture, np.ndarray]:
    mixture = drawn(7)
    return mixture, np.concatenate([mixture.sample(40_000, 1), [[100.0, 0.0, 0.0], [0.0, -300.0, 0.0]]])


def test_every_row_is_counted_once(rows):
    mixture, x = rows
    portrait = portray(mixture, open_source(x), gm.LocalEngine(2))
    labels = mixture.predict(x)
    np.testing.assert_array_equal(portrait.tally.single.sum(axis=2), np.tile(np.bincount(labels), (3, 1)))
    np.testing.assert_array_equal(portrait.tally.uncertainty.sum(axis=1), np.bincount(labels))
    assert portrait.tally.beyond.sum() == len(x)
    np.testing.assert_allclose(portrait.tally.confusion.sum(axis=1), mixture.responsibilities(x).sum(axis=0), rtol=1e-9)
    edges = portrait.edges[1]
    inside = np.histogram(x[:, 1], edges)[0]
    # NumPy closes the last bin at its right end, and may round a row at an edge to the other side.
    assert np.abs(portrait.tally.single[1].sum(axis=0)[1:-1] - inside).sum() <= 2
    grid = np.histogram2d(x[:, 0], x[:, 2], [portrait.edges[0][::2], portrait.edges[2][::2]])[0]
    assert np.abs(portrait.pair(0, 2) - grid.T).sum() <= 4
    np.testing.assert_array_equal(portrait.pair(2, 0), portrait.pair(0, 2).T)
    assert portrait.pair(0, 1).shape == (CELLS, CELLS)


def test_rare_rows_are_found_and_counted(rows):
    mixture, x = rows
    portrait = portray(mixture, open_source(x), gm.LocalEngine(1))
    nearest = squared_distances(mixture, x).min(axis=1)
    tails = stats.chi2.sf(nearest, 3)
    np.testing.assert_array_equal(portrait.beyond, [(tails < 10.0**-each).sum() for each in RARITIES])
    assert set(portrait.outliers.positions[:2]) == {40_000, 40_001}
    order = np.argsort(-nearest, kind="stable")[:100]
    np.testing.assert_array_equal(portrait.outliers.positions, order)
    np.testing.assert_array_equal(portrait.outliers.rows, x[order])


def test_neither_threads_nor_storage_change_anything(rows, tmp_path):
    mixture, x = rows
    named = mixture.renamed(mixture.structure, ("a", "b", "c"))
    pd.DataFrame(x, columns=["a", "b", "c"]).to_parquet(tmp_path / "x.parquet")
    one = portray(named, open_source(x), gm.LocalEngine(1))
    two = portray(named, open_source(tmp_path / "x.parquet"), gm.LocalEngine(3))
    assert one.fingerprint == two.fingerprint
    for mine, theirs in zip((*one.tally, *one.outliers), (*two.tally, *two.outliers), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_fingerprints_tell_rows_and_their_order_apart(rows):
    mixture, x = rows
    few, engine = x[:50], gm.LocalEngine(1)
    moved = few.copy()
    moved[3, 1] = np.nextafter(moved[3, 1], np.inf)
    prints = {
        portray(mixture, source, engine).fingerprint
        for source in (
            open_source(few),
            open_source(few[::-1]),
            open_source(moved),
            open_source(few, weights=np.full(50, 2.0)),
            open_source(few[:-1]),
        )
    }
    assert len(prints) == 5


def test_weights_count_and_rows_of_weight_zero_do_not(rows):
    mixture, x = rows
    few, engine = x[:200], gm.LocalEngine(1)
    weights = np.arange(200.0) % 3
    weighted = portray(mixture, open_source(few, weights=weights), engine)
    repeated = portray(mixture, open_source(np.repeat(few, weights.astype(int), axis=0)), engine)
    np.testing.assert_array_equal(weighted.beyond, repeated.beyond)
    np.testing.assert_allclose(weighted.tally.confusion, repeated.tally.confusion, rtol=1e-12)
    assert 0 not in weighted.outliers.positions


@settings(max_examples=20)
@given(SEEDS)
def test_distances_of_rows_from_the_mixture_itself_have_the_quantiles_of_chi_square(seed):
    mixture = drawn(seed % 50)
    portrait = portray(mixture, open_source(mixture.sample(4000, seed)), gm.LocalEngine(1))
    tails, squares = distance_quantiles(portrait)
    # Dvoretzky, Kiefer & Wolfowitz with 4000 rows: 0.046 is exceeded with probability 1e-7. Weighting by
    # responsibilities only averages, which makes it smaller.
    assert np.abs(tail(squares, 3) - tails).max() < 0.046
