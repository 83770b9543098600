"""Which features make a row improbable: the shares of its squared Mahalanobis distance that go to each feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussmix import _validation
from gaussmix._linalg import Array
from gaussmix.mixture.mixture import Mixture


def improbability_shares(mixture: Mixture, x: Any) -> Array:
    """Return each feature's share (N, D) of the improbability of every row; the shares of a row sum to 1.

    For one Gaussian with standard deviations s and correlations C, the deviations of a row, u = C^-1/2 ((x - mean) / s)
    with the symmetric root, satisfy u'u = the squared Mahalanobis distance; each u_j is as close to its own feature as
    uncorrelated deviations can be, and neither units nor the order of the features play a part (Garthwaite & Koch 2016,
    "Evaluating the contributions of individual variables to a quadratic form", Aust. N. Z. J. Stat. 58). The
    share of feature j is u_j^2 / u'u; in a mixture sum_k r_k u_kj^2 over sum_k r_k u_k'u_k, r being the row's
    responsibilities. A row at a mean has nothing to explain: equal shares.

    Parameters
    ----------
    mixture : Mixture
        The model.
    x : array (N, D) or dataframe
        Rows in data units; a dataframe's columns are matched by name.
    """
    rows = _validation.rows(x, mixture.n_features, mixture.feature_names)
    z, r = mixture.coordinates.inward(rows), mixture.responsibilities(rows)
    roots = _inverse_roots(mixture)
    deviations = np.sqrt(np.broadcast_to(mixture.spread.variances(), mixture.centres.shape))
    parts = np.zeros_like(z)
    # Squares of deviations beyond 1e154 would overflow: each row is measured in units of its largest one.
    unit = np.zeros((len(z), 1))
    whites: list[Array] = []
    for k in range(mixture.n_components):
        white = ((z - mixture.centres[k]) / deviations[k]) @ roots[mixture.spread.group(k)]
        white *= np.sqrt(r[:, k, None])
        whites.append(white)
        unit = np.maximum(unit, np.abs(white).max(axis=1, keepdims=True))
    unit[unit == 0.0] = 1.0
    for white in whites:
        parts += np.square(white / unit)
    total = parts.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, parts / np.where(total > 0.0, total, 1.0), 1.0 / mixture.n_features)


def _inverse_roots(mixture: Mixture) -> Array:
    """Return the symmetric roots (G, D, D) of the inverse correlation matrices, from the factors of the covariances."""
    factors = mixture.spread.triangles()
    factors = factors / np.sqrt(np.square(factors).sum(axis=2, keepdims=True))
    left, singular, _ = np.linalg.svd(factors)
    return (left / singular[:, None, :]) @ np.swapaxes(left, 1, 2)
