"""Maximum likelihood covariances of the fourteen families, from the components' masses and scatters.

Every estimate maximises sum_k [-n_k/2 log|Sigma_k| - tr(Sigma_k^-1 W_k)/2] over its family (Celeux & Govaert
1995, "Gaussian parsimonious clustering models", Pattern Recognition 28, derives the conditions solved here).
Nine families have closed forms. VEI, VEE and VEV are convex in the log volumes and are solved by Newton's
method, to rounding. EVE and VVE may have several optima; `orientation` finds theirs.

Scatters enter through their factors, and determinants through logs, so that neither the units of the data nor
a narrow component costs digits: a factor has only the square root of its matrix's condition number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gaussmix._linalg import Array, factor_of_root, log_determinants
from gaussmix.covariance.descent import log_spreads
from gaussmix.covariance.orientation import (
    EqualVolume,
    VariableVolume,
    axes,
    find_orientation,
    orientations_of,
)
from gaussmix.covariance.scatter import Scatter
from gaussmix.covariance.storage import Covariances, Dense, Diagonal, Scalar

# Newton's error is squared by each step: one of this size leaves less than rounding.
_LAST_STEP = 1e-7
_MAX_STEPS = 200

Whiten = Callable[[Array], tuple[Array, Array, Array]]


def estimate(letters: tuple[str, str, str], scatter: Scatter, previous: Covariances | None) -> Covariances:
    """Return the member of the family `letters` that maximises the expected log-likelihood of `scatter`.

    Parameters
    ----------
    letters : tuple of str
        Volume, shape and orientation, each E (equal) or V (variable), the last two also I (identity).
    scatter : Scatter
        Masses n_k > 0 and positive definite scatters W_k, of the family's moment or `FULL`.
    previous : Covariances or None
        Where iterations start; they end at the global maximum all the same, save for EVE and VVE, which
        end at a stationary point no worse than `previous`.

    Raises
    ------
    numpy.linalg.LinAlgError
        When a scatter is not positive definite in float64.
    """
    name = "".join(letters)
    if name in _CLOSED_FORMS:
        return _CLOSED_FORMS[name](scatter)
    return _ITERATIONS[name](scatter, previous)


# Spherical and diagonal families


def _eii(scatter: Scatter) -> Covariances:
    trace = _positive(scatter.traces()).sum(keepdims=True)
    return Scalar(scatter.n_features, trace / (scatter.n_features * scatter.mass.sum()))


def _vii(scatter: Scatter) -> Covariances:
    return Scalar(scatter.n_features, _positive(scatter.traces()) / (scatter.n_features * scatter.mass))


def _eei(scatter: Scatter) -> Covariances:
    squares = _positive(scatter.diagonals()).sum(axis=0, keepdims=True)
    return Diagonal(scatter.n_features, squares / scatter.mass.sum())


def _vvi(scatter: Scatter) -> Covariances:
    return Diagonal(scatter.n_features, _positive(scatter.diagonals()) / scatter.mass[:, None])


def _evi(scatter: Scatter) -> Covariances:
    squares = _positive(scatter.diagonals())
    to_equal = _to_equal_volume(np.log(squares).mean(axis=1), scatter.mass)
    return Diagonal(scatter.n_features, squares * np.exp(to_equal)[:, None])


def _vei(scatter: Scatter, previous: Covariances | None) -> Covariances:
    squares = _positive(scatter.diagonals())
    return Diagonal(scatter.n_features, _proportional(scatter, squares, previous))


# Ellipsoidal families


def _eee(scatter: Scatter) -> Covariances:
    factor = _factors(scatter.pooled()) / np.sqrt(scatter.mass.sum())
    return Dense(scatter.n_features, factor[None])


def _vvv(scatter: Scatter) -> Covariances:
    return Dense(scatter.n_features, _factors(scatter.matrices()) / np.sqrt(scatter.mass)[:, None, None])


def _evv(scatter: Scatter) -> Covariances:
    factors = _factors(scatter.matrices())
    to_equal = _to_equal_volume(log_determinants(factors) / scatter.n_features, scatter.mass)
    return Dense(scatter.n_features, factors * np.exp(0.5 * to_equal)[:, None, None])


def _eev(scatter: Scatter) -> Covariances:
    """Own axes, and one set of ordered eigenvalues: the mean of the scatters'."""
    rotations, lengths = axes(_factors(scatter.matrices()))
    squares = np.square(lengths).sum(axis=0) / scatter.mass.sum()
    return Dense.from_roots(rotations * np.sqrt(squares))


def _vev(scatter: Scatter, previous: Covariances | None) -> Covariances:
    """Own axes, and ordered eigenvalues in the same proportions, which is VEI in those axes."""
    rotations, lengths = axes(_factors(scatter.matrices()))
    squares = _proportional(scatter, np.square(lengths), previous)
    return Dense.from_roots(rotations * np.sqrt(squares)[:, None, :])


def _vee(scatter: Scatter, previous: Covariances | None) -> Covariances:
    whiten = partial(_whiten_factors, _factors(scatter.matrices()))
    factor, log_volumes = _shared_shape(scatter, whiten, previous)
    return Dense(scatter.n_features, factor * np.exp(0.5 * log_volumes)[:, None, None])


def _eve(scatter: Scatter, previous: Covariances | None) -> Covariances:
    roots, log_sizes = _unit_roots(scatter)
    orientation = _eve_orientation(scatter, roots, log_sizes, previous)
    logs = log_spreads(roots, orientation) + log_sizes[:, None]
    logs = logs + _to_equal_volume(logs.mean(axis=1), scatter.mass)[:, None]
    return Dense.from_roots(orientation * np.exp(0.5 * logs)[:, None, :])


def _vve(scatter: Scatter, previous: Covariances | None) -> Covariances:
    roots, log_sizes = _unit_roots(scatter)

    def others() -> Array:
        nested = _eve_orientation(scatter, roots, log_sizes, None)
        proportional, _ = axes(_vee(scatter, None).arrays[:1])
        return np.concatenate([nested[None], proportional])

    criterion = VariableVolume(scatter.mass / scatter.mass.sum())
    orientation = find_orientation(criterion, roots, _first_starts(scatter, previous), others, previous is None)
    logs = log_spreads(roots, orientation) + (log_sizes - np.log(scatter.mass))[:, None]
    return Dense.from_roots(orientation * np.exp(0.5 * logs)[:, None, :])


# Pieces


def _positive(values: Array) -> Array:
    """Traces or diagonals, refused unless they can belong to positive definite scatters."""
    if not ((values > 0.0) & (values < np.inf)).all():
        raise np.linalg.LinAlgError(
            "found a scatter with a diagonal value that is not positive and finite, expected positive definite ones; "
            "regularize, or drop the component"
        )
    return values


def _factors(matrices: Array) -> Array:
    """Return lower triangular factors (..., D, D) of scatters; LAPACK alone would let NaN pass."""
    _positive(np.diagonal(matrices, axis1=-2, axis2=-1))
    return np.asarray(np.linalg.cholesky(matrices), np.float64)


def _to_equal_volume(log_sizes: Array, mass: Array) -> Array:
    """Logs of what scales scatters with log|W_k|/D = `log_sizes` (K,) to the best covariances of one volume.

    The volume is sum_k |W_k|^(1/D) / n (Celeux & Govaert 1995).
    """
    top = log_sizes.max()
    return top + np.log(np.exp(log_sizes - top).sum() / mass.sum()) - log_sizes


def _proportional(scatter: Scatter, squares: Array, previous: Covariances | None) -> Array:
    """Variances (K, D) in the same proportions for all components, for scatters with diagonals `squares`."""
    total, log_volumes = _shared_shape(scatter, partial(_whiten_diagonals, squares), previous)
    return total * np.exp(log_volumes)[:, None]


def _shared_shape(scatter: Scatter, whiten: Whiten, previous: Covariances | None) -> tuple[Array, Array]:
    """Log volumes l (K,) and the total T = sum_k W_k exp(-l_k) that make exp(l_k) T the best of one shape.

    The conditions are tr(T^-1 W_k) exp(-l_k) = D n_k / n, where Celeux & Govaert's alternation between
    volumes and shape ends. They say that the gradient of sum_k D n_k/n l_k + log|T(l)| is zero. That is
    convex, a log of a posynomial, and its third derivative along a direction u is at most (max u - min u)
    times its second. So a Newton step u of range r, shortened by log(1 + r)/r, minimises an upper bound of
    it: no step goes uphill, and no line search is needed.
    """
    shares = scatter.n_features * scatter.mass / scatter.mass.sum()
    log_volumes = _first_log_volumes(scatter, previous)
    reach = np.inf
    for _ in range(_MAX_STEPS):
        total, parts, traces = whiten(log_volumes)
        if reach < _LAST_STEP:
            break
        step = _newton_step(parts, traces, shares)
        reach = float(np.ptp(step))
        log_volumes = log_volumes + step * (np.log1p(reach) / reach if reach > 0.0 else 1.0)
    total, _, traces = whiten(log_volumes)
    return total, log_volumes + np.log(traces / (scatter.n_features * scatter.mass))


def _first_log_volumes(scatter: Scatter, previous: Covariances | None) -> Array:
    if previous is not None and previous.n_groups == scatter.n_components:
        return previous.log_determinants() / scatter.n_features
    return np.log(scatter.traces() / scatter.mass)


def _newton_step(parts: Array, traces: Array, shares: Array) -> Array:
    """Solve the Newton equations for the log volumes, scaled so that tiny components keep their digits.

    A common shift of all log volumes changes nothing; the product of scales takes that direction out.
    """
    scale = np.sqrt(traces)
    scaled = parts / scale[:, None]
    hessian = scale[:, None] * (scale / traces.sum()) - scaled @ scaled.T
    hessian.flat[:: len(traces) + 1] += 1.0 + 4.0 * np.finfo(float).eps
    return np.linalg.solve(hessian, (traces - shares) / scale) / scale


def _whiten_diagonals(squares: Array, log_volumes: Array) -> tuple[Array, Array, Array]:
    """Return total (D,), each component's part of it (K, D), and the parts' sums."""
    scaled = squares * np.exp(-log_volumes)[:, None]
    total = scaled.sum(axis=0)
    parts = scaled / total
    return total, parts, parts.sum(axis=1)


def _whiten_factors(factors: Array, log_volumes: Array) -> tuple[Array, Array, Array]:
    """Return the factor (D, D) of the total, the components' whitened parts (K, D * D), and their traces."""
    n_components, n_features, _ = factors.shape
    scaled = factors * np.exp(-0.5 * log_volumes)[:, None, None]
    stacked = scaled.transpose(1, 0, 2).reshape(n_features, -1)
    total = factor_of_root(stacked)
    white = np.linalg.solve(total, stacked).reshape(n_features, n_components, -1).transpose(1, 0, 2)
    parts = white @ white.transpose(0, 2, 1)
    return total, parts.reshape(n_components, -1), np.square(white).sum(axis=(1, 2))


def _unit_roots(scatter: Scatter) -> tuple[Array, Array]:
    """Return the factors of W_k / |W_k|^(1/D), and log|W_k| / D."""
    factors = _factors(scatter.matrices())
    log_sizes = log_determinants(factors) / scatter.n_features
    return factors * np.exp(-0.5 * log_sizes)[:, None, None], log_sizes


def _first_starts(scatter: Scatter, previous: Covariances | None) -> Array:
    """Orientations (S, D, D) of the nested diagonal and EEE families, and of `previous`."""
    identity = np.eye(scatter.n_features)[None]
    pooled, _ = axes(_eee(scatter).arrays)
    before = identity[:0] if previous is None else orientations_of(previous)
    return np.concatenate([before, identity, pooled])


def _eve_orientation(scatter: Scatter, roots: Array, log_sizes: Array, previous: Covariances | None) -> Array:
    criterion = EqualVolume(log_sizes, scatter.n_features)
    starts = _first_starts(scatter, previous)
    return find_orientation(criterion, roots, starts, lambda: starts[:0], previous is None)


_CLOSED_FORMS: dict[str, Callable[[Scatter], Covariances]] = {
    "EII": _eii,
    "VII": _vii,
    "EEI": _eei,
    "EVI": _evi,
    "VVI": _vvi,
    "EEE": _eee,
    "EEV": _eev,
    "EVV": _evv,
    "VVV": _vvv,
}

_ITERATIONS: dict[str, Callable[[Scatter, Covariances | None], Covariances]] = {
    "VEI": _vei,
    "VEE": _vee,
    "VEV": _vev,
    "EVE": _eve,
    "VVE": _vve,
}
