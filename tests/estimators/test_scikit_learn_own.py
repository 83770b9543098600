"""scikit-learn's own tests of its mixture, as shipped in its wheel, with the class replaced by ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.mixture.tests.test_gaussian_mixture as theirs

import gaussmix as gm

EXCEPTIONS = {
    "test_check_weights": "its message names the largest weight as the smallest",
    "test_gaussian_mixture_precisions_init": "calls the private method _initialize",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": "counts calls of a private function",
    "test_gaussian_mixture_array_api_compliance": "arrays of other libraries are read, and answered in NumPy's",
    "test_gaussian_mixture_raises_where_array_api_not_implemented": "as above",
}

pytestmark = pytest.mark.slow


@pytest.fixture
def global_random_seed() -> int:
    return 42


@pytest.fixture
def global_dtype() -> type[np.float64]:
    return np.float64


def _public_tests() -> dict[str, Any]:
    vars(theirs)["GaussianMixture"] = gm.GaussianMixture
    return {name: test for name, test in vars(theirs).items() if name.startswith("test_") and name not in EXCEPTIONS}


globals().update(_public_tests())


def test_the_class_is_replaced_and_its_tests_are_found() -> None:
    assert theirs.GaussianMixture is gm.GaussianMixture
    assert sum(name.startswith("test_") for name in globals()) > 25
