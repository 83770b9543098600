"""Several EM passes over a small problem in one compiled call."""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, types

from gaussmix._linalg import Array
from gaussmix.engine.kernels import small_expectation, small_families
from gaussmix.engine.kernels.compiling import Unit, inner
from gaussmix.engine.kernels.endings import FELL, GOING, SETTLED, UNABLE
from gaussmix.engine.kernels.small_expectation import prepare
from gaussmix.engine.kernels.small_leaps import (
    aimed,
    begin,
    extrapolate,
    failed,
    followed,
    over,
    remember,
    stepped,
    stretch,
)
from gaussmix.engine.kernels.small_matrices import fill_identity

Parameters = tuple[Array, Array, Array]
Problem = tuple[Array, Array, Array, tuple[int, int, int], float, Array, float, float]
Rule = tuple[bool, float, float, int]
Model = tuple[tuple[int, int, int], float, Array, float]
"""Letters, strength and reference of the pseudo-observations, least mass."""

_FAR_MOVE = 1e4
_MONOTONE = 1e-12

PROBLEM = types.Tuple(
    (
        *(float64[:, ::1], float64[::1], float64[::1], types.UniTuple(int64, 3)),
        *(float64, float64[::1], float64, float64),
    )
)
"""Transposed rows (D, rows), their weights (rows,), the features' standard deviations (D,) by which leaps are measured;
codes of the family's letters; strength and reference (D,) of the pseudo-observations, or a strength of 0; logarithm of
the coordinates' Jacobian; the mass of which a component has died."""
RULE = types.Tuple((boolean, float64, float64, int64))
"""Whether to leap where EM is slow; `tol` and `bar` of `fitting.stopping`: once that rule is met, or cannot be, no more
passes are made; how many have been made before."""

_MIXTURE = types.Tuple((float64[::1], float64[:, ::1], float64[:, :, ::1]))
_SUMS = types.Tuple((float64[:, ::1], float64[::1], float64[::1]))
SIGNATURE = types.Tuple((int64, int64, float64))(
    *(types.FunctionType(small_expectation.SIGNATURE), types.FunctionType(small_families.SIGNATURE)),
    *(PROBLEM, RULE, boolean),
    *(_MIXTURE, _MIXTURE, _SUMS, float64[::1]),
)


def _climb(
    expectation: Unit,
    estimate: Unit,
    problem: Problem,
    rule: Rule,
    from_groups: bool,
    mixture: Parameters,
    evaluated: Parameters,
    sums: Parameters,
    objectives: Array,
) -> tuple[int, int, float]:
    """Make up to ``len(objectives)`` passes.

    Returned is how many were made, how they ended, and an estimate of what is left to gain, per unit of weight.

    Parameters
    ----------
    expectation, estimate : Unit
        The E-step, and the M-step of the family's letters.
    problem, rule : tuple
        As `PROBLEM` and `RULE` say.
    from_groups : bool
        Whether `mixture` begins as masses, means and scatters of groups, of which to make a mixture first.
    mixture : tuple of arrays
        Weights (K,), means (K, D), factors (K, D, D): where to begin; overwritten by where to go on.
    evaluated : tuple of arrays
        Of the same shapes: overwritten by the best mixture of a pass, the last unless a leap failed or it FELL.
    sums : tuple of arrays
        `totals` (K, 1 + D + D(D+1)/2), `kish` (K,), `scalars` (3,) of that pass.
    objectives : array (passes,)
        Overwritten by the penalised log-likelihood at every pass; of the best mixture where a leap failed.
    """
    rows, row_weights, spreads, letters, strength, reference, log_jacobian, least_mass = problem
    accelerated, tol, bar, made = rule
    n_components, n_features = mixture[1].shape
    model = letters, strength, reference, least_mass
    work = _workplace(n_components, n_features)
    fresh = np.empty(sums[0].shape), np.empty(n_components), np.empty(3)
    history, anchor = np.empty((3, *sums[0].shape)), np.empty((n_components, n_features))
    course = begin(made if accelerated else 0)
    if from_groups:
        fill_identity(work[2])
        _take_groups(mixture, work)
        if not _maximize(estimate, model, work, mixture):
            return 0, UNABLE, course.remaining
    for number in range(objectives.shape[0]):
        objective = _evaluate(expectation, rows, row_weights, model, log_jacobian, mixture, work[1], fresh)
        objectives[number] = objective
        if course.length > 1.0 and not objective >= course.best:
            objectives[number] = course.best
            course = failed(course)
        elif not objective >= course.best - _MONOTONE * fresh[2][1]:
            return number + 1, FELL, course.remaining
        else:
            course = followed(course, objective, fresh[2], tol)
            _copy(mixture, evaluated)
            _copy_sums(fresh, sums)
            if over(course, fresh[2][2], bar):
                return number + 1, SETTLED, course.remaining
        remember(sums[0], evaluated[1], course.steps, anchor, history)
        if course.steps == 2:
            allowed = accelerated and number + 1 < objectives.shape[0]
            course = aimed(course, stretch(spreads, history), tol, allowed)
            if course.length > 1.0 and _leap(estimate, model, course.length, anchor, history, work, mixture):
                continue
            remember(sums[0], evaluated[1], 0, anchor, history)
        course = stepped(course)
        if not _step(estimate, model, sums[0], evaluated, work, mixture):
            return number + 1, UNABLE, course.remaining
    return objectives.shape[0], GOING, course.remaining


climb = Unit(_climb, SIGNATURE)


@inner
def _workplace(n_components: int, n_features: int) -> Parameters:
    """Return room for masses and scatters, and the common axes, which are not known yet."""
    axes = np.full((n_features, n_features), np.nan)
    return np.empty(n_components), np.empty((n_components, n_features, n_features)), axes


@inner
def _evaluate(
    expectation: Unit,
    rows: Array,
    row_weights: Array,
    model: Model,
    log_jacobian: float,
    mixture: Parameters,
    whiteners: Array,
    sums: Parameters,
) -> float:
    """Fill in the sums of all rows under a mixture; return its penalised log-likelihood."""
    letters, strength, reference, _ = model
    constants = np.empty(whiteners.shape[0])
    prepare(mixture, log_jacobian, constants, whiteners)
    diagonal = letters[2] == small_families.IDENTITY
    expectation(rows, row_weights, constants, mixture[1], whiteners, diagonal, sums[0], sums[1], sums[2])
    return sums[2][0] - _penalty(whiteners, strength, reference)


@inner
def _maximize(estimate: Unit, model: Model, work: Parameters, mixture: Parameters) -> bool:
    """Replace weights and factors; say whether all components are alive and their covariances positive definite."""
    letters, strength, reference, least_mass = model
    mass, scatters, axes = work
    good = _regularize(strength, reference, least_mass, mass, scatters)
    good = good and estimate(letters[0], letters[1], mass, scatters, mixture[2], axes)
    if good:
        _share(mass, mixture[0])
    return good


@inner
def _step(
    estimate: Unit, model: Model, totals: Array, evaluated: Parameters, work: Parameters, mixture: Parameters
) -> bool:
    """Make the mixture of the totals of the one evaluated; say whether that went well, else it is that one again."""
    _copy(evaluated, mixture)
    _take_totals(totals, work)
    if _maximize(estimate, model, work, mixture) and _move(totals, mixture):
        return True
    _copy(evaluated, mixture)
    return False


@inner
def _leap(
    estimate: Unit, model: Model, length: float, anchor: Array, history: Array, work: Parameters, mixture: Parameters
) -> bool:
    """Make the mixture of totals that nobody has counted; say whether there is one."""
    extrapolate(length, history)
    totals = history[0]
    for k in range(anchor.shape[0]):
        if not totals[k, 0] > model[3]:
            return False
        for i in range(anchor.shape[1]):
            mixture[1][k, i] = anchor[k, i] + totals[k, 1 + i] / totals[k, 0]
    _take_totals(totals, work)
    if _maximize(estimate, model, work, mixture):
        return True
    work[2][0, 0] = np.nan  # the common axes have been turned for nothing
    return False


@inner
def _copy_sums(source: Parameters, target: Parameters) -> None:
    for k in range(source[0].shape[0]):
        target[1][k] = source[1][k]
        for i in range(source[0].shape[1]):
            target[0][k, i] = source[0][k, i]
    for i in range(3):
        target[2][i] = source[2][i]


@inner
def _take_groups(mixture: Parameters, work: Parameters) -> None:
    """Read masses and scatters of groups out of where a mixture's weights and factors will be."""
    mass, scatters, _ = work
    masses, _, matrices = mixture
    for k in range(mass.shape[0]):
        mass[k] = masses[k]
        for i in range(scatters.shape[1]):
            for j in range(scatters.shape[1]):
                scatters[k, i, j] = matrices[k, i, j]


@inner
def _take_totals(totals: Array, work: Parameters) -> None:
    """Masses, and scatters about the new means, from moments about the old ones."""
    mass, scatters, _ = work
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
def _move(totals: Array, mixture: Parameters) -> bool:
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
def _copy(source: Parameters, target: Parameters) -> None:
    n_components, n_features = source[1].shape
    for k in range(n_components):
        target[0][k] = source[0][k]
        for i in range(n_features):
            target[1][k, i] = source[1][k, i]
            for j in range(n_features):
                target[2][k, i, j] = source[2][k, i, j]


@inner
def _penalty(whiteners: Array, strength: float, reference: Array) -> float:
    """strength/2 sum_k tr(Sigma_k^-1 R)."""
    trace = 0.0
    for k in range(whiteners.shape[0]):
        for i in range(whiteners.shape[1]):
            for j in range(i + 1):
                trace += whiteners[k, i, j] * whiteners[k, i, j] * reference[j]
    return 0.5 * strength * trace
