"""What a mixture says of all rows of a small problem together, compiled."""

from __future__ import annotations

import numpy as np
from numba import float64, void

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import Unit, inner_summing
from gaussmix.engine.kernels.exponential import exponential, logarithm
from gaussmix.engine.kernels.small_expectation import BLOCK, log_densities, prepare

_NOTHING = -745.0  # whose exponential is nothing

_SIGNATURE = void(
    float64[:, ::1], float64[::1], float64, float64[::1], float64[:, ::1], float64[:, :, ::1], float64[::1]
)


def _appraisal(
    rows: Array, row_weights: Array, log_jacobian: float, weights: Array, centres: Array, factors: Array, whole: Array
) -> None:
    """Fill `whole` (3 + 3K,) with the totals of `engine.scoring.AppraisalFold`.

    Parameters
    ----------
    rows, row_weights, log_jacobian : array (D, rows), array (rows,), float
        The problem, as `small.PROBLEM` has it.
    weights, centres, factors : arrays (K,), (K, D), (K, D, D)
        The mixture; factors are lower triangular.
    """
    n_features, n_rows = rows.shape
    n_components = weights.shape[0]
    whiteners, constants = np.empty(factors.shape), np.empty(n_components)
    prepare((weights, centres, factors), log_jacobian, constants, whiteners)
    shares, deviations, white = np.empty((n_components, BLOCK)), np.empty((n_features, BLOCK)), np.empty(BLOCK)
    top, total, crossed, taken = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    whole[:] = 0.0
    for start in range(0, n_rows, BLOCK):
        stop = min(start + BLOCK, n_rows)
        log_densities(rows, start, stop, constants, centres, whiteners, False, deviations, white, shares, top)
        _add(shares, row_weights[start:stop], top, total, crossed, taken, whole)


appraisal = Unit(_appraisal, _SIGNATURE, summing=True)


@inner_summing
def _add(
    shares: Array, row_weights: Array, top: Array, total: Array, crossed: Array, taken: Array, whole: Array
) -> None:
    """Add one block's log densities (K, rows), the largest of which are `top`, to the totals; the rest is room."""
    n_components, count = shares.shape[0], row_weights.shape[0]
    for n in range(count):
        total[n] = 0.0
        crossed[n] = 0.0
        taken[n] = 0.0
    for k in range(n_components):
        for n in range(count):
            gap = max(shares[k, n] - top[n], _NOTHING)
            share = exponential(gap)
            shares[k, n] = share
            total[n] += share
            crossed[n] += share * gap
    log_likelihood, certainty, entropy = 0.0, 0.0, 0.0
    for n in range(count):
        weight, spread = row_weights[n], logarithm(total[n])
        log_likelihood += weight * (top[n] + spread)
        certainty -= weight * spread
        entropy += weight * (spread - crossed[n] / total[n])
    whole[0] += log_likelihood
    whole[1] += certainty
    whole[2] += entropy
    for k in range(n_components):
        mass, kish, assigned = 0.0, 0.0, 0.0
        for n in range(count):
            share = shares[k, n] * row_weights[n] / total[n]
            mass += share
            kish += share * share
        for n in range(count):
            crossed[n] = row_weights[n] * (1.0 - taken[n]) if shares[k, n] == 1.0 else 0.0
            taken[n] = 1.0 if shares[k, n] == 1.0 else taken[n]
        for n in range(count):
            assigned += crossed[n]
        whole[3 + k] += mass
        whole[3 + n_components + k] += kish
        whole[3 + 2 * n_components + k] += assigned
