"""Outliers of any source in bounded memory, and what makes them so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix import detection
from gaussmix.covariance import NAMES
from gaussmix.mixture.explanation import improbability_shares


def mixture(structure: str = "VVV") -> gm.Mixture:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + 4.0 * i for i in range(2)])
    return gm.fit(x, 2, structure).mixture


def gaussian(covariance: Any, mean: Any = None) -> gm.Mixture:
    size = len(covariance)
    return gm.Mixture([1.0], [np.zeros(size) if mean is None else mean], [covariance])


@pytest.mark.parametrize("structure", NAMES)
def test_shares_are_shares(structure: str) -> None:
    model = mixture(structure)
    shares = improbability_shares(model, model.sample(200, 0))
    assert (shares >= 0.0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)


def test_contributions_are_those_of_the_symmetric_root() -> None:
    """Written out from the definition, by an eigendecomposition of the correlation matrix."""
    model = mixture()
    x = model.sample(50, 1)
    expected = np.zeros_like(x)
    for k in range(2):
        deviations = model.standard_deviations[k]
        values, vectors = np.linalg.eigh(model.covariances[k] / np.outer(deviations, deviations))
        u = ((x - model.means[k]) / deviations) @ (vectors / np.sqrt(values)) @ vectors.T
        distances = np.einsum(
            "ni,ij,nj->n", x - model.means[k], np.linalg.inv(model.covariances[k]), x - model.means[k]
        )
        np.testing.assert_allclose(np.square(u).sum(axis=1), distances, rtol=1e-9)
        expected += model.responsibilities(x)[:, [k]] * np.square(u)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(improbability_shares(model, x), expected, rtol=1e-8, atol=1e-12)


def test_independent_features_have_their_own_squares() -> None:
    x = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    shares = improbability_shares(gaussian(np.diag([1.0, 4.0])), x)
    np.testing.assert_allclose(shares, [[9.0 / 13.0, 4.0 / 13.0], [0.0, 1.0], [0.5, 0.5]], rtol=1e-12)


def test_a_broken_correlation_is_the_fault_of_both() -> None:
    shares = improbability_shares(gaussian(np.array([[1.0, 0.9], [0.9, 1.0]])), np.array([[2.0, -2.0]]))
    np.testing.assert_allclose(shares, [[0.5, 0.5]], rtol=1e-12)


@given(seed=st.integers(0, 2**20))
def test_neither_units_nor_order_nor_place_play_a_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, 3)) + 2.0 * np.eye(3)
    x, units, moved, order = (
        rng.normal(size=(20, 3)),
        10.0 ** rng.uniform(-6, 6, 3),
        rng.normal(size=3),
        rng.permutation(3),
    )
    covariance = root @ root.T
    plain = improbability_shares(gaussian(covariance), x)
    scaled = gaussian(covariance * np.outer(units, units), moved * units)
    np.testing.assert_allclose(improbability_shares(scaled, (x + moved) * units), plain, rtol=1e-7, atol=1e-9)
    turned = improbability_shares(gaussian(covariance[np.ix_(order, order)]), x[:, order])
    np.testing.assert_allclose(turned, plain[:, order], rtol=1e-7, atol=1e-9)


def test_rows_out_of_all_bounds_are_explained_too() -> None:
    shares = improbability_shares(mixture(), np.array([[1e200, 0.0, 0.0], [-1e300, 1e300, 3.0]]))
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


@pytest.mark.parametrize("contamination", [0.001, 0.01, 0.1, 0.25, 0.5])
def test_the_share_asked_for_is_found(contamination: float, tmp_path: Path) -> None:
    model = mixture()
    x = model.sample(999, 5)
    densities = model.log_prob(x)
    found = gm.detect(model, x, contamination=contamination)
    n = int(np.floor(999 * contamination))
    np.testing.assert_array_equal(np.sort(found.positions), np.sort(np.argsort(densities)[:n]))
    np.testing.assert_allclose(found.threshold, np.sort(densities)[n], rtol=1e-12)
    np.testing.assert_allclose(found.log_prob, densities[found.positions], rtol=1e-10)
    np.testing.assert_allclose(found.shares, improbability_shares(model, x[found.positions]), rtol=1e-12)
    assert found.n_rows == 999
    np.save(tmp_path / "rows.npy", x)
    filed = gm.detect(model, tmp_path / "rows.npy", contamination=contamination)
    for mine, known in zip(filed, found, strict=True):
        np.testing.assert_array_equal(mine, known)


def test_a_threshold_of_other_rows_is_kept() -> None:
    model = mixture()
    threshold = gm.density_threshold(model, model.sample(2000, 6), 0.05)
    found = gm.detect(model, model.sample(2000, 7), threshold=threshold)
    # Of 2,000 rows 5 % +- 5.5 standard deviations, of both samples: a false alarm once in 10^7.
    assert 100 - 75 < len(found.positions) < 100 + 75
    assert (found.log_prob < threshold).all()


@given(
    values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=60),
    repeats=st.integers(1, 4),
    share=st.floats(0.0, 1.0, exclude_max=True),
)
def test_ranks_are_found_by_the_bits_of_numbers(values: list[float], repeats: int, share: float) -> None:
    x = np.repeat(np.array(values), repeats)
    parts = np.array_split(x, 3)
    rank = int(share * len(x))
    assert detection._ranked(lambda: iter(parts), lambda n: int(share * n)) == np.sort(x)[rank]


@given(st.lists(st.floats(-100.0, 0.0), min_size=5, max_size=60), st.floats(0.0, 1.0, exclude_max=True))
def test_ranks_do_not_depend_on_what_fits_into_memory(values: list[float], share: float) -> None:
    x = np.array(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "_MOST_KEPT", 0)
        found = detection._ranked(lambda: iter([x]), lambda n: int(share * n))
    assert found == np.sort(x)[int(share * len(x))]


def test_dropped_rows_are_no_outliers() -> None:
    frame = pd.DataFrame(mixture().sample(100, 8), columns=["a", "b", "c"])
    frame.loc[::7, "b"] = np.nan
    model = gm.Mixture(mixture().weights, mixture().means, mixture().covariances, feature_names=["a", "b", "c"])
    found = gm.detect(model, frame[["c", "a", "b"]], contamination=0.1, missing="drop")
    complete = np.flatnonzero(frame["b"].notna())
    assert found.n_rows == len(complete) == 85
    assert len(found.positions) == 8
    np.testing.assert_array_equal(np.intersect1d(found.positions, complete), np.sort(found.positions))
    plain = gm.detect(model, frame.dropna(), contamination=0.1)
    np.testing.assert_array_equal(complete[plain.positions], found.positions)
    with pytest.raises(ValueError, match='missing="drop"'):
        gm.detect(model, frame)
    with pytest.raises(ValueError, match="at least one complete row"):
        gm.detect(model, frame[frame["b"].isna()], missing="drop")


def test_misuse_is_named() -> None:
    model = mixture()
    for wrong in (0.0, 0.6, -1.0, "all"):
        with pytest.raises(ValueError, match="contamination="):
            gm.detect(model, model.sample(10, 0), contamination=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="threshold"):
        gm.detect(model, model.sample(10, 0), threshold=float("nan"))
    with pytest.raises(ValueError, match="expected a Mixture"):
        gm.detect("model.gmx", model.sample(10, 0))  # pyright: ignore[reportArgumentType]
