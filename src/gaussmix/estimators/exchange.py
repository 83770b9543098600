"""Estimators of gaussmix and of scikit-learn: fitted attributes carried over."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.mixture import GaussianMixture as SklearnMixture

from gaussmix.estimators.parameters import (
    Parameters,
    mixture_from,
    parameters_of,
    plainest_type,
    shape_of,
    spread_of_roots,
)
from gaussmix.mixture import Mixture

Estimator = TypeVar("Estimator")

_OURS_ONLY = ("log_likelihood_", "n_samples_seen_")


def copied(model: Any, estimator: Estimator) -> Estimator:
    """Give `estimator` copies of all fitted attributes of `model`; return it."""
    for name, value in _fitted(model).items():
        setattr(estimator, name, deepcopy(value))
    return estimator


def as_sklearn(estimator: Any) -> SklearnMixture:
    """Return scikit-learn's estimator with the same parameters and, where there are any, fitted attributes."""
    covariance_type = plainest_type(estimator.covariance_type)
    parameters = {**estimator.get_params(deep=False), "covariance_type": covariance_type}
    if covariance_type != shape_of(estimator.covariance_type):
        parameters["precisions_init"] = None
    model = cast(Any, SklearnMixture)(**deepcopy(parameters))
    known = {name: value for name, value in _fitted(estimator).items() if name not in _OURS_ONLY}
    if known:
        written = parameters_of(estimator.mixture_, covariance_type)
        known |= {f"{name}_": value for name, value in zip(Parameters._fields, written, strict=True)}
    for name, value in known.items():
        setattr(model, name, deepcopy(value))
    return model


def names_of(estimator: Any) -> tuple[str, ...] | None:
    """Return the feature names that an estimator has seen."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)


def current_mixture(estimator: Any) -> Mixture:
    """Return the mixture of an estimator's attributes: the fitted one, unless somebody has changed them.

    The attributes alone would do, but for data far from zero a mixture has digits that they cannot hold.
    """
    found = (estimator.weights_, estimator.means_, estimator.precisions_cholesky_)
    weights, means, roots = (np.array(each, dtype=np.float64) for each in found)
    kept: Mixture | None = getattr(estimator, "_kept", None)
    if kept is not None:
        known = parameters_of(kept, estimator.covariance_type)
        pairs = ((known.weights, weights), (known.means, means), (known.precisions_cholesky, roots))
        if all(np.array_equal(mine, given) for mine, given in pairs):
            return kept
    spread = spread_of_roots(roots, estimator.covariance_type, means.shape[1])
    return mixture_from(weights, means, spread, estimator.covariance_type, names_of(estimator))


def _fitted(estimator: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")}
