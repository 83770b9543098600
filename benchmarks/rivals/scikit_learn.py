"""scikit-learn's `GaussianMixture`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "scikit-learn", ("scikit-learn", "numpy"), ("sklearn.mixture",), requirements=("scikit-learn",), predicts=True
)
NAMES = {"full": "full", "tied": "tied", "diagonal": "diag"}


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations; the start is handed over as weights, means and precisions."""
    from sklearn.exceptions import ConvergenceWarning

    model = _model(start, structure, passes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x)
    covariances = model.covariances_
    if structure == "tied":
        covariances = np.repeat(covariances[None], len(start.weights), axis=0)
    if structure == "diagonal":
        covariances = np.array([np.diag(each) for each in covariances])
    return Parameters(model.weights_, model.means_, covariances)


def responsibilities(x: Array, start: Parameters, structure: str) -> Array:
    """Return `predict_proba` of the start."""
    model = _model(start, structure, 1)
    model.weights_, model.means_ = start.weights, start.means
    model.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(start.covariances))
    model.n_features_in_ = x.shape[1]
    return model.predict_proba(x)


def _model(start: Parameters, structure: str, passes: int) -> Any:
    from sklearn.mixture import GaussianMixture

    precisions = np.linalg.inv(start.covariances)
    precisions = (precisions + precisions.transpose(0, 2, 1)) / 2.0
    if structure == "tied":
        precisions = precisions[0]
    if structure == "diagonal":
        precisions = np.array([np.diag(each) for each in precisions])
    return GaussianMixture(
        len(start.weights),
        covariance_type=NAMES[structure],
        tol=0.0,
        reg_covar=0.0,
        max_iter=passes,
        init_params="random_from_data",
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=precisions,
    )
