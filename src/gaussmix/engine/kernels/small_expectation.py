"""The E-step of small problems, compiled: one call, no array of more than a block's size, centred rows throughout.

Rows come transposed, (D, rows), so that every inner loop runs along rows and is vectorised. The only reassociated
sums are those over a block, whose length does not change from call to call. A loop that sums stores nothing: the
compiler would guard it against overlapping arrays and take another order of summation where they happen to touch.
"""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float64, void

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import Unit, inner, inner_summing
from gaussmix.engine.kernels.exponential import exponential, logarithm
from gaussmix.engine.kernels.small_fused import (
    add_moments_of_2,
    add_moments_of_3,
    add_moments_of_4,
    log_density_of_2,
    log_density_of_3,
    log_density_of_4,
)
from gaussmix.engine.kernels.small_matrices import invert

_LOG_2PI = math.log(2.0 * math.pi)

BLOCK = 256
"""Rows."""

SIGNATURE = void(
    *(float64[:, ::1], float64[::1], float64[::1], float64[:, ::1], float64[:, :, ::1], boolean),
    *(float64[:, ::1], float64[::1], float64[::1]),
)


def _expectation(
    rows: Array,
    row_weights: Array,
    constants: Array,
    centres: Array,
    whiteners: Array,
    diagonal: bool,
    totals: Array,
    kish: Array,
    scalars: Array,
) -> None:
    """Fill `totals` (K, 1 + D + D(D+1)/2), `kish` (K,) and `scalars` (3,) as `kernels.kernel.Sums` describes them.

    Moments are full ones about the means; `diagonal` says that the whiteners (K, D, D) are, which saves their other
    elements, and then only the diagonal second moments are filled in.
    """
    n_features, n_rows = rows.shape
    n_components = constants.shape[0]
    shares = np.empty((n_components, BLOCK))
    deviations, white = np.empty((n_features, BLOCK)), np.empty(BLOCK)
    top, total = np.empty(BLOCK), np.empty(BLOCK)
    for i in range(3):
        scalars[i] = 0.0
    for k in range(n_components):
        kish[k] = 0.0
        for i in range(totals.shape[1]):
            totals[k, i] = 0.0
    for start in range(0, n_rows, BLOCK):
        stop = min(start + BLOCK, n_rows)
        count = stop - start
        log_densities(rows, start, stop, constants, centres, whiteners, diagonal, deviations, white, shares, top)
        _normalize(shares, row_weights[start:stop], top, total, scalars)
        for k in range(n_components):
            if n_features == 2:
                kish[k] += add_moments_of_2(rows, start, stop, centres[k], shares[k], total, totals[k])
            elif n_features == 3:
                kish[k] += add_moments_of_3(rows, start, stop, centres[k], shares[k], total, totals[k])
            elif n_features == 4:
                kish[k] += add_moments_of_4(rows, start, stop, centres[k], shares[k], total, totals[k])
            else:
                _centre(rows, start, stop, centres[k], deviations)
                kish[k] += _add_moments(deviations, shares[k], total, count, diagonal, totals[k], white)


expectation = Unit(_expectation, SIGNATURE, summing=True)


@inner
def prepare(mixture: tuple[Array, Array, Array], log_jacobian: float, constants: Array, whiteners: Array) -> None:
    """Fill in the constants of the log densities and the inverse factors."""
    weights, _, factors = mixture
    n_features = factors.shape[1]
    for k in range(weights.shape[0]):
        invert(factors[k], whiteners[k])
        half_log_determinant = 0.0
        for i in range(n_features):
            half_log_determinant += np.log(factors[k, i, i])
        constants[k] = np.log(weights[k]) - half_log_determinant - 0.5 * n_features * _LOG_2PI - log_jacobian


@inner_summing
def log_densities(
    rows: Array,
    start: int,
    stop: int,
    constants: Array,
    centres: Array,
    whiteners: Array,
    diagonal: bool,
    deviations: Array,
    white: Array,
    out: Array,
    top: Array,
) -> None:
    """Fill `out` (K, rows) with log densities of a block, and `top` with the largest of each row; the rest is room."""
    n_features = rows.shape[0]
    top[:] = -np.inf
    for k in range(constants.shape[0]):
        if n_features == 2:
            log_density_of_2(rows, start, stop, constants[k], centres[k], whiteners[k], out[k], top)
        elif n_features == 3:
            log_density_of_3(rows, start, stop, constants[k], centres[k], whiteners[k], out[k], top)
        elif n_features == 4:
            log_density_of_4(rows, start, stop, constants[k], centres[k], whiteners[k], out[k], top)
        else:
            _centre(rows, start, stop, centres[k], deviations)
            _log_density(deviations, stop - start, constants[k], whiteners[k], diagonal, white, out[k], top)


@inner_summing
def _centre(rows: Array, start: int, stop: int, centre: Array, deviations: Array) -> None:
    for i in range(deviations.shape[0]):
        mean, column, deviation = centre[i], rows[i][start:stop], deviations[i]
        for n in range(stop - start):
            deviation[n] = column[n] - mean


@inner_summing
def _log_density(
    deviations: Array,
    count: int,
    constant: float,
    whitener: Array,
    diagonal: bool,
    white: Array,
    out: Array,
    top: Array,
) -> None:
    for n in range(count):
        out[n] = constant
    for i in range(deviations.shape[0]):
        first = i if diagonal else 0
        scale = whitener[i, first]
        for n in range(count):
            white[n] = scale * deviations[first, n]
        for j in range(first + 1, i + 1):
            scale = whitener[i, j]
            for n in range(count):
                white[n] += scale * deviations[j, n]
        for n in range(count):
            out[n] -= 0.5 * white[n] * white[n]
    for n in range(count):
        top[n] = max(top[n], out[n])


@inner_summing
def _normalize(shares: Array, row_weights: Array, top: Array, total: Array, scalars: Array) -> None:
    """Turn log densities into responsibilities up to factors, which `total` holds, and add up the log-likelihood."""
    n_components, count = shares.shape[0], row_weights.shape[0]
    for n in range(count):
        total[n] = 0.0
    for k in range(n_components):
        for n in range(count):
            shares[k, n] = exponential(shares[k, n] - top[n])
            total[n] += shares[k, n]
    log_likelihood, magnitude, mass = 0.0, 0.0, 0.0
    for n in range(count):
        weight = row_weights[n]
        log_density = top[n] + logarithm(total[n])
        log_likelihood += weight * log_density
        magnitude += weight * abs(log_density)
        mass += weight
    for n in range(count):
        total[n] = row_weights[n] / total[n]
    scalars[0] += log_likelihood
    scalars[1] += magnitude
    scalars[2] += mass


@inner_summing
def _add_moments(
    deviations: Array, shares: Array, scales: Array, count: int, diagonal: bool, totals: Array, weighted: Array
) -> float:
    """Add up the moments of rows about a centre, of `shares` times `scales`; return the sum of their squares."""
    n_features = deviations.shape[0]
    for n in range(count):
        shares[n] *= scales[n]
    mass, squares = 0.0, 0.0
    for n in range(count):
        mass += shares[n]
        squares += shares[n] * shares[n]
    totals[0] += mass
    at = n_features + 1
    for i in range(n_features):
        for n in range(count):
            weighted[n] = shares[n] * deviations[i, n]
        first = 0.0
        for n in range(count):
            first += weighted[n]
        totals[1 + i] += first
        for j in range(i if diagonal else 0, i + 1):
            second = 0.0
            for n in range(count):
                second += weighted[n] * deviations[j, n]
            totals[at + j] += second
        at += i + 1
    return squares
