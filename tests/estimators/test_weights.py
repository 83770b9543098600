"""A weight of two is a row given twice, a weight of zero a row left out: from given parameters, for every structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import NAMES

AGREEMENT = 1e-10

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(seed: int) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 1.0, -3.0]])
    x = np.concatenate([centre + rng.normal(size=(30, 3)) for centre in centres])
    return x, {"n_components": 2, "max_iter": 4, "tol": 0.0, "weights_init": [0.4, 0.6], "means_init": centres + 0.2}


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**20))
@pytest.mark.parametrize("covariance_type", NAMES)
def test_integer_weights_are_repetitions(covariance_type: str, seed: int) -> None:
    x, given_start = rows(seed)
    given_start |= {"covariance_type": covariance_type}
    # The whole start is given: the law is not one of k-means, which looks at the order of the rows.
    shapes = {"VVV": (2, 3, 3), "EEE": (3, 3), "VVI": (2, 3), "VII": (2,)}
    shape = shapes.get(covariance_type, (2, 3, 3))
    whole = np.ones(shape) if len(shape) == 1 or shape == (2, 3) else np.broadcast_to(np.eye(3), shape).copy()
    given_start["precisions_init"] = whole
    weights = np.random.default_rng(seed + 1).integers(0, 4, size=len(x))
    weighted = gm.GaussianMixture(**given_start).fit(x, sample_weight=weights)
    repeated = gm.GaussianMixture(**given_start).fit(np.repeat(x, weights, axis=0))
    for name in ("weights_", "means_", "covariances_", "lower_bound_", "log_likelihood_"):
        mine, known = getattr(weighted, name), getattr(repeated, name)
        np.testing.assert_allclose(mine, known, rtol=0.0, atol=AGREEMENT * np.abs(known).max(), err_msg=name)
    np.testing.assert_allclose(
        weighted.score(x, sample_weight=weights), repeated.score(np.repeat(x, weights, axis=0)), rtol=AGREEMENT
    )


def test_weights_of_one_are_no_weights() -> None:
    x, _ = rows(0)
    for init_params in ("kmeans", "random"):
        plain = gm.GaussianMixture(2, init_params=init_params, random_state=0).fit(x)
        weighted = gm.GaussianMixture(2, init_params=init_params, random_state=0).fit(x, sample_weight=np.ones(len(x)))
        np.testing.assert_allclose(weighted.means_, plain.means_, rtol=AGREEMENT)


def test_wrong_weights_are_refused() -> None:
    x, _ = rows(0)
    with pytest.raises(ValueError, match="zero"):
        gm.GaussianMixture(2).fit(x, sample_weight=np.zeros(len(x)))
    with pytest.raises(ValueError, match="Negative"):
        gm.GaussianMixture(2).fit(x, sample_weight=np.full(len(x), -1.0))
    with pytest.raises(ValueError, match="n_samples >= n_components"):
        gm.GaussianMixture(2).fit(x, sample_weight=np.eye(len(x))[0])
