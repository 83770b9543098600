"""Tiles of vectors of any width: those of this processor, and those of processors that know less."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.engine.kernels.softmax import N_SUMS, share_out
from gaussmix.engine.kernels.tiles import GROUP, STRIP, add_densities, add_moments, whitened_densities
from gaussmix.engine.kernels.vectors import LANES

EPS = float(np.finfo(np.float64).eps)
seeds = st.integers(0, 2**32 - 1)

CHECK = """
import numpy as np
from gaussmix.engine.kernels.numba import NumbaKernel
from gaussmix.engine.kernels.vectors import LANES
from gaussmix.testing import check_kernel
assert LANES == {lanes}, LANES
for n_features in (2, 5, 41):
    check_kernel(NumbaKernel(), n_rows=700, n_features=n_features)
"""


def rounding(size: int, terms: np.ndarray) -> np.ndarray:
    """A bound on the rounding errors of sums of `size` terms, of which the sums of absolute values are given."""
    return (size + 2) * EPS * terms + np.finfo(np.float64).tiny


@given(seed=seeds, k=st.integers(1, 9), p=st.integers(2, 40), cut=st.integers(1, 40), strips=st.integers(1, 3))
def test_log_densities_are_the_product_in_whatever_pieces(seed: int, k: int, p: int, cut: int, strips: int) -> None:
    rng = np.random.default_rng(seed)
    coefficients, features = rng.standard_normal((k, p)), rng.standard_normal((p, strips * STRIP))
    features[0] = 1.0
    values = np.full((k, strips * STRIP), np.nan)
    for row in range(0, strips * STRIP, STRIP):
        for low, high in ((0, p),) if cut >= p - 1 else ((0, cut + 1), (cut + 1, p)):
            piece = np.ascontiguousarray(features[low:high, row : row + STRIP])
            add_densities(coefficients, piece, values, low, high, low, row, 0)
    errors = np.abs(values - coefficients @ features)
    assert (errors <= rounding(p, np.abs(coefficients) @ np.abs(features))).all()


@given(seed=seeds, k=st.integers(1, 9), groups=st.integers(1, 4), n=st.integers(1, 40))
def test_moments_are_the_transposed_product_and_are_added(seed: int, k: int, groups: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p, rows = groups * GROUP, n * LANES
    features, shares = rng.standard_normal((p, rows)), rng.random((k, rows))
    totals = np.ones((p, k))
    add_moments(features, shares, totals, 0, p, 0, rows)
    errors = np.abs(totals - 1.0 - features @ shares.T)
    assert (errors <= rounding(rows + 2, np.abs(features) @ shares.T + 1.0)).all()


@given(seed=seeds, k=st.integers(1, 5), d=st.integers(1, 11))
def test_whitened_densities_are_constants_less_half_the_squared_lengths(seed: int, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    columns = np.ones((1 + d, STRIP))
    columns[1:] = rng.standard_normal((d, STRIP))
    lines = -(-d // 4) * 4
    whiteners = np.zeros((k, lines + 1, d + 1))
    factors = np.tril(rng.standard_normal((k, d, d)))
    whiteners[:, :d, :d], whiteners[:, -1] = factors, rng.standard_normal((k, d + 1))
    values = np.full((k, STRIP), np.nan)
    whitened_densities(whiteners, columns, values)
    white = factors @ (columns[1:] - whiteners[:, -1, :d, None])
    expected = whiteners[:, -1, d, None] - 0.5 * np.square(white).sum(axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)  # sums of at most 66 rounded products


@given(seed=seeds, k=st.integers(1, 9), least=st.sampled_from([0.0, 0.1]))
def test_shares_are_the_softmax_times_the_weights(seed: int, k: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    logs, weights = 30.0 * rng.standard_normal((k, STRIP)), rng.random(STRIP) * (rng.random(STRIP) < 0.8)
    values, per_row, sums = logs.copy(), np.stack([np.full(STRIP, np.nan), weights]), np.zeros((k + N_SUMS, LANES))
    share_out(values, per_row, sums, 0, STRIP, least)
    parts = np.exp(logs - logs.max(axis=0))
    log_prob = logs.max(axis=0) + np.log(parts.sum(axis=0))
    shares = np.where(parts > least, weights * parts / parts.sum(axis=0), 0.0)
    expected = [*np.square(shares).sum(axis=1), weights @ log_prob, weights @ np.abs(log_prob), weights.sum(), 0.0]
    np.testing.assert_allclose(values, shares, rtol=1e-13, atol=1e-300)  # a few ulp of exponential, sum and quotient
    np.testing.assert_allclose(per_row[0], log_prob, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(sums.sum(axis=1), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("far", [-np.inf, np.nan])
def test_rows_infinitely_far_out_are_counted(far: float) -> None:
    values, sums = np.zeros((3, STRIP)), np.zeros((3 + N_SUMS, LANES))
    values[:, [1, STRIP - 1]] = far
    values[1, 2] = -np.inf  # from one component only
    share_out(values, np.ones((2, STRIP)), sums, 0, STRIP, 0.0)
    assert sums[-1].sum() == 2.0


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of this kind")
@pytest.mark.parametrize(
    ("name", "features", "lanes"),
    [("haswell", "+avx,+avx2,+fma,+bmi,+bmi2", 4), ("x86-64", "+sse2", 2), ("skylake-avx512", "+avx512f,+fma", 8)],
)
def test_the_kernel_conforms_on_processors_that_know_less(name: str, features: str, lanes: int, tmp_path) -> None:
    if lanes > LANES:
        pytest.skip("this processor has no such registers")
    environment = os.environ | {
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", CHECK.format(lanes=lanes)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
