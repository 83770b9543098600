"""Laws of what does not matter: order, units, offsets, rows of no weight, how rows are stored and who computes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nature import ALL, NASTY, fit_from, random_mixture, reference, seeds

import gaussmix as gm
from gaussmix.covariance import FAMILIES
from gaussmix.data.source import Chunk, Source

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

EQUIVARIANT = tuple(name for name in ALL if FAMILIES[name].axis_equivariant)
CLOSE = 1e-10  # a few passes from the same parameters, on rows that are the same but for rounding
# The common orientation of EVE and VVE is found by descent, up to this much of the likelihood; axes that hardly
# matter to it are free to turn.
CLOSE_BY_DESCENT = 1e-8
DESCENTS = ("EVE", "VVE")


def assert_same(found: gm.FitResult, wanted: gm.FitResult, structure: str) -> None:
    """The same likelihood and the same parameters, but for rounding."""
    close = CLOSE_BY_DESCENT if structure in DESCENTS else CLOSE
    assert found.log_likelihood == pytest.approx(wanted.log_likelihood, rel=close)
    np.testing.assert_allclose(found.mixture.weights, wanted.mixture.weights, rtol=100 * close, atol=close)
    if structure in DESCENTS:
        return
    for mine, other in (
        (found.mixture.means, wanted.mixture.means),
        (found.mixture.covariances, wanted.mixture.covariances),
    ):
        np.testing.assert_allclose(mine, other, rtol=100 * close, atol=100 * close * np.abs(other).max())


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 4))
def test_the_order_of_rows_columns_and_components_does_not_matter(structure: str, seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x, start = NASTY["tame"](rng, 100, d), random_mixture(rng, structure, 3, d)
    wanted = fit_from(start, x)
    rows, components, columns = rng.permutation(100), rng.permutation(3), rng.permutation(d)
    for found in (fit_from(start, x[rows]), fit_from(start.take(components), x)):
        assert_same(found, wanted, structure)
    turned = gm.Mixture(
        start.weights, start.means[:, columns], start.covariances[:, columns][:, :, columns], structure=start.structure
    )
    if structure in DESCENTS:  # several optima: descents may start from axes in another order
        return
    found = fit_from(turned, x[:, columns], regularization=gm.PseudoObservations(1e-3, reference(d)[columns]))
    back = found.mixture.marginal(np.argsort(columns).tolist())
    assert_same(replace(found, mixture=back), wanted, structure)


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 4), exponent=st.sampled_from([-100, -3, 3, 100]))
@settings(max_examples=8)
def test_units_do_not_matter(structure: str, seed: int, d: int, exponent: int) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY["tame"](rng, 90, d)
    units = np.full(d, 10.0**exponent)
    if structure in EQUIVARIANT:
        units = 10.0 ** rng.permutation(np.linspace(0, exponent, d))
    options: dict[str, Any] = {"max_passes": 8, "n_starts": 3}
    wanted, found = gm.fit(x, 2, structure, **options), gm.fit(x * units, 2, structure, **options)
    jacobian = 90 * np.log(units).sum()
    assert abs(found.log_likelihood + jacobian - wanted.log_likelihood) <= CLOSE * (
        abs(wanted.log_likelihood) + abs(jacobian)
    )
    np.testing.assert_allclose(found.mixture.means / units, wanted.mixture.means, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 4), shift=st.sampled_from([1e8, -1e8, 3.0]))
@settings(max_examples=8)
def test_the_origin_does_not_matter(structure: str, seed: int, d: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(NASTY["tame"](rng, 90, d) * 2.0**26) / 2.0**26  # so that the shift is exact
    options: dict[str, Any] = {
        "max_passes": 8,
        "n_starts": 3,
        "regularization": gm.PseudoObservations(1e-6, np.ones(d)),
    }
    wanted, found = gm.fit(x, 2, structure, **options), gm.fit(x + shift, 2, structure, **options)
    assert found.log_likelihood == pytest.approx(wanted.log_likelihood, rel=CLOSE)
    np.testing.assert_allclose(found.mixture.means - shift, wanted.mixture.means, atol=1e-7)
    np.testing.assert_allclose(found.mixture.covariances, wanted.mixture.covariances, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, d=st.integers(1, 3), kind=st.sampled_from(["tame", "heavy_tailed"]))
def test_weights_are_frequencies(structure: str, seed: int, d: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    x, start = NASTY[kind](rng, 60, d), random_mixture(rng, structure, 2, d)
    times = rng.integers(0, 4, 60)
    weighted, repeated = fit_from(start, x, weights=times), fit_from(start, np.repeat(x, times, axis=0))
    assert weighted.bic == pytest.approx(repeated.bic, rel=CLOSE_BY_DESCENT)
    assert weighted.weight == repeated.weight == repeated.n_rows
    assert_same(weighted, repeated, structure)


@pytest.mark.parametrize("value", [0.0, np.nan, -np.inf, 1e100])
@given(seed=seeds, structure=st.sampled_from(ALL))
def test_a_row_of_weight_zero_is_as_good_as_none(value: float, seed: int, structure: str) -> None:
    rng = np.random.default_rng(seed)
    x, start = NASTY["tame"](rng, 60, 2), random_mixture(rng, structure, 2, 2)
    out = rng.permutation(60)[:7]
    w = rng.exponential(size=60)
    w[out] = 0.0
    spoiled = x.copy()
    spoiled[out] = value
    kept = np.flatnonzero(w > 0.0)
    found, wanted = fit_from(start, spoiled, weights=w), fit_from(start, x[kept], weights=w[kept])
    assert found.n_rows == wanted.n_rows == 53
    assert_same(found, wanted, structure)


def test_a_row_of_weight_zero_may_hold_the_largest_number() -> None:
    x = np.random.default_rng(0).standard_normal((50, 2))
    x[3] = 1e308
    result = gm.fit(x, 2, weights=np.where(np.arange(50) == 3, 0.0, 1.0))
    assert np.isfinite(result.log_likelihood)


# Bits


def fingerprint(result: gm.FitResult) -> str:
    """SHA-256 of everything that was found."""
    mixture = result.mixture
    arrays = (mixture.weights, mixture.means, mixture.covariances, mixture.centres, mixture.spread.arrays)
    numbers = np.array([result.log_likelihood, result.entropy, *result.trace])
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in (*arrays, numbers))).hexdigest()


class Chunked(Source):
    """Rows in chunks that end where they are told to."""

    def __init__(self, x: np.ndarray, stops: list[int], w: np.ndarray | None = None, known: bool = False) -> None:
        self.x, self.w, self.known = x, w, known
        self.edges = sorted({0, *stops, len(x)})

    @property
    def n_features(self) -> int:
        return self.x.shape[1]

    @property
    def feature_names(self) -> None:
        return None

    @property
    def n_rows(self) -> int | None:
        return len(self.x) if self.known else None

    @property
    def description(self) -> str:
        return "chunks"

    def chunks(self) -> Iterator[Chunk]:
        for a, b in pairwise(self.edges):
            yield Chunk(self.x[a:b], None if self.w is None else self.w[a:b], a)


@pytest.mark.parametrize("structure", ["VVV", "EEE", "VII", "EVI"])
@settings(max_examples=5)
@given(
    seed=seeds,
    n=st.integers(1500, 9000),
    stops=st.lists(st.integers(1, 9000), max_size=8),
    threads=st.sampled_from([1, 2, 3, 5]),
    weighted=st.booleans(),
    known=st.booleans(),
)
def test_chunks_and_threads_change_no_bit(
    structure: str, seed: int, n: int, stops: list[int], threads: int, weighted: bool, known: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY["tame"](rng, n, 3)
    w = rng.exponential(size=n) if weighted else None
    options: dict[str, Any] = {"max_passes": 4, "n_starts": 1, "start": "kmeans", "seed": seed % 7}
    wanted = gm.fit(x, 3, structure, weights=w, engine=gm.LocalEngine(1), **options)
    source = Chunked(x, [stop for stop in stops if stop < n], w, known)
    found = gm.fit(source, 3, structure, engine=gm.LocalEngine(threads), **options)
    assert fingerprint(found) == fingerprint(wanted)


def stored(kind: str, x: np.ndarray, folder: Path) -> Any:
    """The rows, as each storage has them."""
    names = [f"x{i + 1}" for i in range(x.shape[1])]
    table = pa.table(dict(zip(names, x.T, strict=True)))
    if kind in ("memmap", "npy"):
        np.save(folder / "rows.npy", x)
        return np.load(folder / "rows.npy", mmap_mode="r") if kind == "memmap" else folder / "rows.npy"
    if kind == "csv":
        lines = [",".join(names), *(",".join(map(repr, row)) for row in x.tolist())]
        (folder / "rows.csv").write_text("\n".join(lines))
        return folder / "rows.csv"
    if kind == "parquet":
        parquet.write_table(table, folder / "rows.parquet", row_group_size=7_001)
        return folder / "rows.parquet"
    return {
        "fortran": lambda: np.asfortranarray(x),
        "strided": lambda: np.repeat(x, 2, axis=1)[:, ::2],
        "backwards": lambda: x[::-1].copy()[::-1],
        "pandas": lambda: pd.DataFrame(x, columns=names),
        "polars": lambda: pl.DataFrame(x, schema=names),
        "arrow": lambda: table,
        "chunks": lambda: Chunked(x, list(range(1, len(x), 777))),
    }[kind]()


@pytest.fixture(scope="module")
def many_rows() -> np.ndarray:
    """More rows than the sample holds, over several segments."""
    return NASTY["tame"](np.random.default_rng(5), 70_003, 3)


@pytest.fixture(scope="module")
def of_the_array(many_rows: np.ndarray) -> str:
    return fingerprint(fit_many(many_rows, 1))


def fit_many(data: Any, threads: int) -> gm.FitResult:
    return gm.fit(data, 3, max_passes=5, n_starts=2, start="kmeans", engine=gm.LocalEngine(threads))


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_change_no_bit_of_many_rows(threads: int, many_rows: np.ndarray, of_the_array: str) -> None:
    assert fingerprint(fit_many(many_rows, threads)) == of_the_array


STORAGES = ["fortran", "strided", "backwards", "memmap", "npy", "csv", "parquet", "pandas", "polars", "arrow", "chunks"]


@pytest.mark.parametrize("storage", STORAGES)
def test_storage_changes_no_bit(storage: str, many_rows: np.ndarray, of_the_array: str, tmp_path: Path) -> None:
    assert fingerprint(fit_many(stored(storage, many_rows, tmp_path), 2)) == of_the_array


def test_float32_is_read_as_the_float64_that_it_is(many_rows: np.ndarray) -> None:
    narrow = many_rows.astype(np.float32)
    assert fingerprint(fit_many(narrow, 2)) == fingerprint(fit_many(narrow.astype(np.float64), 1))


@pytest.mark.parametrize("storage", STORAGES)
def test_storage_changes_no_bit_of_a_prediction(storage: str, many_rows: np.ndarray, tmp_path: Path) -> None:
    model = random_mixture(np.random.default_rng(1), "VVV", 4, 3)
    wanted = gm.predict(model, many_rows, engine=gm.LocalEngine(1))
    found = gm.predict(model, stored(storage, many_rows, tmp_path), engine=gm.LocalEngine(3))
    for mine, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("call", [{"seed": 3}, {"n_starts": 1}, {"regularization": None}])
def test_the_same_call_gives_the_same_bits(call: dict[str, Any], rng: np.random.Generator) -> None:
    x = NASTY["tame"](rng, 300, 2)
    assert fingerprint(gm.fit(x, 3, **call)) == fingerprint(gm.fit(x, 3, **call))


def test_the_seed_is_used(rng: np.random.Generator) -> None:
    x = rng.random((300, 2))  # rows without clusters, where no start is best
    found = {fingerprint(gm.fit(x, 5, start="random", n_starts=1, max_passes=3, seed=seed)) for seed in range(4)}
    assert len(found) == 4
