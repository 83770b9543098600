"""Pictures, by their artists: what is drawn is what the values say."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from scipy import stats
from sklearn.mixture import GaussianMixture as Theirs

import gaussmix as gm
from gaussmix import plots
from gaussmix.engine.distances import squared_distances


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(11)
    return np.concatenate([rng.normal(size=(150, 3)), rng.normal(size=(80, 3)) + np.array([6.0, 3.0, 0.0])])


@pytest.fixture(scope="module")
def selection(rows) -> gm.Selection:
    return gm.select(rows, [1, 2, 3], ["EEE", "VVV"])


@pytest.fixture
def ax():
    _, ax = pyplot.subplots()
    yield ax
    pyplot.close("all")


def labelled(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_selection_curves_are_the_table_with_gaps_and_the_winner_ringed(selection, ax):
    table = list(selection.table)
    lost = dataclasses.replace(table[1], bic=math.nan, reason="infeasible")
    assert plots.selection_curves([table[0], lost, *table[2:]], "bic", ax) is ax
    lines = labelled(ax)
    np.testing.assert_array_equal(lines["VVV"][:, 1], [row.bic for row in table if row.structure == "VVV"])
    assert np.isnan(lines["EEE"]).any(axis=1).tolist() == [False, lost.n_components == 2, lost.n_components == 3]
    (ring,) = [line for line in ax.lines if line.get_markersize() == 14]
    best = min((row for row in [table[0], *table[2:]] if row.eligible), key=lambda row: row.bic)
    np.testing.assert_array_equal(ring.get_xydata(), [[best.n_components, best.bic]])
    assert [text.get_text() for text in ax.texts] == [f"{best.structure}, K = {best.n_components}"]
    assert "lower is better" in ax.get_ylabel()


def test_degenerate_candidates_are_hollow(selection, ax):
    row = dataclasses.replace(selection.table.rows[0], degenerate=True)
    plots.selection_curves([row, *selection.table.rows[1:]], "icl", ax)
    hollow = [line.get_xydata()[0, 1] for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert row.icl in hollow


def test_a_pair_has_a_point_per_row_and_ellipses_at_their_quantile(selection, rows, ax):
    mixture = selection["VVV", 2].mixture
    plots.pair(mixture, ax, features=(0, 2), rows=rows, coverage=0.9)
    (points,) = ax.collections
    np.testing.assert_array_equal(points.get_offsets(), rows[:, [0, 2]])
    labels = mixture.predict(rows)
    shades = points.get_facecolors()
    for k in range(2):
        assert {tuple(shade[:3]) for shade in shades[labels == k]} == {to_rgb(plots.PALETTE[k])}
    doubt = 1.0 - mixture.responsibilities(rows).max(axis=1)
    assert shades[doubt.argmax(), 3] < shades[doubt.argmin(), 3]
    for k, line in enumerate(ax.lines):
        distances = squared_distances(mixture.marginal([0, 2]), line.get_xydata())[:, k]
        np.testing.assert_allclose(distances, stats.chi2.ppf(0.9, 2), rtol=1e-9)
    assert [text.get_text() for text in ax.texts] == ["1", "2"]


def test_the_diagonal_holds_densities_that_add_up(selection, rows, ax):
    mixture = selection["VVV", 2].mixture
    edges = np.linspace(-4, 12, 33)
    plots.marginal(mixture, 0, ax, edges=edges, counts=np.histogram(rows[:, 0], edges)[0].astype(float))
    *each, whole = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(np.sum(each, axis=0), whole, rtol=1e-12)
    assert np.trapezoid(whole, ax.lines[0].get_xdata()) == pytest.approx(1.0, abs=1e-3)
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1.0)


def test_all_pairs_share_their_ranges(selection, rows):
    display = plots.PairsDisplay.from_estimator(selection, rows, features=[0, 1])
    axes = display.axes_
    assert axes.shape == (2, 2)
    assert axes[0, 0].get_xlim() == axes[1, 0].get_xlim() == display.portrait.range_of(0)
    assert axes[1, 0].get_ylim() == axes[1, 1].get_xlim()
    assert len(axes[0, 1].collections[0].get_offsets()) == len(rows)
    pyplot.close("all")


def test_points_of_many_rows_are_a_sample_and_histograms_count_all(selection):
    mixture = selection["VVV", 2].mixture
    display = plots.PairsDisplay.from_estimator(mixture, mixture.sample(50_000, 0), features=[0, 1])
    assert len(display.axes_[0, 1].collections[0].get_offsets()) == 4000
    assert display.portrait.tally.single[0].sum() == 50_000
    pyplot.close("all")


def test_density_regions_hold_their_mass(selection, ax):
    mixture = selection["VVV", 2].mixture
    plots.density(mixture, ax, features=(0, 1), coverages=(0.5, 0.95))
    (lines,) = [each for each in ax.collections if len(each.get_edgecolor()) and not each.filled]
    drawn = mixture.sample(40_000, 3)[:, :2]
    density = np.exp(mixture.marginal([0, 1]).log_prob(drawn))
    held = [(density > level).mean() for level in lines.levels]
    # 40,000 draws: 5.3 standard errors of 0.0025, and as much again for the cells of the grid.
    np.testing.assert_allclose(held, [0.95, 0.5], atol=0.026)


def test_uncertainty_bars_stack_to_all_rows(selection, rows, ax):
    display = plots.UncertaintyDisplay.from_estimator(selection, rows, ax=ax)
    assert display.ax_ is ax
    assert sum(bar.get_height() for bar in ax.patches) == len(rows)
    assert len(ax.containers) == selection.best.mixture.n_components


def test_convergence_shows_the_trace_and_every_start(selection, ax):
    result = selection.best
    plots.convergence(result.trace, result.starts, ax)
    lines = labelled(ax)
    np.testing.assert_array_equal(lines["the start returned"][:, 1], result.trace)
    marked = sum(len(points) for label, points in lines.items() if label != "the start returned")
    assert marked == sum(not start.on_sample and start.passes > 0 for start in result.starts)


def test_profiles_are_in_the_mixtures_standard_deviations(selection, ax):
    mixture = selection["VVV", 2].mixture
    plots.profiles(mixture, ax)
    drawn = mixture.sample(200_000, 1)
    heights = np.array([bar.lines[0].get_ydata() for bar in ax.containers])
    expected = (mixture.means - drawn.mean(axis=0)) / drawn.std(axis=0)
    # Means of 200,000 draws have standard errors of 0.0022 deviations; six of them and the spread's own.
    np.testing.assert_allclose(heights, expected, atol=0.03)


def test_overlap_writes_every_number(ax):
    matrix = np.array([[1.0, 0.25], [0.25, 1.0]])
    plots.overlap(matrix, ax)
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.25", "0.25", "1.00"]
    np.testing.assert_array_equal(ax.images[0].get_array(), matrix)


def test_quantiles_lie_on_the_line_where_rows_are_gaussian(selection, ax):
    mixture = selection["VVV", 2].mixture
    plots.QuantilesDisplay.from_estimator(mixture, mixture.sample(16_000, 5), ax=ax)
    points = labelled(ax)["rows"]
    middle = points[points[:, 0] < stats.chi2.ppf(0.9, 3)]
    np.testing.assert_allclose(middle[:, 1], middle[:, 0], atol=0.4)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_estimators_of_scikit_learn_are_understood(rows, kind, ax):
    theirs = Theirs(2, covariance_type=kind, random_state=0).fit(rows)
    display = plots.DensityDisplay.from_estimator(theirs, rows, ax=ax)
    np.testing.assert_allclose(display.mixture.log_prob(rows), theirs.score_samples(rows), rtol=1e-9)
    ours = gm.GaussianMixture(2, covariance_type=kind, random_state=0).fit(rows)
    assert plots.ProfilesDisplay.from_estimator(ours).mixture is ours.mixture_
    assert plots.ConvergenceDisplay.from_estimator(ours).ax_.lines[0].get_ydata().tolist() == ours.lower_bounds_
    assert plots.OverlapDisplay.from_estimator(ours).matrix.shape == (2, 2)


def test_every_estimator_can_be_shown(rows):
    search = gm.GaussianMixtureSearch([1, 2], covariance_type=["full"], random_state=0).fit(rows)
    assert plots.SelectionDisplay.from_estimator(search).selection is search.selection_
    assert plots.ConvergenceDisplay.from_estimator(search).starts == search.selection_.best.starts
    for each in (search, gm.MixtureOutlierDetector(2).fit(rows), gm.ResponsibilityTransformer(2).fit(rows)):
        assert plots.OverlapDisplay.from_estimator(each).matrix.shape == (2, 2)
    with pytest.raises(gm.errors.ParameterError, match="found list"):
        plots.ConvergenceDisplay.from_estimator([])
    pyplot.close("all")


def test_displays_of_a_search_and_a_fit(selection):
    assert plots.SelectionDisplay.from_estimator(selection).criterion == "bic"
    assert len(plots.ConvergenceDisplay.from_estimator(selection).trace) == selection.best.passes
    with pytest.raises(gm.errors.ParameterError, match="expected a Selection, found FitResult"):
        plots.SelectionDisplay.from_estimator(selection.best)
    with pytest.raises(gm.errors.ParameterError, match="found list; call its fit"):
        plots.OverlapDisplay.from_estimator([])
    pyplot.close("all")


def test_neighbouring_colours_stay_apart_for_the_colour_blind():
    # Deuteranopia by Viénot, Brettel & Mollon (1999): what is left of a linear colour when green cones are absent.
    blind = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    seen = np.array([to_rgb(color) for color in plots.PALETTE[:6]]) ** 2.2 @ blind.T
    seen = np.clip(seen, 0.0, 1.0) ** (1 / 2.2)
    gaps = np.linalg.norm(seen[:, None] - seen, axis=2)[np.triu_indices(6, 1)]
    assert gaps.min() > 0.1


def test_only_the_room_itself_loads_matplotlib():
    code = "import sys, gaussmix.reporting.text, gaussmix.api; print('matplotlib' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
