"""Whether a mixture of a small problem is beyond suspicion, compiled; at others `fitting.degeneracy` looks."""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import Unit, inner
from gaussmix.engine.kernels.small_matrices import invert, whitened_trace

_SIGNATURE = boolean(
    *(float64[::1], float64[:, :, ::1], float64[::1], float64[::1]),
    *(float64[::1], float64[::1], float64, float64),
    *(int64, float64, float64),
)


def _sane(
    weights: Array,
    factors: Array,
    mass: Array,
    kish: Array,
    floors: Array,
    reference: Array,
    strength: float,
    largest_share: float,
    least: int,
    few: float,
    out_of_line: float,
) -> bool:
    """Say whether no component can be degenerate; where that is False, one may be.

    Parameters
    ----------
    weights, factors : arrays (K,), (K, D, D)
        Of the mixture.
    mass, kish : arrays (K,)
        Rows' worth of weight in each component, and sums of squared responsibilities.
    floors : array (D,)
        Variances below which a component is too narrow.
    reference, strength, largest_share : array (D,), float, float
        Of the pseudo-observations, and the share of a component's scatter that they may supply.
    least, few, out_of_line : int, float, float
        Rows that a component needs more than; up to how many its covariance may be a coincidence, and by which ratio of
        variances.
    """
    n_components, n_features = factors.shape[:2]
    pooled = np.zeros((n_features, n_features))
    scarce = False
    for k in range(n_components):
        rows = mass[k] * mass[k] / kish[k]
        if not rows > least:
            return False
        scarce = scarce or rows <= few
        if not _spread_enough(factors[k], floors, reference, strength / (largest_share * mass[k])):
            return False
    if not scarce or n_components == 1:
        return True
    for k in range(n_components):
        _add_product(factors[k], weights[k], pooled)
    inverse = np.empty((n_features, n_features))
    for k in range(n_components):
        if mass[k] * mass[k] / kish[k] <= few:
            invert(factors[k], inverse)
            # No eigenvalue is above the sum of all.
            if not whitened_trace(inverse, pooled) <= out_of_line:
                return False
    return True


sane = Unit(_sane, _SIGNATURE)


@inner
def _spread_enough(lower: Array, floors: Array, reference: Array, needed: float) -> bool:
    """Whether all variances are above the floors, and all eigenvalues relative to the reference above what is needed.

    The least eigenvalue is bounded from below as in `PseudoObservations.supplies_less`.
    """
    d = lower.shape[0]
    ratios, logs = 0.0, 0.0
    for i in range(d):
        variance = 0.0
        for j in range(i + 1):
            variance += lower[i, j] * lower[i, j]
        if not variance >= floors[i]:
            return False
        ratios += variance / reference[i]
        logs += np.log(lower[i, i] * lower[i, i] / reference[i])
    if d > 1:
        logs -= (d - 1) * np.log(ratios / (d - 1))
    return np.exp(logs) > needed


@inner
def _add_product(lower: Array, weight: float, out: Array) -> None:
    """Add weight L L'."""
    for i in range(lower.shape[0]):
        for j in range(lower.shape[0]):
            for m in range(min(i, j) + 1):
                out[i, j] += weight * lower[i, m] * lower[j, m]
