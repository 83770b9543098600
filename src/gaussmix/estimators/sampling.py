"""Rows drawn from a mixture as scikit-learn draws them: the same random state gives the same rows."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.estimators.parameters import shape_of
from gaussmix.mixture import Mixture


def draw(
    mixture: Mixture, covariance_type: str, n_samples: int, random_state: RandomState
) -> tuple[Array, NDArray[np.int64]]:
    """Return rows (N, D), component by component, and the components (N,) that they came from."""
    counts = random_state.multinomial(n_samples, mixture.weights)
    size = mixture.n_features
    if shape_of(covariance_type) in ("diag", "spherical"):
        scales = mixture.standard_deviations
        drawn = [
            mean + random_state.standard_normal(size=(n, size)) * scale
            for n, mean, scale in zip(counts, mixture.means, scales, strict=True)
        ]
    else:
        drawn = [
            random_state.multivariate_normal(mean, covariance, int(n))
            for n, mean, covariance in zip(counts, mixture.means, mixture.covariances, strict=True)
        ]
    return np.vstack(drawn), np.repeat(np.arange(mixture.n_components), counts)
