"""The compiled exponential and logarithm, against 60 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.engine.kernels.exponential import SMALLEST_ARGUMENT, exponentials, logarithms

ULPS = 2.0


def ulps(values: np.ndarray, x: np.ndarray, exact) -> np.ndarray:
    """Errors of `values` in units of the last place of the exact results."""
    with mpmath.workdps(60):
        truth = [exact(mpmath.mpf(each)) for each in x.tolist()]
        errors = [abs(mpmath.mpf(v) - t) for v, t in zip(values.tolist(), truth, strict=True)]
    return np.array([float(e) / np.spacing(abs(float(t))) for e, t in zip(errors, truth, strict=True)])


@given(st.lists(st.floats(SMALLEST_ARGUMENT, 0.0), min_size=1, max_size=50))
def test_exponential_is_within_two_ulp(x: list[float]) -> None:
    points = np.array(x)
    assert ulps(exponentials(points), points, mpmath.exp).max() <= ULPS


@pytest.mark.parametrize(
    "points",
    [
        np.linspace(SMALLEST_ARGUMENT, 0.0, 4001),
        np.linspace(-1.0, 0.0, 2001),
        -np.geomspace(1e-300, 1.0, 500),
        # Where the reduction turns from one power of two to the next.
        -np.log(2.0) * (np.arange(1000) + 0.5),
        np.nextafter(-np.log(2.0) * (np.arange(1000) + 0.5), 0.0),
    ],
    ids=["whole range", "near zero", "tiny", "ties", "beside ties"],
)
def test_exponential_is_within_two_ulp_on_dense_points(points: np.ndarray) -> None:
    assert ulps(exponentials(points), points, mpmath.exp).max() <= ULPS


def test_exponential_of_the_ends() -> None:
    ends = np.array([0.0, -0.0, np.nextafter(SMALLEST_ARGUMENT, -np.inf), -745.0, -1e5, -1e300, -np.inf])
    assert exponentials(ends).tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_exponential_of_nothing_defined_is_not_a_number() -> None:
    assert np.isnan(exponentials(np.array([np.nan, np.inf - np.inf]))).all()


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=50))
def test_logarithm_of_sums_of_shares_is_exact_to_two_ulp_of_log_two(x: list[float]) -> None:
    points = np.array(x)
    values = logarithms(points)
    allowed = ULPS * np.maximum(np.spacing(np.log(2.0)), np.spacing(np.log(points)))
    with mpmath.workdps(60):
        errors = [abs(float(mpmath.mpf(v) - mpmath.log(p))) for v, p in zip(values.tolist(), x, strict=True)]
    assert (np.array(errors) <= allowed).all()


def test_logarithm_of_one_is_zero() -> None:
    assert logarithms(np.ones(3)).tolist() == [0.0, 0.0, 0.0]
