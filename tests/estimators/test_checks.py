"""scikit-learn's own checks of estimators: all of them, of every public estimator, none expected to fail or skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import gaussmix as gm

WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
FEATURES = 30  # of the rows that this check makes


@parametrize_with_checks(
    [
        gm.GaussianMixture(),
        gm.GaussianMixture(covariance_type="VEV"),
        gm.GaussianMixtureSearch((1, 2), covariance_type=("EII", "VVI", "tied")),
        gm.MixtureClassifier(),
        gm.MixtureClassifier(covariance_type="tied"),
        gm.MixtureClassifier(covariance_type="VEE"),
        gm.MixtureOutlierDetector(),
        gm.ResponsibilityTransformer(),
    ]
)
def test_scikit_learn_checks(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # or the checks of array API inputs skip themselves
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([gm.GaussianMixtureSearch()])
def test_scikit_learn_checks_of_the_whole_grid(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def several() -> Iterator[Any]:
    """Checks of mixtures of several components.

    That weights are repetitions is claimed from given parameters: k-means, scikit-learn's too, starts from rows drawn
    in their order. That check gets an estimator which starts from given parameters, as scikit-learn hands its own
    estimators other parameters for single checks.
    """
    known = np.random.default_rng(0).random((2, FEATURES))
    given = {
        "full": np.broadcast_to(np.eye(FEATURES), (2, FEATURES, FEATURES)),
        "tied": np.eye(FEATURES),
        "VEI": np.broadcast_to(np.eye(FEATURES), (2, FEATURES, FEATURES)),
    }
    for covariance_type, init_params in (("full", "kmeans"), ("tied", "random"), ("VEI", "k-means++")):
        estimator = gm.GaussianMixture(2, covariance_type=covariance_type, init_params=init_params)
        start = {"means_init": known, "weights_init": [0.4, 0.6], "precisions_init": given[covariance_type]}
        for asked, check in estimator_checks_generator(estimator):
            if check.func.__name__ == WEIGHTS:
                yield pytest.param(clone(asked).set_params(**start), check, id=f"{covariance_type}-{WEIGHTS}")
            else:
                yield pytest.param(asked, check, id=f"{covariance_type}-{check.func.__name__}")
    diagonal = gm.MixtureClassifier(2, covariance_type="diag")
    for role in (diagonal, gm.MixtureOutlierDetector(2), gm.ResponsibilityTransformer(2)):
        for asked, check in estimator_checks_generator(role):
            if check.func.__name__ != WEIGHTS:  # their mixtures are the one above
                yield pytest.param(asked, check, id=f"{type(role).__name__}-{check.func.__name__}")


@pytest.mark.parametrize(("estimator", "check"), list(several()))
def test_scikit_learn_checks_of_several_components(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)
