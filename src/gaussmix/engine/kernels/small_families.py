"""The M-steps of the fourteen families for small problems, compiled.

`covariance.estimation` is the specification. Iterated families (VEI, VEE, VEV, EVE, VVE) alternate until a step
changes nothing to speak of; every step raises the expected log-likelihood, so EM stays monotone. Everything is
written in scalar loops: for matrices of this size they are as fast as array expressions, and they compile in a tenth of
the time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gaussmix._linalg import Array

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_ITERATIONS = 60
_SETTLED = 1e-13
_SWEEPS = 12
_STILL = 1e-7  # radians: the criterion is flat to rounding there
_LARGEST_TURN = 0.4
_NEWTON_STEPS = 3
_HALVINGS = 12

IDENTITY, EQUAL, VARIABLE = 0, 1, 2
"""Codes of the letters I, E and V."""


@njit(**_OPTIONS)
def estimate(
    volume: int, shape: int, orientation: int, mass: Array, scatters: Array, factors: Array, axes: Array
) -> bool:
    """Replace `factors` (K, D, D) by those of the family's covariances for `scatters` (K, D, D).

    `axes` (D, D) holds the common orientation of EVE and VVE between calls; the scatters are overwritten. Say
    whether it went well.
    """
    n_components, n_features = scatters.shape[:2]
    if shape == EQUAL and orientation == EQUAL:
        _one_matrix(volume, mass, scatters)
    elif shape == VARIABLE and orientation == VARIABLE:
        if not _own_matrices(volume, mass, scatters, factors):
            return False
    else:
        spreads = np.empty((n_components, n_features))
        if orientation == EQUAL:
            _common_axes(volume, mass, scatters, axes)
        own = np.empty((n_components, n_features, n_features))
        for k in range(n_components):
            if orientation == VARIABLE:
                jacobi(scatters[k], own[k])
                _sort_descending(scatters[k], own[k])
            for i in range(n_features):
                spreads[k, i] = scatters[k, i, i]
        _variances(volume, shape, mass, spreads)
        for k in range(n_components):
            if orientation == IDENTITY:
                _compose_parallel(spreads[k], scatters[k])
            else:
                _compose(axes if orientation == EQUAL else own[k], spreads[k], scatters[k])
    for k in range(n_components):
        if not cholesky(scatters[k], factors[k]):
            return False
    return True


@njit(**_OPTIONS)
def _sum(values: Array) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


@njit(**_OPTIONS)
def _geometric_mean(values: Array) -> float:
    logs = 0.0
    for value in values:
        logs += np.log(value)
    return np.exp(logs / values.shape[0])


@njit(**_OPTIONS)
def _scale(values: Array, factor: float) -> None:
    for i in range(values.shape[0]):
        values[i] *= factor


@njit(**_OPTIONS)
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


@njit(**_OPTIONS)
def _spheres(volume: int, mass: Array, spreads: Array) -> None:
    n_components, n_features = spreads.shape
    pooled = 0.0
    for k in range(n_components):
        trace = _sum(spreads[k])
        pooled += trace
        for i in range(n_features):
            spreads[k, i] = trace / (n_features * mass[k])
    if volume == EQUAL:
        pooled /= n_features * _sum(mass)
        for k in range(n_components):
            for i in range(n_features):
                spreads[k, i] = pooled


@njit(**_OPTIONS)
def _own_shapes(volume: int, mass: Array, spreads: Array) -> None:
    size = 0.0
    for k in range(spreads.shape[0]):
        own = mass[k] if volume == VARIABLE else _geometric_mean(spreads[k])
        size += own
        _scale(spreads[k], 1.0 / own)
    if volume == EQUAL:
        for k in range(spreads.shape[0]):
            _scale(spreads[k], size / _sum(mass))


@njit(**_OPTIONS)
def _one_shape(mass: Array, spreads: Array) -> None:
    total = _sum(mass)
    for i in range(spreads.shape[1]):
        pooled = 0.0
        for k in range(spreads.shape[0]):
            pooled += spreads[k, i]
        for k in range(spreads.shape[0]):
            spreads[k, i] = pooled / total


@njit(**_OPTIONS)
def _volumes(mass: Array, spreads: Array) -> None:
    """Variable volumes, one shape: alternate between the two until neither moves."""
    n_components, n_features = spreads.shape
    volumes = np.empty(n_components)
    shape = np.empty(n_features)
    for k in range(n_components):
        volumes[k] = _sum(spreads[k]) / (n_features * mass[k])
    for _ in range(_ITERATIONS):
        for i in range(n_features):
            shape[i] = 0.0
            for k in range(n_components):
                shape[i] += spreads[k, i] / volumes[k]
        _scale(shape, 1.0 / _geometric_mean(shape))
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


@njit(**_OPTIONS)
def _one_matrix(volume: int, mass: Array, scatters: Array) -> None:
    """EEE, and VEE by alternating between volumes and the common matrix."""
    n_components, n_features = scatters.shape[:2]
    volumes = np.empty(n_components)
    common = np.empty((n_features, n_features))
    lower = np.empty((n_features, n_features))
    inverse = np.empty((n_features, n_features))
    size = 1.0
    for k in range(n_components):
        volumes[k] = 1.0 / _sum(mass) if volume == EQUAL else _trace(scatters[k]) / (n_features * mass[k])
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
        size = _size(lower)
        invert(lower, inverse)
        moved = 0.0
        for k in range(n_components):
            fresh = size * _whitened_trace(inverse, scatters[k]) / (n_features * mass[k])
            moved = max(moved, abs(fresh - volumes[k]) / fresh)
            volumes[k] = fresh
        if moved < _SETTLED:
            break
    for k in range(n_components):
        factor = 1.0 if volume == EQUAL else volumes[k] / size
        for i in range(n_features):
            for j in range(n_features):
                scatters[k, i, j] = common[i, j] * factor


@njit(**_OPTIONS)
def _trace(matrix: Array) -> float:
    trace = 0.0
    for i in range(matrix.shape[0]):
        trace += matrix[i, i]
    return trace


@njit(**_OPTIONS)
def _size(lower: Array) -> float:
    """|L L'|^(1/D)."""
    logs = 0.0
    for i in range(lower.shape[0]):
        logs += np.log(lower[i, i])
    return np.exp(2.0 * logs / lower.shape[0])


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
def _own_matrices(volume: int, mass: Array, scatters: Array, lower: Array) -> bool:
    """VVV, and EVV with its common volume."""
    size = 0.0
    for k in range(mass.shape[0]):
        own = mass[k]
        if volume == EQUAL:
            if not cholesky(scatters[k], lower[k]):
                return False
            own = _size(lower[k])
        size += own
        for i in range(scatters.shape[1]):
            _scale(scatters[k, i], 1.0 / own)
    if volume == EQUAL:
        size /= _sum(mass)
        for k in range(mass.shape[0]):
            for i in range(scatters.shape[1]):
                _scale(scatters[k, i], size)
    return True


# The common orientation of EVE and VVE


@njit(**_OPTIONS)
def _common_axes(volume: int, mass: Array, scatters: Array, axes: Array) -> None:
    """Turn `axes`, and the scatters into them, plane by plane until no turn raises the likelihood.

    The criteria are those of `covariance.orientation`.
    """
    n_components, n_features = scatters.shape[:2]
    work = np.empty((n_features, n_features))
    weights = np.empty(n_components)
    for k in range(n_components):
        _turn(axes, scatters[k], work)
    for _ in range(_SWEEPS):
        largest = 0.0
        for i in range(n_features - 1):
            for j in range(i + 1, n_features):
                _plane_weights(volume, scatters, mass, i, j, weights)
                angle = _best_angle(volume, scatters, weights, i, j)
                largest = max(largest, abs(angle))
                if angle != 0.0:
                    cosine, sine = np.cos(angle), np.sin(angle)
                    for k in range(n_components):
                        _rotate(scatters[k], i, j, cosine, sine)
                    _rotate_columns(axes, i, j, cosine, sine)
        if largest < _STILL:
            break


@njit(**_OPTIONS)
def _turn(axes: Array, matrix: Array, work: Array) -> None:
    """Replace M by axes' M axes."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(d):
            work[i, j] = 0.0
            for m in range(d):
                work[i, j] += matrix[i, m] * axes[m, j]
    for i in range(d):
        for j in range(d):
            matrix[i, j] = 0.0
            for m in range(d):
                matrix[i, j] += axes[m, i] * work[m, j]


@njit(**_OPTIONS)
def _plane_weights(volume: int, turned: Array, mass: Array, i: int, j: int, weights: Array) -> None:
    """What each component's two variances in a plane count for: its mass (VVE), or the rest of its volume (EVE)."""
    n_features = turned.shape[1]
    for k in range(turned.shape[0]):
        weights[k] = mass[k]
        if volume == EQUAL:
            logs = 0.0
            for m in range(n_features):
                if m != i and m != j:
                    logs += np.log(turned[k, m, m])
            weights[k] = np.exp(logs / n_features)


@njit(**_OPTIONS)
def _plane(
    volume: int, turned: Array, weights: Array, i: int, j: int, angle: float
) -> tuple[float, float, float]:
    """What a turn in one plane leaves of the criterion to minimise, and its first two derivatives by the angle."""
    n_features = turned.shape[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    value, slope, curvature = 0.0, 0.0, 0.0
    for k in range(turned.shape[0]):
        a, b, d = turned[k, i, i], turned[k, i, j], turned[k, j, j]
        first = cosine * cosine * a + 2.0 * cosine * sine * b + sine * sine * d
        second = sine * sine * a - 2.0 * cosine * sine * b + cosine * cosine * d
        cross = (cosine * cosine - sine * sine) * b + cosine * sine * (d - a)
        difference = 1.0 / first - 1.0 / second
        one = 2.0 * cross * difference
        two = 2.0 * (second - first) * difference
        two -= 4.0 * cross * cross * (1.0 / (first * first) + 1.0 / (second * second))
        logs = np.log(first * second)
        if volume == VARIABLE:
            value += weights[k] * logs
            slope += weights[k] * one
            curvature += weights[k] * two
        else:
            size = weights[k] * np.exp(logs / n_features)
            value += size
            slope += size * one / n_features
            curvature += size * (two + one * one / n_features) / n_features
    return value, slope, curvature


@njit(**_OPTIONS)
def _best_angle(volume: int, turned: Array, weights: Array, i: int, j: int) -> float:
    """Return the turn in one plane by safeguarded Newton steps from no turn at all; 0 where none helps."""
    angle = 0.0
    value, slope, curvature = _plane(volume, turned, weights, i, j, 0.0)
    for _ in range(_NEWTON_STEPS):
        if slope == 0.0:
            break
        step = -slope / curvature if curvature > 0.0 else -np.sign(slope) * _LARGEST_TURN
        step = max(-_LARGEST_TURN, min(_LARGEST_TURN, step))
        better = False
        for _ in range(_HALVINGS):
            fresh, fresh_slope, fresh_curvature = _plane(volume, turned, weights, i, j, angle + step)
            if fresh < value:
                better = True
                break
            step *= 0.25
        if not better:
            break
        angle += step
        value, slope, curvature = fresh, fresh_slope, fresh_curvature
        if abs(step) < _STILL:
            break
    return angle


@njit(**_OPTIONS)
def common_axes_of(factors: Array, axes: Array) -> None:
    """Find the orientation (D, D) that diagonalises all of L_k L_k', which are known to share one."""
    n_components, n_features = factors.shape[:2]
    matrices = np.empty((n_components, n_features, n_features))
    ones = np.ones(n_components)
    for k in range(n_components):
        for i in range(n_features):
            for j in range(n_features):
                matrices[k, i, j] = 0.0
                for m in range(min(i, j) + 1):
                    matrices[k, i, j] += factors[k, i, m] * factors[k, j, m]
    _identity(axes)
    _common_axes(VARIABLE, ones, matrices, axes)


# Small symmetric matrices


@njit(**_OPTIONS)
def _identity(matrix: Array) -> None:
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[0]):
            matrix[i, j] = 1.0 if i == j else 0.0


@njit(**_OPTIONS)
def _compose_parallel(variances: Array, out: Array) -> None:
    _identity(out)
    for i in range(out.shape[0]):
        out[i, i] = variances[i]


@njit(**_OPTIONS)
def _sort_descending(diagonal: Array, vectors: Array) -> None:
    """Order the diagonal, and the columns of `vectors` with it, largest first."""
    d = diagonal.shape[0]
    for i in range(d):
        best = i
        for j in range(i + 1, d):
            if diagonal[j, j] > diagonal[best, best]:
                best = j
        if best != i:
            diagonal[i, i], diagonal[best, best] = diagonal[best, best], diagonal[i, i]
            for m in range(d):
                vectors[m, i], vectors[m, best] = vectors[m, best], vectors[m, i]


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
    _identity(vectors)
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
