"""gmmx's `EMFitter` in JAX, which accepts float32 only."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "gmmx",
    ("gmmx", "jax"),
    ("jax", "gmmx"),
    requirements=("gmmx",),
    structures=("full", "diagonal"),
    predicts=True,
    compiles=True,
    most_passes=2,
    remark="float32, the only precision it accepts",
)


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations in float32."""
    import jax.numpy as jnp
    from gmmx import EMFitter

    fitter = EMFitter(max_iter=passes, tol=0.0, reg_covar=0.0)
    model = fitter.fit(jnp.asarray(x, dtype=jnp.float32), _model(start, structure)).gmm
    found = np.asarray(model.covariances.values_numpy, dtype=np.float64)
    covariances = found if structure == "full" else np.array([np.diag(each) for each in found])
    weights = np.asarray(model.weights_numpy, dtype=np.float64)
    return Parameters(weights, np.asarray(model.means_numpy, dtype=np.float64), covariances)


def responsibilities(x: Array, start: Parameters, structure: str) -> Array:
    """Return `predict_proba` of the start."""
    import jax.numpy as jnp

    shares = _model(start, structure).predict_proba(jnp.asarray(x, dtype=jnp.float32))
    return np.asarray(shares)[:, :, 0, 0]


def _model(start: Parameters, structure: str) -> Any:
    import jax.numpy as jnp
    from gmmx import GaussianMixtureModelJax

    full = structure == "full"
    covariances = start.covariances if full else np.array([np.diag(each) for each in start.covariances])
    given = (jnp.asarray(each, dtype=jnp.float32) for each in (start.means, covariances, start.weights))
    return GaussianMixtureModelJax.from_squeezed(*given, "full" if full else "diag")
