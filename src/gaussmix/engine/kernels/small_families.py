"""The M-steps of the fourteen families for small problems, compiled.

`covariance.estimation` is the specification. The iterated families (VEI, VEE, VEV, EVE, VVE) are warm-started by the last pass
and, within one pass, iterated until a step changes nothing to speak of; every step raises the expected
log-likelihood, so EM stays monotone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gaussmix._linalg import Array

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_ITERATIONS = 60
_SETTLED = 1e-13
_SWEEPS = 12

IDENTITY, EQUAL, VARIABLE = 0, 1, 2
"""Codes of the letters I, E and V."""


@njit(**_OPTIONS)
def estimate(
    volume: int, shape: int, orientation: int, mass: Array, scatters: Array, factors: Array, axes: Array
) -> bool:
    """Replace `factors` (K, D, D) by those of the family's covariances for `scatters` (K, D, D).

    `axes` (D, D) holds the common orientation of EVE and VVE between calls. Say whether it went well.
    """
    n_components, n_features = scatters.shape[:2]
    matrices = np.empty_like(scatters)
    if orientation == IDENTITY:
        spreads = np.empty((n_components, n_features))
        for k in range(n_components):
            for i in range(n_features):
                spreads[k, i] = scatters[k, i, i]
        _variances(volume, shape, mass, spreads)
        for k in range(n_components):
            factors[k] = 0.0
            for i in range(n_features):
                if not spreads[k, i] > 0.0:
                    return False
                factors[k, i, i] = np.sqrt(spreads[k, i])
        return True
    if shape == EQUAL and orientation == EQUAL:
        _one_matrix(volume, mass, scatters, matrices)
    elif shape == VARIABLE and orientation == VARIABLE:
        if not _own_matrices(volume, mass, scatters, matrices):
            return False
    elif orientation == EQUAL:
        _common_axes(volume, mass, scatters, axes)
        spreads = np.empty((n_components, n_features))
        for k in range(n_components):
            spreads[k] = _diagonal_in(scatters[k], axes)
        _variances(volume, shape, mass, spreads)
        for k in range(n_components):
            _compose(axes, spreads[k], matrices[k])
    else:
        spreads = np.empty((n_components, n_features))
        own = np.empty_like(scatters)
        for k in range(n_components):
            matrices[k] = scatters[k]
            jacobi(matrices[k], own[k])
            order = np.argsort(-np.diag(matrices[k]))
            own[k] = own[k][:, order]
            spreads[k] = np.diag(matrices[k])[order]
        _variances(volume, shape, mass, spreads)
        for k in range(n_components):
            _compose(own[k], spreads[k], matrices[k])
    for k in range(n_components):
        if not cholesky(matrices[k], factors[k]):
            return False
    return True


@njit(**_OPTIONS)
def _variances(volume: int, shape: int, mass: Array, spreads: Array) -> None:
    """Replace scatters along axes (K, D) by variances, for a given pair of letters."""
    n_components, n_features = spreads.shape
    total = mass.sum()
    if shape == IDENTITY:
        pooled = spreads.sum() / (n_features * total)
        for k in range(n_components):
            spreads[k] = pooled if volume == EQUAL else spreads[k].sum() / (n_features * mass[k])
    elif shape == EQUAL and volume == EQUAL:
        pooled_axes = spreads.sum(axis=0) / total
        for k in range(n_components):
            spreads[k] = pooled_axes
    elif shape == VARIABLE and volume == VARIABLE:
        for k in range(n_components):
            spreads[k] /= mass[k]
    elif shape == VARIABLE:
        size = 0.0
        for k in range(n_components):
            own = np.exp(np.log(spreads[k]).mean())
            spreads[k] /= own
            size += own
        spreads *= size / total
    else:
        _volumes(mass, spreads)


@njit(**_OPTIONS)
def _volumes(mass: Array, spreads: Array) -> None:
    """Variable volumes, one shape: alternate between the two until neither moves."""
    n_components, n_features = spreads.shape
    volumes = spreads.sum(axis=1) / (n_features * mass)
    shape = np.empty(n_features)
    for _ in range(_ITERATIONS):
        shape[:] = 0.0
        for k in range(n_components):
            shape += spreads[k] / volumes[k]
        shape /= np.exp(np.log(shape).mean())
        moved = 0.0
        for k in range(n_components):
            fresh = (spreads[k] / shape).sum() / (n_features * mass[k])
            moved = max(moved, abs(fresh - volumes[k]) / fresh)
            volumes[k] = fresh
        if moved < _SETTLED:
            break
    for k in range(n_components):
        spreads[k] = volumes[k] * shape


@njit(**_OPTIONS)
def _one_matrix(volume: int, mass: Array, scatters: Array, matrices: Array) -> None:
    """EEE, and VEE by alternating between volumes and the common matrix."""
    n_components, n_features = scatters.shape[:2]
    if volume == EQUAL:
        pooled = scatters.sum(axis=0) / mass.sum()
        for k in range(n_components):
            matrices[k] = pooled
        return
    volumes = np.empty(n_components)
    for k in range(n_components):
        volumes[k] = np.trace(scatters[k]) / (n_features * mass[k])
    common = np.empty((n_features, n_features))
    lower = np.empty((n_features, n_features))
    inverse = np.empty((n_features, n_features))
    for _ in range(_ITERATIONS):
        common[:] = 0.0
        for k in range(n_components):
            common += scatters[k] / volumes[k]
        cholesky(common, lower)
        size = np.exp(2.0 * np.log(np.diag(lower)).mean())
        invert(lower, inverse)
        moved = 0.0
        for k in range(n_components):
            fresh = size * _whitened_trace(inverse, scatters[k]) / (n_features * mass[k])
            moved = max(moved, abs(fresh - volumes[k]) / fresh)
            volumes[k] = fresh
        if moved < _SETTLED:
            break
    for k in range(n_components):
        matrices[k] = common * (volumes[k] / size)


@njit(**_OPTIONS)
def _whitened_trace(inverse: Array, scatter: Array) -> float:
    """tr(L^-1 W L^-T)."""
    d = scatter.shape[0]
    trace = 0.0
    for i in range(d):
        for j in range(i + 1):
            partial = 0.0
            for m in range(i + 1):
                partial += inverse[i, m] * scatter[m, j]
            trace += partial * inverse[i, j]
    return trace


@njit(**_OPTIONS)
def _own_matrices(volume: int, mass: Array, scatters: Array, matrices: Array) -> bool:
    """VVV, and EVV with its common volume."""
    n_components, n_features = scatters.shape[:2]
    if volume == VARIABLE:
        for k in range(n_components):
            matrices[k] = scatters[k] / mass[k]
        return True
    lower = np.empty((n_features, n_features))
    size = 0.0
    for k in range(n_components):
        if not cholesky(scatters[k], lower):
            return False
        own = np.exp(2.0 * np.log(np.diag(lower)).mean())
        matrices[k] = scatters[k] / own
        size += own
    matrices *= size / mass.sum()
    return True


# The common orientation of EVE and VVE


@njit(**_OPTIONS)
def _common_axes(volume: int, mass: Array, scatters: Array, axes: Array) -> None:
    """Turn `axes` plane by plane until no turn raises the likelihood; both criteria of `covariance.orientation`."""
    n_components, n_features = scatters.shape[:2]
    turned = np.empty_like(scatters)
    sizes = np.empty(n_components)
    for k in range(n_components):
        turned[k] = axes.T @ scatters[k] @ axes
        sizes[k] = mass[k]
    for _ in range(_SWEEPS):
        largest = 0.0
        for i in range(n_features - 1):
            for j in range(i + 1, n_features):
                angle = _best_angle(volume, turned, sizes, i, j)
                largest = max(largest, abs(angle))
                if angle != 0.0:
                    cosine, sine = np.cos(angle), np.sin(angle)
                    for k in range(n_components):
                        _rotate(turned[k], i, j, cosine, sine)
                    _rotate_columns(axes, i, j, cosine, sine)
        if largest < 1e-9:
            break


@njit(**_OPTIONS)
def _plane_value(volume: int, turned: Array, sizes: Array, i: int, j: int, cosine: float, sine: float) -> float:
    """What a turn in one plane leaves of the criterion to minimise, up to constants."""
    n_features = turned.shape[1]
    value = 0.0
    for k in range(turned.shape[0]):
        a, b, d = turned[k, i, i], turned[k, i, j], turned[k, j, j]
        first = cosine * cosine * a + 2.0 * cosine * sine * b + sine * sine * d
        second = sine * sine * a - 2.0 * cosine * sine * b + cosine * cosine * d
        logs = np.log(first) + np.log(second)
        if volume == VARIABLE:
            value += sizes[k] * logs
        else:
            for m in range(n_features):
                if m not in (i, j):
                    logs += np.log(turned[k, m, m])
            value += np.exp(logs / n_features)
    return value


@njit(**_OPTIONS)
def _best_angle(volume: int, turned: Array, sizes: Array, i: int, j: int) -> float:
    """Return the turn in one plane by safeguarded Newton steps from no turn at all; 0 where none helps."""
    angle = 0.0
    value = _plane_value(volume, turned, sizes, i, j, 1.0, 0.0)
    for _ in range(8):
        slope, curvature = _plane_slope(volume, turned, sizes, i, j, np.cos(angle), np.sin(angle))
        if slope == 0.0:
            break
        step = -slope / curvature if curvature > 0.0 else -np.sign(slope) * 0.3
        step = max(-0.4, min(0.4, step))
        better = False
        for _ in range(12):
            fresh = _plane_value(volume, turned, sizes, i, j, np.cos(angle + step), np.sin(angle + step))
            if fresh < value:
                better = True
                break
            step *= 0.25
        if not better:
            break
        angle += step
        value = fresh
        if abs(step) < 1e-9:
            break
    return angle


@njit(**_OPTIONS)
def _plane_slope(
    volume: int, turned: Array, sizes: Array, i: int, j: int, cosine: float, sine: float
) -> tuple[float, float]:
    """First and second derivative by the angle of `_plane_value`."""
    n_features = turned.shape[1]
    slope, curvature = 0.0, 0.0
    for k in range(turned.shape[0]):
        a, b, d = turned[k, i, i], turned[k, i, j], turned[k, j, j]
        first = cosine * cosine * a + 2.0 * cosine * sine * b + sine * sine * d
        second = sine * sine * a - 2.0 * cosine * sine * b + cosine * cosine * d
        cross = (cosine * cosine - sine * sine) * b + cosine * sine * (d - a)
        gap = second - first
        one = 2.0 * cross * (1.0 / first - 1.0 / second)
        two = 2.0 * gap * (1.0 / first - 1.0 / second) - 4.0 * cross * cross * (
            1.0 / (first * first) + 1.0 / (second * second)
        )
        if volume == VARIABLE:
            slope += sizes[k] * one
            curvature += sizes[k] * two
        else:
            logs = np.log(first) + np.log(second)
            for m in range(n_features):
                if m not in (i, j):
                    logs += np.log(turned[k, m, m])
            size = np.exp(logs / n_features)
            slope += size * one / n_features
            curvature += size * (two / n_features + one * one / (n_features * n_features))
    return slope, curvature


@njit(**_OPTIONS)
def common_axes_of(factors: Array, axes: Array) -> None:
    """Find the orientation (D, D) that diagonalises all of L_k L_k', which are known to share one."""
    n_components, n_features = factors.shape[:2]
    matrices = np.empty_like(factors)
    for k in range(n_components):
        matrices[k] = factors[k] @ factors[k].T
        matrices[k] /= np.trace(matrices[k])
    axes[:] = np.eye(n_features)
    _common_axes(VARIABLE, np.ones(n_components), matrices, axes)


# Small symmetric matrices


@njit(**_OPTIONS)
def _diagonal_in(scatter: Array, axes: Array) -> Array:
    """d_j' W d_j for the columns d_j of `axes`."""
    product = scatter @ axes
    return (axes * product).sum(axis=0)


@njit(**_OPTIONS)
def _compose(axes: Array, variances: Array, out: Array) -> None:
    """Axes diag(variances) axes'."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(i + 1):
            value = 0.0
            for m in range(d):
                value += axes[i, m] * variances[m] * axes[j, m]
            out[i, j] = value
            out[j, i] = value


@njit(**_OPTIONS)
def _rotate(matrix: Array, i: int, j: int, cosine: float, sine: float) -> None:
    """J' M J for the turn that takes axis i to cosine i + sine j."""
    _rotate_columns(matrix, i, j, cosine, sine)
    for m in range(matrix.shape[0]):
        first, second = matrix[i, m], matrix[j, m]
        matrix[i, m] = cosine * first + sine * second
        matrix[j, m] = cosine * second - sine * first


@njit(**_OPTIONS)
def _rotate_columns(matrix: Array, i: int, j: int, cosine: float, sine: float) -> None:
    for m in range(matrix.shape[0]):
        first, second = matrix[m, i], matrix[m, j]
        matrix[m, i] = cosine * first + sine * second
        matrix[m, j] = cosine * second - sine * first


@njit(**_OPTIONS)
def jacobi(matrix: Array, vectors: Array) -> None:
    """Diagonalise a symmetric matrix in place by Jacobi's method; its eigenvectors become columns of `vectors`."""
    d = matrix.shape[0]
    vectors[:] = np.eye(d)
    for _ in range(50):
        off = 0.0
        for i in range(d - 1):
            for j in range(i + 1, d):
                off = max(off, abs(matrix[i, j]) / np.sqrt(abs(matrix[i, i] * matrix[j, j]) + 1e-300))
                if matrix[i, j] != 0.0:
                    theta = 0.5 * (matrix[j, j] - matrix[i, i]) / matrix[i, j]
                    tangent = -1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                    if theta < 0.0:
                        tangent = -tangent
                    cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                    sine = tangent * cosine
                    _rotate(matrix, i, j, cosine, sine)
                    _rotate_columns(vectors, i, j, cosine, sine)
        if off < 1e-15:
            break


@njit(**_OPTIONS)
def cholesky(matrix: Array, lower: Array) -> bool:
    """Fill `lower` with the Cholesky factor; say whether the matrix is positive definite."""
    d = matrix.shape[0]
    for i in range(d):
        for j in range(i + 1):
            value = matrix[i, j]
            for m in range(j):
                value -= lower[i, m] * lower[j, m]
            if i == j:
                if not (value > 0.0 and np.isfinite(value)):
                    return False
                lower[i, i] = np.sqrt(value)
            else:
                lower[i, j] = value / lower[j, j]
        for j in range(i + 1, d):
            lower[i, j] = 0.0
    return True


@njit(**_OPTIONS)
def invert(lower: Array, inverse: Array) -> None:
    """Fill `inverse` with the inverse of a lower triangular matrix."""
    d = lower.shape[0]
    for i in range(d):
        for j in range(d):
            inverse[i, j] = 0.0
        for j in range(i + 1):
            value = 1.0 if i == j else 0.0
            for m in range(j, i):
                value -= lower[i, m] * inverse[m, j]
            inverse[i, j] = value / lower[i, i]
