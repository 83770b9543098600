"""Several EM passes over a small problem in one compiled call."""

from __future__ import annotations

import numpy as np
from numba import njit

from gaussmix._linalg import Array
from gaussmix.engine.kernels.small_axes import EQUAL, common_axes_of
from gaussmix.engine.kernels.small_expectation import expectation
from gaussmix.engine.kernels.small_families import IDENTITY, estimate
from gaussmix.engine.kernels.small_matrices import invert

_LOG_2PI = float(np.log(2.0 * np.pi))
_FAR_MOVE = 1e4
_MONOTONE = 1e-12

GOING, UNABLE, FELL = 0, 1, 2
"""How a climb ended: it may go on; its last M-step needs the general code; the objective fell."""


@njit(cache=True, nogil=True, error_model="numpy")
def climb(
    rows: Array,
    row_weights: Array,
    letters: tuple[int, int, int],
    strength: float,
    reference: Array,
    log_jacobian: float,
    least_mass: float,
    from_groups: bool,
    mixture: tuple[Array, Array, Array],
    evaluated: tuple[Array, Array, Array],
    sums: tuple[Array, Array, Array],
    objectives: Array,
) -> tuple[int, int]:
    """Make up to ``len(objectives)`` passes; return how many were made, and how they ended.

    Parameters
    ----------
    rows : array (D, rows)
        Transposed, in the fit's coordinates.
    row_weights : array (rows,)
        Row weights.
    letters : tuple of int
        Codes of the family's letters.
    strength, reference : float, array (D,)
        Pseudo-observations, or a strength of 0.
    log_jacobian : float
        Of the coordinates.
    least_mass : float
        A component not heavier than this has died.
    from_groups : bool
        Whether `mixture` begins as masses, means and scatters of groups, of which to make a mixture first.
    mixture : tuple of arrays
        Weights (K,), means (K, D), factors (K, D, D): where to begin; overwritten by what the last M-step gave.
    evaluated : tuple of arrays
        Of the same shapes: overwritten by the mixture that the last E-step was about (the one before, if it FELL).
    sums : tuple of arrays
        `totals` (K, 1 + D + D(D+1)/2), `kish` (K,), `scalars` (3,) of that E-step.
    objectives : array (passes,)
        Overwritten by the penalised log-likelihood at every pass.
    """
    _, centres, factors = mixture
    totals, kish, scalars = sums
    n_components, n_features = centres.shape
    diagonal = letters[2] == IDENTITY
    whiteners = np.empty((n_components, n_features, n_features))
    constants = np.empty(n_components)
    scatters = np.empty((n_components, n_features, n_features))
    axes = np.eye(n_features)
    if from_groups:
        if not _fit_groups(letters, strength, reference, mixture, scatters, axes):
            return 0, UNABLE
    elif letters[1] != EQUAL and letters[2] == EQUAL:
        common_axes_of(factors, axes)
    for number in range(objectives.shape[0]):
        _prepare(mixture, log_jacobian, constants, whiteners)
        expectation(rows, row_weights, constants, centres, whiteners, diagonal, totals, kish, scalars)
        objectives[number] = scalars[0] - _penalty(whiteners, strength, reference)
        if number > 0 and not objectives[number] >= objectives[number - 1] - _MONOTONE * scalars[1]:
            return number + 1, FELL
        _copy(mixture, evaluated)
        if not _maximize(letters, strength, reference, least_mass, totals, mixture, scatters, axes):
            _copy(evaluated, mixture)
            return number + 1, UNABLE
    return objectives.shape[0], GOING


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_groups(
    letters: tuple[int, int, int],
    strength: float,
    reference: Array,
    mixture: tuple[Array, Array, Array],
    scatters: Array,
    axes: Array,
) -> bool:
    """Overwrite masses, means and scatters by the mixture that fits them; say whether it went well."""
    masses, _, factors = mixture
    mass = np.empty(masses.shape[0])
    total = 0.0
    for k in range(masses.shape[0]):
        mass[k] = masses[k]
        total += mass[k]
        for i in range(reference.shape[0]):
            for j in range(reference.shape[0]):
                scatters[k, i, j] = factors[k, i, j]
            scatters[k, i, i] += strength * reference[i]
    for k in range(masses.shape[0]):
        masses[k] = mass[k] / total
    return estimate(letters[0], letters[1], letters[2], mass, scatters, factors, axes)


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(source: tuple[Array, Array, Array], target: tuple[Array, Array, Array]) -> None:
    n_components, n_features = source[1].shape
    for k in range(n_components):
        target[0][k] = source[0][k]
        for i in range(n_features):
            target[1][k, i] = source[1][k, i]
            for j in range(n_features):
                target[2][k, i, j] = source[2][k, i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(mixture: tuple[Array, Array, Array], log_jacobian: float, constants: Array, whiteners: Array) -> None:
    """Fill in the constants of the log densities and the inverse factors."""
    weights, _, factors = mixture
    n_features = factors.shape[1]
    for k in range(weights.shape[0]):
        invert(factors[k], whiteners[k])
        half_log_determinant = 0.0
        for i in range(n_features):
            half_log_determinant += np.log(factors[k, i, i])
        constants[k] = np.log(weights[k]) - half_log_determinant - 0.5 * n_features * _LOG_2PI - log_jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def _penalty(whiteners: Array, strength: float, reference: Array) -> float:
    """strength/2 sum_k tr(Sigma_k^-1 R)."""
    trace = 0.0
    for k in range(whiteners.shape[0]):
        for i in range(whiteners.shape[1]):
            for j in range(i + 1):
                trace += whiteners[k, i, j] * whiteners[k, i, j] * reference[j]
    return 0.5 * strength * trace


@njit(cache=True, nogil=True, error_model="numpy")
def _maximize(
    letters: tuple[int, int, int],
    strength: float,
    reference: Array,
    least_mass: float,
    totals: Array,
    mixture: tuple[Array, Array, Array],
    scatters: Array,
    axes: Array,
) -> bool:
    """Overwrite the mixture by the M-step's answer to `totals`; say whether it went well."""
    weights, centres, factors = mixture
    n_components, n_features = centres.shape
    mass = np.empty(n_components)
    total = 0.0
    for k in range(n_components):
        mass[k] = totals[k, 0]
        total += mass[k]
        if not mass[k] > least_mass:
            return False
    for k in range(n_components):
        weights[k] = mass[k] / total
        at = n_features + 1
        for i in range(n_features):
            shift = totals[k, 1 + i] / mass[k]
            for j in range(i + 1):
                value = totals[k, at + j] - shift * totals[k, 1 + j]
                scatters[k, i, j] = value
                scatters[k, j, i] = value
            scatters[k, i, i] += strength * reference[i]
            at += i + 1
    if not estimate(letters[0], letters[1], letters[2], mass, scatters, factors, axes):
        return False
    for k in range(n_components):
        for i in range(n_features):
            shift = totals[k, 1 + i] / mass[k]
            variance = 0.0
            for j in range(i + 1):
                variance += factors[k, i, j] * factors[k, i, j]
            # Moments about the old mean have lost their digits: the general code takes them about the new one.
            if not abs(shift) <= _FAR_MOVE * np.sqrt(variance):
                return False
            centres[k, i] += shift
    return True
