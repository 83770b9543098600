"""How far rows are from components, measured by the components themselves, and how rare such a distance is.

`docs/mathematics.md` has the formulas, under what pictures and reports show.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import LOG_2PI, Array, row_norms
from gaussmix.mixture import Mixture


def squared_distances(mixture: Mixture, x: NDArray[np.floating]) -> Array:
    """Squared Mahalanobis distances (N, K) of rows (N, D) in data units; infinite where they overflow."""
    z = mixture.coordinates.inward(x)
    distances = np.empty((len(z), mixture.n_components))
    for k in range(mixture.n_components):
        distances[:, k] = row_norms(mixture.spread.whiten(k, z - mixture.centres[k]))
    with np.errstate(over="ignore"):
        return np.square(distances)


def distances_of_scores(mixture: Mixture, responsibilities: Array, log_prob: Array) -> Array:
    """Squared Mahalanobis distances (N, K) that scores imply; infinite where a responsibility underflowed.

    The log of a responsibility times the density is the component's log density, which differs from half the squared
    distance by a constant.
    """
    constants = np.log(mixture.weights) - 0.5 * mixture.n_features * LOG_2PI - mixture.coordinates.log_jacobian
    constants = constants - 0.5 * mixture.spread.log_determinants()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(responsibilities) + log_prob[:, None]
    logs = np.where(np.isnan(logs), -np.inf, logs)
    return np.maximum(-2.0 * (logs - constants), 0.0)


def residuals(mixture: Mixture, x: NDArray[np.floating], components: NDArray[np.int64]) -> Array:
    """How far every feature of a row is from what its other features lead to expect, in standard deviations (N, D).

    Under component k with precision Q and deviation d that is (Q d)_j / sqrt(Q_jj): the conditional distribution of one
    feature given all others.

    Parameters
    ----------
    mixture : Mixture
    x : array (N, D)
        Rows in data units.
    components : array (N,)
        The component by which each row is measured.
    """
    z = mixture.coordinates.inward(x)
    whiteners = mixture.spread.whiteners()
    found = np.empty_like(z)
    for k in np.unique(components):
        mine = components == k
        inverse = whiteners[mixture.spread.group(int(k))]
        white = mixture.spread.whiten(int(k), z[mine] - mixture.centres[k])
        found[mine] = (white @ inverse) / np.sqrt(np.square(inverse).sum(axis=0))
    return found


def conditional_deviations(mixture: Mixture) -> Array:
    """Standard deviations (K, D) of every feature of a component given all others, in data units."""
    whiteners = mixture.spread.whiteners()
    deviations = mixture.coordinates.scale / np.sqrt(np.square(whiteners).sum(axis=1))
    return np.broadcast_to(deviations, mixture.centres.shape)


def tail(squares: Array, n_features: int) -> Array:
    """Probability that a row of a component is farther from it: the upper tail of chi-square with D degrees."""
    from scipy.special import chdtrc

    return np.asarray(chdtrc(float(n_features), squares))


def quantile(tails: Array, n_features: int) -> Array:
    """Return the squared distances that are exceeded with these probabilities."""
    from scipy.special import chdtri

    return np.asarray(chdtri(float(n_features), tails))
