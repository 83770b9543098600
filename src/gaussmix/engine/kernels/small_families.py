"""The M-steps of the fourteen families for small problems, compiled in four units by what they share.

`covariance.estimation` is the specification. Iterated families (VEI, VEE, VEV) alternate until a step changes nothing
to speak of; common axes (EVE, VVE) are turned a little at every pass (generalised EM, Dempster, Laird & Rubin 1977),
and have come to rest when EM has. Every step raises the expected log-likelihood, so EM stays monotone. Everything is
written in scalar loops: for matrices of this size they are as fast as array expressions, and they compile in a tenth of
the time.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import Unit, inner
from gaussmix.engine.kernels.small_axes import EQUAL, VARIABLE, common_axes_of, turn_axes
from gaussmix.engine.kernels.small_matrices import (
    cholesky,
    compose,
    geometric_mean,
    invert,
    jacobi,
    scale,
    size_of,
    sort_descending,
    sum_of,
    trace_of,
    whitened_trace,
)

_ITERATIONS = 60
_SETTLED = 1e-13
_SWEEPS = 3  # over the planes of common axes in one M-step; the next pass goes on from there

IDENTITY = 0
"""Code of the letter I."""

SIGNATURE = boolean(int64, int64, float64[::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1])
"""Of every unit: codes of volume and shape; masses (K,), scatters (K, D, D), factors (K, D, D), axes (D, D).

The factors of the previous covariances are replaced by those of the family's covariances for the scatters, which are
overwritten; `axes` holds the common orientation of EVE and VVE between calls, NaN where it is not known yet. They
return whether it went well.
"""


def estimate(shape: int, orientation: int) -> Unit:
    """Return the unit for families with these letters."""
    if orientation == IDENTITY:
        return _along_features
    if shape == orientation:
        return _matrices
    return _along_own_axes if orientation == VARIABLE else _along_common_axes


def _fill_along_features(volume: int, shape: int, mass: Array, scatters: Array, factors: Array, _axes: Array) -> bool:
    """EII, VII, EEI, VEI, EVI and VVI."""
    n_components, n_features = scatters.shape[:2]
    spreads = np.empty((n_components, n_features))
    for k in range(n_components):
        for i in range(n_features):
            spreads[k, i] = scatters[k, i, i]
    _variances(volume, shape, mass, spreads)
    good = True
    for k in range(n_components):
        for i in range(n_features):
            for j in range(n_features):
                factors[k, i, j] = 0.0
            factors[k, i, i] = np.sqrt(spreads[k, i])
            good = good and spreads[k, i] > 0.0 and spreads[k, i] < np.inf
    return good


def _fill_matrices(volume: int, shape: int, mass: Array, scatters: Array, factors: Array, _axes: Array) -> bool:
    """EEE, VEE, EVV and VVV."""
    if shape == EQUAL:
        _one_matrix(volume, mass, scatters)
    elif not _own_matrices(volume, mass, scatters, factors):
        return False
    return _factorize(scatters, factors)


def _fill_along_own_axes(volume: int, _shape: int, mass: Array, scatters: Array, factors: Array, _axes: Array) -> bool:
    """EEV and VEV: one shape along axes of each component's own, which are ordered by length."""
    n_components, n_features = scatters.shape[:2]
    spreads = np.empty((n_components, n_features))
    for k in range(n_components):
        jacobi(scatters[k], factors[k])
        sort_descending(scatters[k], factors[k])
        for i in range(n_features):
            spreads[k, i] = scatters[k, i, i]
    if volume == EQUAL:
        _one_shape(mass, spreads)
    else:
        _volumes(mass, spreads)
    for k in range(n_components):
        compose(factors[k], spreads[k], scatters[k])
    return _factorize(scatters, factors)


def _fill_along_common_axes(
    volume: int, _shape: int, mass: Array, scatters: Array, factors: Array, axes: Array
) -> bool:
    """EVE and VVE: own shapes along axes that all components share."""
    n_components, n_features = scatters.shape[:2]
    spreads = np.empty((n_components, n_features))
    if np.isnan(axes[0, 0]):
        common_axes_of(factors, axes)
    turn_axes(volume, mass, scatters, axes, _SWEEPS)
    for k in range(n_components):
        for i in range(n_features):
            spreads[k, i] = scatters[k, i, i]
    _own_shapes(volume, mass, spreads)
    for k in range(n_components):
        compose(axes, spreads[k], scatters[k])
    return _factorize(scatters, factors)


_along_features = Unit(_fill_along_features, SIGNATURE)
_matrices = Unit(_fill_matrices, SIGNATURE)
_along_own_axes = Unit(_fill_along_own_axes, SIGNATURE)
_along_common_axes = Unit(_fill_along_common_axes, SIGNATURE)


@inner
def _factorize(matrices: Array, factors: Array) -> bool:
    """Fill in the Cholesky factors; say whether all matrices are positive definite."""
    good = True
    for k in range(matrices.shape[0]):
        good = good and cholesky(matrices[k], factors[k])
    return good


@inner
def _variances(volume: int, shape: int, mass: Array, spreads: Array) -> None:
    """Replace scatters along axes (K, D) by variances, for a given pair of letters."""
    if shape == IDENTITY:
        _spheres(volume, mass, spreads)
    elif shape == VARIABLE:
        _own_shapes(volume, mass, spreads)
    elif volume == EQUAL:
        _one_shape(mass, spreads)
    else:
        _volumes(mass, spreads)


@inner
def _spheres(volume: int, mass: Array, spreads: Array) -> None:
    n_components, n_features = spreads.shape
    pooled = 0.0
    for k in range(n_components):
        trace = sum_of(spreads[k])
        pooled += trace
        for i in range(n_features):
            spreads[k, i] = trace / (n_features * mass[k])
    if volume == EQUAL:
        pooled /= n_features * sum_of(mass)
        for k in range(n_components):
            for i in range(n_features):
                spreads[k, i] = pooled


@inner
def _own_shapes(volume: int, mass: Array, spreads: Array) -> None:
    size = 0.0
    for k in range(spreads.shape[0]):
        own = mass[k] if volume == VARIABLE else geometric_mean(spreads[k])
        size += own
        scale(spreads[k], 1.0 / own)
    if volume == EQUAL:
        for k in range(spreads.shape[0]):
            scale(spreads[k], size / sum_of(mass))


@inner
def _one_shape(mass: Array, spreads: Array) -> None:
    total = sum_of(mass)
    for i in range(spreads.shape[1]):
        pooled = 0.0
        for k in range(spreads.shape[0]):
            pooled += spreads[k, i]
        for k in range(spreads.shape[0]):
            spreads[k, i] = pooled / total


@inner
def _volumes(mass: Array, spreads: Array) -> None:
    """Variable volumes, one shape: alternate between the two until neither moves."""
    n_components, n_features = spreads.shape
    volumes = np.empty(n_components)
    shape = np.empty(n_features)
    for k in range(n_components):
        volumes[k] = sum_of(spreads[k]) / (n_features * mass[k])
    for _ in range(_ITERATIONS):
        for i in range(n_features):
            shape[i] = 0.0
            for k in range(n_components):
                shape[i] += spreads[k, i] / volumes[k]
        scale(shape, 1.0 / geometric_mean(shape))
        moved = 0.0
        for k in range(n_components):
            fresh = 0.0
            for i in range(n_features):
                fresh += spreads[k, i] / shape[i]
            fresh /= n_features * mass[k]
            moved = max(moved, abs(fresh - volumes[k]) / fresh)
            volumes[k] = fresh
        if moved < _SETTLED:
            break
    for k in range(n_components):
        for i in range(n_features):
            spreads[k, i] = volumes[k] * shape[i]


@inner
def _one_matrix(volume: int, mass: Array, scatters: Array) -> None:
    """EEE, and VEE by alternating between volumes and the common matrix."""
    n_components, n_features = scatters.shape[:2]
    volumes = np.empty(n_components)
    common = np.empty((n_features, n_features))
    lower = np.empty((n_features, n_features))
    inverse = np.empty((n_features, n_features))
    size = 1.0
    for k in range(n_components):
        volumes[k] = 1.0 / sum_of(mass) if volume == EQUAL else trace_of(scatters[k]) / (n_features * mass[k])
    for _ in range(_ITERATIONS):
        for i in range(n_features):
            for j in range(n_features):
                common[i, j] = 0.0
                for k in range(n_components):
                    common[i, j] += (
                        scatters[k, i, j] * volumes[k] if volume == EQUAL else scatters[k, i, j] / volumes[k]
                    )
        if volume == EQUAL or not cholesky(common, lower):
            break
        size = size_of(lower)
        invert(lower, inverse)
        moved = 0.0
        for k in range(n_components):
            fresh = size * whitened_trace(inverse, scatters[k]) / (n_features * mass[k])
            moved = max(moved, abs(fresh - volumes[k]) / fresh)
            volumes[k] = fresh
        if moved < _SETTLED:
            break
    for k in range(n_components):
        factor = 1.0 if volume == EQUAL else volumes[k] / size
        for i in range(n_features):
            for j in range(n_features):
                scatters[k, i, j] = common[i, j] * factor


@inner
def _own_matrices(volume: int, mass: Array, scatters: Array, lower: Array) -> bool:
    """VVV, and EVV with its common volume."""
    size = 0.0
    for k in range(mass.shape[0]):
        own = mass[k]
        if volume == EQUAL:
            if not cholesky(scatters[k], lower[k]):
                return False
            own = size_of(lower[k])
        size += own
        for i in range(scatters.shape[1]):
            scale(scatters[k, i], 1.0 / own)
    if volume == EQUAL:
        size /= sum_of(mass)
        for k in range(mass.shape[0]):
            for i in range(scatters.shape[1]):
                scale(scatters[k, i], size)
    return True
