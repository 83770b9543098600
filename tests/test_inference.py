"""Bootstrap and likelihood-ratio test: mclust's numbers, and what users may do."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.errors import FitError, ParameterError

# R: m <- Mclust(faithful, G = 2, modelNames = "VVV"); set.seed(1)
#    b <- MclustBootstrap(m, nboot = 1999, type = ...); summary(b, what = "se")
# Standard errors of the weight, the means and the covariances (11, 12, 22), of the larger component and the smaller.
STANDARD_ERRORS = {
    "nonparametric": [
        0.028859,
        0.032743,
        0.461991,
        0.029193,
        0.602535,
        0.019988,
        0.274652,
        4.474656,
        0.014383,
        0.168992,
        4.296323,
    ],
    "weighted": [
        0.028915,
        0.033279,
        0.475390,
        0.029109,
        0.608957,
        0.020429,
        0.266419,
        4.230632,
        0.014314,
        0.165409,
        4.282845,
    ],
    "parametric": [
        0.029714,
        0.032076,
        0.454286,
        0.026920,
        0.583403,
        0.018310,
        0.201203,
        3.842058,
        0.010215,
        0.163984,
        4.879151,
    ],
}
# summary(b, what = "ci"): 2.5 % and 97.5 % of the means.
INTERVALS = {
    "nonparametric": ([[4.224262, 79.051825], [1.978907, 53.283962]], [[4.352724, 80.861870], [2.093836, 55.635251]]),
    "weighted": ([[4.224040, 78.971628], [1.980471, 53.296672]], [[4.353338, 80.863691], [2.092472, 55.656403]]),
    "parametric": ([[4.227147, 79.089987], [1.984458, 53.320198]], [[4.351912, 80.805498], [2.089739, 55.587959]]),
}


@pytest.fixture(scope="module")
def faithful() -> np.ndarray:
    with (Path(__file__).parent / "oracles" / "data" / "faithful.csv").open() as file:
        return np.array(list(csv.reader(file))[1:], dtype=np.float64)


@pytest.fixture(scope="module")
def result(faithful: np.ndarray) -> gm.FitResult:
    return gm.fit(faithful, 2)


@pytest.mark.parametrize("kind", list(STANDARD_ERRORS))
def test_standard_errors_are_mclusts(kind: str, faithful: np.ndarray, result: gm.FitResult) -> None:
    found = gm.bootstrap(result, faithful, kind, n=999)  # type: ignore[arg-type]
    assert found.failed == ()
    weights, means, covariances = found.standard_errors
    mine = [weights[0], *means.ravel(), *covariances[0][[0, 0, 1], [0, 1, 1]], *covariances[1][[0, 0, 1], [0, 1, 1]]]
    # A standard error from R replicates errs by sqrt((kurtosis - 1) / 4R): 3 % at kurtosis 4, and mclust's by 2 %.
    np.testing.assert_allclose(mine, STANDARD_ERRORS[kind], rtol=0.18)
    for end, expected in zip(found.intervals(), INTERVALS[kind], strict=True):
        # Quantiles at 2.5 % err by sqrt(0.025 / R) / density: 0.085 and 0.06 standard errors.
        assert (np.abs(end.means - expected) < 0.5 * means).all()
    assert np.abs(found.bias.means / means).max() < 0.3


def test_basic_intervals_mirror_percentiles(faithful: np.ndarray, result: gm.FitResult) -> None:
    found = gm.bootstrap(result, faithful, n=50)
    lower, upper = found.intervals(0.9)
    below, above = found.intervals(0.9, "basic")
    np.testing.assert_allclose(below.means, 2 * result.mixture.means - upper.means)
    np.testing.assert_allclose(above.covariances, 2 * result.mixture.covariances - lower.covariances)
    assert (lower.weights < upper.weights).all()
    wider = found.intervals(0.99)
    assert (wider[0].means <= lower.means).all()
    assert (wider[1].means >= upper.means).all()


def test_bootstraps_go_on_where_they_stopped(faithful: np.ndarray, result: gm.FitResult) -> None:
    for kind in STANDARD_ERRORS:
        whole = gm.bootstrap(result, faithful, kind, n=70, seed=4)  # type: ignore[arg-type]
        part = gm.bootstrap(result, faithful, kind, n=13, seed=4, engine=gm.LocalEngine(1))  # type: ignore[arg-type]
        more = gm.bootstrap(result, faithful, kind, n=70, seed=4, resume=pickle.loads(pickle.dumps(part)))  # type: ignore[arg-type]
        assert more.n == whole.n == 70
        for name in ("weights", "means", "covariances"):
            assert getattr(more, name).tolist() == getattr(whole, name).tolist()
        assert gm.bootstrap(result, faithful, kind, n=10, seed=4, resume=part) is part  # type: ignore[arg-type]
        other = gm.bootstrap(result, faithful, kind, n=13, seed=5)  # type: ignore[arg-type]
        assert not np.isin(other.means, part.means).any()


def test_files_and_frequencies_are_rows(faithful: np.ndarray, result: gm.FitResult, oracle_data: Path) -> None:
    on_array = gm.bootstrap(result, faithful, n=5)
    on_file = gm.bootstrap(result, oracle_data / "faithful.csv", n=5)
    assert on_array.means.tolist() == on_file.means.tolist()
    twice = gm.fit(faithful, 2, weights=np.full(len(faithful), 4.0))
    tight = gm.bootstrap(twice, faithful, weights=np.full(len(faithful), 4.0), n=300).standard_errors
    loose = gm.bootstrap(result, faithful, n=300).standard_errors
    # Four times the rows halve the errors; each of the two errs by 4 to 6 %.
    np.testing.assert_allclose(tight.means / loose.means, 0.5, atol=0.15)


def test_failures_are_told() -> None:
    x = np.concatenate([np.random.default_rng(1).standard_normal(60), [50.0, 50.1]])[:, None]
    found = gm.bootstrap(gm.fit(x, 2, regularization=None), x, "nonparametric", n=40, regularization=None)
    assert 0 < len(found.failed) < 40, "rows that are not drawn leave their component without any"
    assert len(found.weights) == 40 - len(found.failed)
    assert np.isfinite(found.standard_errors.means).all()
    assert f"{len(found.failed)} failed" in repr(found)


def test_what_cannot_be_is_refused(faithful: np.ndarray, result: gm.FitResult) -> None:
    with pytest.raises(ParameterError, match="kind"):
        gm.bootstrap(result, faithful, "jackknife")  # type: ignore[arg-type]
    some = gm.bootstrap(result, faithful, n=1)
    with pytest.raises(ParameterError, match="resume"):
        gm.bootstrap(result, faithful, n=3, seed=1, resume=some)
    with pytest.raises(ParameterError, match="resume"):
        gm.bootstrap(gm.fit(faithful, 3), faithful, n=3, resume=some)
    with pytest.raises(FitError, match="1 of 1"):
        _ = some.standard_errors
    more = gm.bootstrap(result, faithful, n=3, resume=some)
    for level in (0.0, 1.0, -2.0):
        with pytest.raises(ParameterError, match="level"):
            more.intervals(level)
    with pytest.raises(ParameterError, match="method"):
        more.intervals(0.9, "bca")  # type: ignore[arg-type]


def test_an_interrupt_keeps_what_is_done(
    faithful: np.ndarray, result: gm.FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gaussmix.inference.replicates import Replicates

    fits = Replicates.fits

    def interrupted(self: Replicates, first: int, last: int):  # type: ignore[no-untyped-def]
        yield next(fits(self, first, last))
        raise KeyboardInterrupt

    monkeypatch.setattr(Replicates, "fits", interrupted)
    with pytest.warns(gm.errors.ConvergenceWarning, match="32 of 100"):
        found = gm.bootstrap(result, faithful, n=100)
    assert found.n == 32


def test_likelihood_ratios_are_mclusts(faithful: np.ndarray) -> None:
    # R: mclustBootstrapLRT(faithful, modelName = "EEE", nboot = 199): 299.219969, p 0.005; 27.721048, p 0.005
    first = gm.likelihood_ratio_test(faithful, 1, "EEE", n=19, effort="quick")
    assert first.statistic == pytest.approx(299.219970, abs=1e-4)
    assert first.p_value == 1 / 20
    second = gm.likelihood_ratio_test(faithful, 2, "EEE", n=19, effort="quick")
    assert second.statistic == pytest.approx(27.721048, abs=0.05), "mclust stops at 1e-5"
    assert second.p_value == 1 / 20
    assert (second.null.requested, second.alternative.requested) == (2, 3)


def test_tests_go_on_where_they_stopped() -> None:
    x = np.random.default_rng(0).standard_normal((80, 1))
    whole = gm.likelihood_ratio_test(x, 1, "E", n=9, seed=2, effort="quick")
    part = gm.likelihood_ratio_test(x, 1, "E", n=4, seed=2, effort="quick", engine=gm.LocalEngine(1))
    more = gm.likelihood_ratio_test(x, 1, "E", n=9, seed=2, effort="quick", resume=part)
    assert more.replicates.tolist() == whole.replicates.tolist()
    assert whole.p_value == (1 + (whole.replicates >= whole.statistic).sum()) / 10
    assert whole.p_value > 0.1, "one Gaussian is one Gaussian"
    with pytest.raises(ParameterError, match="resume"):
        gm.likelihood_ratio_test(x, 2, "E", n=9, seed=2, resume=part)
    assert "1 against 2" in repr(whole)


@pytest.mark.slow
def test_p_values_are_uniform_where_there_is_nothing_to_find() -> None:
    """100 data sets from one Gaussian, 9 replicates: at most 10 % reach p = 0.1, up to 5.4 standard errors of 3 %."""
    rng = np.random.default_rng(8)
    values = [
        gm.likelihood_ratio_test(rng.standard_normal((60, 1)), 1, "E", n=9, effort="quick", seed=i).p_value
        for i in range(100)
    ]
    assert np.mean(np.array(values) <= 0.1) < 0.1 + 5.4 * 0.03
    assert 0.35 < np.mean(values) < 0.75
