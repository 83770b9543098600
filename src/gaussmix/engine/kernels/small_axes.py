"""The common orientation of EVE and VVE for small problems, compiled.

The criteria are those of `covariance.orientation`.
"""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner
from gaussmix.engine.kernels.small_matrices import fill_identity, rotate, rotate_columns, turn

_SWEEPS = 12

_STILL = 1e-8  # radians
_SURE = 1e-4  # radians: so near an optimum the criterion is too flat to tell, and Newton's steps need no check
_LARGEST_TURN = 0.4
_NEWTON_STEPS = 3
_HALVINGS = 12

EQUAL, VARIABLE = 1, 2
"""Codes of the letters E and V."""


@inner
def turn_axes(volume: int, mass: Array, scatters: Array, axes: Array, sweeps: int) -> None:
    """Turn `axes`, and the scatters into them, plane by plane until no turn raises the likelihood; for a few sweeps.

    None of them lowers it.
    """
    n_components, n_features = scatters.shape[:2]
    work = np.empty((n_features, n_features))
    weights = mass.copy()
    for k in range(n_components):
        turn(axes, scatters[k], work)
    for _ in range(sweeps):
        largest = 0.0
        if volume == EQUAL:
            _fill_sizes(scatters, weights)
        for i in range(n_features - 1):
            for j in range(i + 1, n_features):
                angle = _best_angle(volume, scatters, weights, i, j)
                largest = max(largest, abs(angle))
                if angle != 0.0:
                    _turn_plane(volume, scatters, weights, i, j, angle)
                    rotate_columns(axes, i, j, np.cos(angle), np.sin(angle))
        if largest < _STILL:
            break


@inner
def _fill_sizes(turned: Array, sizes: Array) -> None:
    """What EVE makes as small as it can: of each component, the geometric mean of its variances along the axes."""
    n_features = turned.shape[1]
    for k in range(turned.shape[0]):
        logs = 0.0
        for m in range(n_features):
            logs += np.log(turned[k, m, m])
        sizes[k] = np.exp(logs / n_features)


@inner
def _turn_plane(volume: int, turned: Array, weights: Array, i: int, j: int, angle: float) -> None:
    """Turn all scatters in one plane, and keep the sizes up."""
    n_features = turned.shape[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    for k in range(turned.shape[0]):
        before = turned[k, i, i] * turned[k, j, j]
        rotate(turned[k], i, j, cosine, sine)
        if volume == EQUAL:
            weights[k] *= np.exp(np.log(turned[k, i, i] * turned[k, j, j] / before) / n_features)


@inner
def _slopes(volume: int, turned: Array, weights: Array, i: int, j: int) -> tuple[float, float]:
    """First and second derivative, by the angle of a turn in one plane, of the criterion to minimise: where it is."""
    slope, curvature = 0.0, 0.0
    for k in range(turned.shape[0]):
        one, two = _log_slopes(turned[k, i, i], turned[k, i, j], turned[k, j, j])
        slope, curvature = _added(volume, slope, curvature, weights[k], one, two, turned.shape[1])
    return slope, curvature


@inner
def _plane(volume: int, turned: Array, weights: Array, i: int, j: int, angle: float) -> tuple[float, float, float]:
    """What a turn in one plane leaves of the criterion to minimise, and its first two derivatives by the angle."""
    n_features = turned.shape[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    value, slope, curvature = 0.0, 0.0, 0.0
    for k in range(turned.shape[0]):
        a, b, d = turned[k, i, i], turned[k, i, j], turned[k, j, j]
        first = cosine * cosine * a + 2.0 * cosine * sine * b + sine * sine * d
        second = sine * sine * a - 2.0 * cosine * sine * b + cosine * cosine * d
        cross = (cosine * cosine - sine * sine) * b + cosine * sine * (d - a)
        one, two = _log_slopes(first, cross, second)
        logs = np.log(first * second / (a * d))
        weight = weights[k]
        if volume == EQUAL:
            weight *= np.exp(logs / n_features)
            value += weight
        else:
            value += weight * logs
        slope, curvature = _added(volume, slope, curvature, weight, one, two, n_features)
    return value, slope, curvature


@inner
def _log_slopes(first: float, cross: float, second: float) -> tuple[float, float]:
    """Derivatives by the angle of the log of the product of two variances, with this covariance of theirs."""
    one, other = 1.0 / first, 1.0 / second
    difference = one - other
    curvature = 2.0 * (second - first) * difference - 4.0 * cross * cross * (one * one + other * other)
    return 2.0 * cross * difference, curvature


@inner
def _added(
    volume: int, slope: float, curvature: float, weight: float, one: float, two: float, n_features: int
) -> tuple[float, float]:
    """Add a component's share to the derivatives of the criterion: of its log-variances (VVE) or its size (EVE)."""
    if volume == VARIABLE:
        return slope + weight * one, curvature + weight * two
    return slope + weight * one / n_features, curvature + weight * (two + one * one / n_features) / n_features


@inner
def _best_angle(volume: int, turned: Array, weights: Array, i: int, j: int) -> float:
    """Return the turn in one plane by safeguarded Newton steps from no turn at all; 0 where none helps."""
    slope, curvature = _slopes(volume, turned, weights, i, j)
    if curvature > 0.0 and abs(slope) < _SURE * curvature:
        # What is left is of second order, and the next sweep takes it.
        return -slope / curvature
    return _searched(volume, turned, weights, i, j)


@inner
def _searched(volume: int, turned: Array, weights: Array, i: int, j: int) -> float:
    angle = 0.0
    value, slope, curvature = _plane(volume, turned, weights, i, j, 0.0)
    for _ in range(_NEWTON_STEPS):
        if slope == 0.0:
            break
        step = -slope / curvature if curvature > 0.0 else -np.sign(slope) * _LARGEST_TURN
        step = max(-_LARGEST_TURN, min(_LARGEST_TURN, step))
        if curvature > 0.0 and abs(step) < _SURE:
            return angle + step
        better = False
        fresh, fresh_slope, fresh_curvature = value, slope, curvature
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
    return angle


@inner
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
    fill_identity(axes)
    turn_axes(VARIABLE, ones, matrices, axes, _SWEEPS)
