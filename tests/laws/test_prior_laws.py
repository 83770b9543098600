"""Laws of the conjugate prior and of truncated eigenvalues, and mclust's numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nature import ALL, random_mixture, seeds
from scipy.stats import invwishart, multivariate_normal

import gaussmix as gm
from gaussmix.arguments import open_ground, recipe_of
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Moment, Scatter, family
from gaussmix.covariance.eigenvalue_ratio import truncated
from gaussmix.covariance.regularization import Regularization
from gaussmix.errors import ParameterError, ShapeError
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.em import em
from gaussmix.fitting.fit import given_start

FREE = ("EII", "VII", "EEI", "VVI", "EEE", "EEV", "VVV")
TIED = tuple(name for name in ALL if name not in FREE)

# R: me(iris[, 1:4], name, unmap(iris$Species), prior = priorControl(),
#       control = emControl(tol = c(1e-13, 1e-10), itmax = c(20000, 5000)))
# Log-likelihood; determinants of the covariances, first coordinates of the means, weights, by Sepal.Length.
MCLUST = {
    "VII": (
        -384.478676216,
        [3.149144674e-05, 0.00063177295324, 0.000563787546025],
        [5.00616743333, 5.90676166583, 6.84914563837],
    ),
    "VVI": (
        -312.904087068,
        [1.14126208885e-05, 0.000131930738677, 0.000598328467396],
        [5.00616743318, 5.81370263052, 6.62183070618],
    ),
    "EEE": (-257.739376609, [3.49588896393e-05] * 3, [5.00616743319, 5.96005682412, 6.59154210991]),
    "VVV": (
        -192.695283865,
        [2.29968112377e-06, 9.06017728766e-06, 8.42661997823e-05],
        [5.00616743319, 5.93687966725, 6.55098946895],
    ),
}
# The same of galaxies, in thousands of km/s, from three groups cut at 15 and 24.
MCLUST_GALAXIES = (
    -204.047145044,
    [0.369089155901, 4.47510858163, 0.705586917392],
    [9.72600216211, 21.400010635, 33.0037651115],
)


MCLUST_GALAXIES_E = (-212.484098176, [3.95923935322] * 3, [9.76132437429, 21.400104697, 32.9310825177])


def column(path: Path) -> np.ndarray:
    with path.open() as file:
        return np.array(list(csv.reader(file))[1:], dtype=np.float64)


@pytest.mark.parametrize("name", list(MCLUST))
def test_posterior_modes_are_mclusts(name: str, oracle_data: Path) -> None:
    x, labels = column(oracle_data / "iris.csv"), np.repeat([0, 1, 2], 50)
    result = gm.fit(x, 3, name, start=labels, regularization=gm.ConjugatePrior(), tol=1e-12, max_passes=20000)
    mixture = result.mixture.take(np.argsort(result.mixture.means[:, 0]))
    log_likelihood, determinants, means = MCLUST[name]
    # The likelihood is not stationary at the mode, so it has the root of mclust's tolerance.
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-5)
    np.testing.assert_allclose(np.linalg.det(mixture.covariances), determinants, rtol=1e-5)
    np.testing.assert_allclose(mixture.means[:, 0], means, rtol=1e-6)


@pytest.mark.parametrize("name", ["V", "E"])
def test_posterior_modes_of_one_feature_are_mclusts(name: str, oracle_data: Path) -> None:
    x = column(oracle_data / "galaxies.csv")
    labels = np.digitize(x[:, 0], [15.0, 24.0])
    result = gm.fit(x, 3, name, start=labels, regularization=gm.ConjugatePrior(), tol=1e-12, max_passes=20000)
    mixture = result.mixture.take(np.argsort(result.mixture.means[:, 0]))
    log_likelihood, variances, means = MCLUST_GALAXIES if name == "V" else MCLUST_GALAXIES_E
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=1e-5)
    np.testing.assert_allclose(mixture.covariances[:, 0, 0], variances, rtol=1e-5)
    np.testing.assert_allclose(mixture.means[:, 0], means, rtol=1e-6)


def test_the_first_m_step_of_eei_is_mclusts(oracle_data: Path) -> None:
    """R: mstep(iris[, 1:4], "EEI", unmap(iris$Species), prior = priorControl()); `me` takes another denominator."""
    x, labels = column(oracle_data / "iris.csv"), np.repeat([0, 1, 2], 50)
    result = gm.fit(x, 3, "EEI", start=labels, regularization=gm.ConjugatePrior(), max_passes=1)
    expected = [0.24614217015, 0.109467813841, 0.173727034627, 0.0424393102254]
    np.testing.assert_allclose(np.diag(result.mixture.covariances[0]), expected, rtol=1e-10)


def fit_few(x: np.ndarray, k: int, structure: str, regularization: object, passes: int = 30) -> gm.FitResult:
    start = gm.Mixture(
        np.full(k, 1.0 / k), x[:k], np.broadcast_to(np.cov(x.T) + 0.1 * np.eye(x.shape[1]), (k, x.shape[1], x.shape[1]))
    )
    return gm.fit(x, k, structure, start=start, regularization=regularization, max_passes=passes)  # type: ignore[arg-type]


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def falls(x: np.ndarray, k: int, structure: str, regularization: Regularization) -> float:
    """The largest fall of the objective relative to its size, but where a dead component was left out."""
    recipe = recipe_of("auto", 1, 1e-8, 30, "em", 0, "default")
    chosen = family(structure, x.shape[1])
    start = gm.Mixture(np.full(k, 1.0 / k), x[:k], np.broadcast_to(np.cov(x.T), (k, x.shape[1], x.shape[1])))
    with open_ground(x, None, "frequency", None, "error", regularization, recipe, 0, None, k) as ground:
        begun = given_start(start, k, chosen, ground)
        model = ground.candidates.model(chosen)
        (outcome,) = Driver(ground.evaluator).run([em(begun, model, recipe.rule, accelerated=True)])
    assert outcome is not None
    assert outcome.reason.value in ("converged", "max_passes", "dropped"), outcome.reason
    gains = np.diff(outcome.trace)
    gains[[at - 1 for at in outcome.segments if 0 < at <= len(gains)]] = 0.0
    return -float((gains / np.abs(outcome.trace).max()).min(initial=0.0))


@pytest.mark.parametrize("structure", ALL)
@settings(max_examples=6)
@given(seeds, st.integers(1, 4), st.sampled_from([0.0, 0.01, 5.0]))
def test_em_climbs_the_posterior(structure: str, seed: int, k: int, shrinkage: float) -> None:
    rng = np.random.default_rng(seed)
    x = random_mixture(rng, "VVV", 3, 2, apart=1.5).sample(40, rng) * [1.0, 30.0]
    assert falls(x, k, structure, gm.ConjugatePrior(shrinkage)) <= 1e-9


@pytest.mark.parametrize("structure", ["VVV", "EEE"])
@settings(max_examples=10)
@given(seeds, st.integers(1, 3), st.sampled_from([0.01, 2.0]))
def test_the_objective_is_likelihood_times_prior(structure: str, seed: int, k: int, shrinkage: float) -> None:
    rng = np.random.default_rng(seed)
    x = random_mixture(rng, "VVV", 3, 2, apart=1.5).sample(50, rng) + 100.0
    scale, mean, degrees = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([99.0, 101.0]), 7.0
    prior = gm.ConjugatePrior(shrinkage, degrees, scale, mean)

    def log_posterior(result: gm.FitResult) -> float:
        mixture = result.mixture
        covariances = mixture.covariances if structure == "VVV" else mixture.covariances[:1]
        total = sum(float(invwishart.logpdf(each, degrees, scale)) for each in covariances)
        for centre, covariance in zip(mixture.means, mixture.covariances, strict=True):
            total += float(multivariate_normal.logpdf(centre, mean, covariance / shrinkage))
        return float(mixture.log_prob(x).sum()) + total

    early, late = (fit_few(x, k, structure, prior, passes) for passes in (2, 15))
    gain = log_posterior(late) - log_posterior(early)
    assert max(late.trace) - max(early.trace) == pytest.approx(gain, abs=1e-7)


@given(seeds)
def test_without_degrees_or_scale_there_is_almost_no_prior(seed: int) -> None:
    """Of an inverse Wishart only |Sigma|^-(nu+D+1)/2 is left, which vanishes against many rows."""
    rng = np.random.default_rng(seed)
    x = random_mixture(rng, "VVV", 1, 2).sample(1000, rng)
    result = gm.fit(x, 1, regularization=gm.ConjugatePrior(0.0, 0.0, np.zeros(2)))
    np.testing.assert_allclose(result.mixture.means[0], x.mean(axis=0))
    np.testing.assert_allclose(result.mixture.covariances[0], np.cov(x.T, bias=True) * 1000 / 1003)


def test_a_prior_does_not_depend_on_units_or_place(rng: np.random.Generator) -> None:
    x = random_mixture(rng, "VVV", 2, 2).sample(100, rng)
    units, place = np.array([1e3, 1e-2]), np.array([1e6, -3.0])
    before = fit_few(x, 2, "VVV", gm.ConjugatePrior()).mixture
    after = fit_few(x * units + place, 2, "VVV", gm.ConjugatePrior()).mixture
    np.testing.assert_allclose((after.means - place) / units, before.means, atol=1e-3)
    np.testing.assert_allclose(after.covariances / units / units[:, None], before.covariances, rtol=2e-3, atol=2e-3)


def test_a_prior_keeps_a_thin_component_from_collapsing() -> None:
    x = np.concatenate([np.random.default_rng(0).standard_normal((50, 2)), np.full((5, 2), 9.0)])
    result = gm.fit(x, 2, regularization=gm.ConjugatePrior())
    assert np.linalg.eigvalsh(result.mixture.covariances).min() > 0.01
    selection = gm.select(x, [1, 2, 3], ["VVV", "EEI"], regularization=gm.ConjugatePrior())
    assert "pruned" not in [row.reason for row in selection.table], "the prior says nothing of how far BIC can come"


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"shrinkage": -1.0}, {"degrees": np.nan}, {"scale": np.array([[1.0, 2.0], [0.0, 1.0]])}):
        with pytest.raises(ParameterError, match="ConjugatePrior"):
            gm.ConjugatePrior(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="2 features"):
        gm.fit(np.arange(9.0)[:, None], 1, regularization=gm.ConjugatePrior(mean=np.zeros(2)))
    with pytest.raises(ParameterError, match="at least 1"):
        gm.EigenvalueRatio(0.5)
    x = np.random.default_rng(0).standard_normal((30, 2))
    for structure in TIED:
        with pytest.raises(ParameterError, match=structure):
            gm.fit(x, 2, structure, regularization=gm.EigenvalueRatio(5.0))


def loss(values: np.ndarray, mass: np.ndarray, clipped: np.ndarray) -> float:
    return float((mass[:, None] * (np.log(clipped) + values / clipped)).sum())


@given(seeds, st.integers(1, 5), st.integers(1, 4), st.floats(1.0, 50.0), st.booleans())
def test_no_threshold_beats_the_truncation(seed: int, k: int, j: int, most: float, with_zeros: bool) -> None:
    rng = np.random.default_rng(seed)
    values, mass = np.exp(3.0 * rng.standard_normal((k, j))), rng.uniform(0.1, 100.0, k)
    if with_zeros:
        values[rng.random((k, j)) < 0.4] = 0.0
    values[0, 0] = max(values[0, 0], 1.0)
    found = truncated(values, mass, most)
    assert found.max() <= most * found.min() * (1 + 1e-12)
    grid = np.geomspace(max(values.min() / most, 1e-9), values.max(), 4000)
    least = min(loss(values, mass, np.clip(values, m, most * m)) for m in grid)
    assert loss(values, mass, found) <= least + 1e-9 * abs(least)
    inside = np.clip(values, 1.0, most)
    np.testing.assert_array_equal(truncated(inside, mass, most * (1 + 1e-12)), inside)


@pytest.mark.parametrize("structure", FREE)
@settings(max_examples=6)
@given(seeds, st.integers(1, 3), st.sampled_from([1.0, 3.0, 40.0]))
def test_fits_obey_the_ratio_and_climb(structure: str, seed: int, k: int, most: float) -> None:
    rng = np.random.default_rng(seed)
    x = random_mixture(rng, "VVV", 3, 3, apart=1.5).sample(60, rng) * [1.0, 1.0, 20.0]
    result = fit_few(x, k, structure, gm.EigenvalueRatio(most))
    values = np.linalg.eigvalsh(result.mixture.covariances)
    assert values.max() <= most * values.min() * (1 + 1e-9)
    assert max(result.trace[-1:]) == pytest.approx(result.log_likelihood, rel=1e-9), "no penalty"
    assert falls(x, k, structure, gm.EigenvalueRatio(most)) <= 1e-9


@settings(max_examples=40)
@given(seeds, st.integers(1, 4), st.integers(2, 4), st.floats(1.0, 20.0), st.floats(1e-4, 1.0))
def test_no_shared_eigenvalues_on_any_axes_beat_the_truncated_ones(
    seed: int, k: int, d: int, most: float, size: float
) -> None:
    """Of EEV: neither other eigenvalues within the ratio, in any order, nor axes turned a little are likelier."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((k, d, d + 2)) * np.exp(rng.standard_normal((k, d, 1)))
    mass, matrices = rng.uniform(1.0, 50.0, k), roots @ roots.transpose(0, 2, 1)
    penalty = gm.EigenvalueRatio(most).settled(family("EEV", d), Coordinates.identity(d))
    scatter = Scatter(Moment.FULL, mass, mass[:, None, None] * matrices, d)
    prepared = penalty.prepare(scatter, np.zeros((k, d)))
    found = family("EEV", d).estimate(prepared, None).dense()

    def fit(covariances: np.ndarray) -> float:
        logs = np.linalg.slogdet(covariances)[1]
        traces = np.trace(np.linalg.solve(covariances, matrices), axis1=1, axis2=2)
        return float((mass * (logs + traces)).sum())

    values = np.linalg.eigvalsh(found)
    assert values.max() <= most * values.min() * (1 + 1e-9)
    np.testing.assert_allclose(values, np.broadcast_to(values[:1], values.shape), rtol=1e-9)
    least = fit(found)
    vectors = np.linalg.eigh(matrices)[1]
    for _ in range(20):
        other = rng.permutation(values[0] * np.exp(size * rng.standard_normal(d)))
        other = np.clip(other, other.min(), most * other.min())
        turned = np.linalg.qr(vectors + size * rng.standard_normal((k, d, d)))[0]
        for axes in (vectors, turned):
            assert fit((axes * other) @ axes.transpose(0, 2, 1)) >= least - 1e-9 * abs(least)
        assert fit((turned * values[:, None, :]) @ turned.transpose(0, 2, 1)) >= least - 1e-9 * abs(least)


def test_a_start_that_breaks_the_ratio_is_moved(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.standard_normal((50, 2)), 0.01 * rng.standard_normal((50, 2)) + 9.0])
    free = gm.fit(x, 2, regularization=None)
    bound = gm.fit(x, 2, start=free, regularization=gm.EigenvalueRatio(4.0))
    values = np.linalg.eigvalsh(bound.mixture.covariances)
    assert values.max() == pytest.approx(4.0 * values.min(), rel=1e-9)
    assert bound.converged
    loose = gm.fit(x, 2, start=free, regularization=gm.EigenvalueRatio(1e9))
    assert loose.log_likelihood == pytest.approx(free.log_likelihood, rel=1e-9)


def test_one_feature_and_singular_rows_obey() -> None:
    x = np.concatenate([np.full(20, 3.0), np.random.default_rng(1).standard_normal(60)])[:, None]
    result = gm.fit(x, 2, "V", regularization=gm.EigenvalueRatio(100.0))
    variances = result.mixture.covariances.ravel()
    assert 1.0 < variances.max() / variances.min() <= 100.0 * (1 + 1e-9)
