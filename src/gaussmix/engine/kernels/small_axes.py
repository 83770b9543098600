"""The common orientation of EVE and VVE for small problems, compiled.

The criteria are those of `covariance.orientation`.
"""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner
from gaussmix.engine.kernels.small_matrices import fill_identity, rotate, rotate_columns, turn

_SWEEPS = 12
_STILL = 1e-10  # radians
_SURE = 1e-4  # radians: so near an optimum the criterion is too flat to tell, and Newton's steps need no check
_LARGEST_TURN = 0.4
_NEWTON_STEPS = 3
_HALVINGS = 12

EQUAL, VARIABLE = 1, 2
"""Codes of the letters E and V."""


@inner
def turn_axes(volume: int, mass: Array, scatters: Array, axes: Array) -> None:
    """Turn `axes`, and the scatters into them, plane by plane until no turn raises the likelihood.

    The criteria are those of `covariance.orientation`.
    """
    n_components, n_features = scatters.shape[:2]
    work = np.empty((n_features, n_features))
    weights = np.empty(n_components)
    for k in range(n_components):
        turn(axes, scatters[k], work)
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
                        rotate(scatters[k], i, j, cosine, sine)
                    rotate_columns(axes, i, j, cosine, sine)
        if largest < _STILL:
            break


@inner
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


@inner
def _best_angle(volume: int, turned: Array, weights: Array, i: int, j: int) -> float:
    """Return the turn in one plane by safeguarded Newton steps from no turn at all; 0 where none helps."""
    angle = 0.0
    value, slope, curvature = _plane(volume, turned, weights, i, j, 0.0)
    for _ in range(_NEWTON_STEPS):
        if slope == 0.0:
            break
        step = -slope / curvature if curvature > 0.0 else -np.sign(slope) * _LARGEST_TURN
        step = max(-_LARGEST_TURN, min(_LARGEST_TURN, step))
        if curvature > 0.0 and abs(step) < _SURE:
            angle += step
            if abs(step) > _STILL:
                value, slope, curvature = _plane(volume, turned, weights, i, j, angle)
                continue
            break
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
    turn_axes(VARIABLE, ones, matrices, axes)
