"""scikit-learn's own checks of estimators."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

import gaussmix as gm

# With more than one component the start depends on the order and number of rows, as scikit-learn's k-means does; that
# weights are repetitions is asserted from given parameters in test_weights.py.
_START = {"check_sample_weight_equivalence_on_dense_data": "k-means starts from rows drawn in their order"}


def _expected(estimator: Any) -> dict[str, str]:
    return _START if estimator.n_components > 1 else {}


@parametrize_with_checks(
    [
        gm.GaussianMixture(),
        gm.GaussianMixture(covariance_type="VEV"),
        gm.GaussianMixture(n_components=2),
        gm.GaussianMixture(n_components=3, covariance_type="tied", init_params="random"),
    ],
    expected_failed_checks=_expected,
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)
