"""Several EM passes over a small problem in one compiled call."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner, whole
from gaussmix.engine.kernels.small_axes import EQUAL, common_axes_of
from gaussmix.engine.kernels.small_expectation import expectation
from gaussmix.engine.kernels.small_families import IDENTITY, estimate
from gaussmix.engine.kernels.small_matrices import invert

_LOG_2PI = float(np.log(2.0 * np.pi))
_FAR_MOVE = 1e4
_MONOTONE = 1e-12

GOING, UNABLE, FELL = 0, 1, 2
"""How a climb ended: it may go on; its last M-step needs the general code; the objective fell."""


@whole
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
    mass = np.empty(n_components)
    axes = np.eye(n_features)
    to_maximize = from_groups
    if from_groups:
        _take_groups(mixture, mass, scatters)
    elif letters[1] != EQUAL and letters[2] == EQUAL:
        common_axes_of(factors, axes)
    for number in range(objectives.shape[0] + 1):
        # The M-step stands once, at the head of the loop: every place that calls it costs the compiler a second.
        if to_maximize:
            good = _regularize(strength, reference, least_mass, mass, scatters)
            good = good and estimate(letters[0], letters[1], letters[2], mass, scatters, factors, axes)
            if not (good and (number == 0 or _move(totals, mixture))):
                _copy(evaluated, mixture)
                return number, UNABLE
            _share(mass, mixture[0])
        if number == objectives.shape[0]:
            break
        _prepare(mixture, log_jacobian, constants, whiteners)
        expectation(rows, row_weights, constants, centres, whiteners, diagonal, totals, kish, scalars)
        objectives[number] = scalars[0] - _penalty(whiteners, strength, reference)
        if number > 0 and not objectives[number] >= objectives[number - 1] - _MONOTONE * scalars[1]:
            return number + 1, FELL
        _copy(mixture, evaluated)
        _take_totals(totals, mass, scatters)
        to_maximize = True
    return objectives.shape[0], GOING


@inner
def _take_groups(mixture: tuple[Array, Array, Array], mass: Array, scatters: Array) -> None:
    """Read masses and scatters of groups out of where a mixture's weights and factors will be."""
    masses, _, matrices = mixture
    for k in range(mass.shape[0]):
        mass[k] = masses[k]
        for i in range(scatters.shape[1]):
            for j in range(scatters.shape[1]):
                scatters[k, i, j] = matrices[k, i, j]


@inner
def _take_totals(totals: Array, mass: Array, scatters: Array) -> None:
    """Masses, and scatters about the new means, from moments about the old ones."""
    n_features = scatters.shape[1]
    for k in range(mass.shape[0]):
        mass[k] = totals[k, 0]
        at = n_features + 1
        for i in range(n_features):
            shift = totals[k, 1 + i] / mass[k]
            for j in range(i + 1):
                value = totals[k, at + j] - shift * totals[k, 1 + j]
                scatters[k, i, j] = value
                scatters[k, j, i] = value
            at += i + 1


@inner
def _regularize(strength: float, reference: Array, least_mass: float, mass: Array, scatters: Array) -> bool:
    """Add the pseudo-observations; say whether every component is alive."""
    alive = True
    for k in range(mass.shape[0]):
        alive = alive and mass[k] > least_mass
        for i in range(reference.shape[0]):
            scatters[k, i, i] += strength * reference[i]
    return alive


@inner
def _share(mass: Array, weights: Array) -> None:
    """Masses over their sum."""
    total = 0.0
    for k in range(mass.shape[0]):
        total += mass[k]
    for k in range(mass.shape[0]):
        weights[k] = mass[k] / total


@inner
def _move(totals: Array, mixture: tuple[Array, Array, Array]) -> bool:
    """Move the means; say whether all stayed near enough for moments about the old ones to keep their digits."""
    _, centres, factors = mixture
    near = True
    for k in range(centres.shape[0]):
        for i in range(centres.shape[1]):
            shift = totals[k, 1 + i] / totals[k, 0]
            variance = 0.0
            for j in range(i + 1):
                variance += factors[k, i, j] * factors[k, i, j]
            near = near and abs(shift) <= _FAR_MOVE * np.sqrt(variance)
            centres[k, i] += shift
    return near


@inner
def _copy(source: tuple[Array, Array, Array], target: tuple[Array, Array, Array]) -> None:
    n_components, n_features = source[1].shape
    for k in range(n_components):
        target[0][k] = source[0][k]
        for i in range(n_features):
            target[1][k, i] = source[1][k, i]
            for j in range(n_features):
                target[2][k, i, j] = source[2][k, i, j]


@inner
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


@inner
def _penalty(whiteners: Array, strength: float, reference: Array) -> float:
    """strength/2 sum_k tr(Sigma_k^-1 R)."""
    trace = 0.0
    for k in range(whiteners.shape[0]):
        for i in range(whiteners.shape[1]):
            for j in range(i + 1):
                trace += whiteners[k, i, j] * whiteners[k, i, j] * reference[j]
    return 0.5 * strength * trace
