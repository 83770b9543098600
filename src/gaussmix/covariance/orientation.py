"""The one hard routine: the best orientation that all components share (families EVE and VVE).

Given an orientation, volumes and shapes have closed forms, and what is left of the likelihood depends on the log
spreads s_k = sum_j log(d_j' W_k d_j) alone: through sum_k n_k s_k for VVE, the criterion of Flury & Gautschi (1986,
"An algorithm for simultaneous orthogonal transformation of several positive definite symmetric matrices to nearly
diagonal form", SIAM J. Sci. Stat. Comput. 7), and through log sum_k exp(s_k / D) for EVE (Celeux & Govaert 1995;
Browne & McNicholas 2014, "Estimating common principal components in high dimensions", Adv. Data Anal. Classif. 8).
Those papers' iterations are monotone but linear, and stall where two nearly singular components share an axis. Here
every step is Newton's on the orthogonal group, with negative curvatures turned around so that it goes down:
quadratic at the end, and of the right length far out, where the criterion looks like log|angle|. Between descents,
single planes are searched all the way round.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.covariance.storage import Covariances

# Criteria are in nats per unit mass. A gain below _NOISE cannot be told from the criterion's own rounding.
_NOISE = 1e-12
_SETTLED = 1e-22
# A start that gains more than this was not near a stationary point: then other starts are worth their time.
_LARGE_GAIN = 1e-3
_MAX_STEPS = 200
_MAX_HALVINGS = 40
_MAX_HOPS = 50
# The largest entry of a step, in radians; a rotation by pi/2 only swaps two axes.
_LONGEST = 0.6
# How far to go, in units set by the curvature, down a ridge along which the gradient is zero.
_ESCAPE = 0.1
# With more planes than this, the Newton equations are solved by conjugate gradients.
_MAX_DENSE_PLANES = 200
_N_ANGLES = 16
# How many of the other starts are followed to the end.
_N_FOLLOWED = 8


class Criterion(ABC):
    """What the orientation minimises, a function of the components' log spreads (K,), per unit mass."""

    @abstractmethod
    def value(self, spreads: Array) -> Array:
        """Values (...) for log spreads (..., K)."""

    @abstractmethod
    def gradient(self, spreads: Array) -> Array:
        """Derivatives (K,): positive, with sum one."""

    @abstractmethod
    def curvature(self, spreads: Array) -> Array | None:
        """Second derivatives (K, K); None when they are zero."""


@final
@dataclass(frozen=True, eq=False)
class VariableVolume(Criterion):
    """VVE: the mean of the log spreads, by `shares` (K,) of the mass."""

    shares: Array

    def value(self, spreads: Array) -> Array:
        """sum_k n_k s_k / n."""
        return spreads @ self.shares

    def gradient(self, spreads: Array) -> Array:
        """n_k / n."""
        return self.shares

    def curvature(self, spreads: Array) -> Array | None:
        """Return none: the mean is linear."""
        return None


@final
@dataclass(frozen=True, eq=False)
class EqualVolume(Criterion):
    """EVE: D times the log of the sum of volumes, for scatters of log|W_k| / D = `log_sizes` (K,)."""

    log_sizes: Array
    n_features: int

    def value(self, spreads: Array) -> Array:
        """D log sum_k exp(s_k / D + log_sizes_k)."""
        logs = spreads / self.n_features + self.log_sizes
        top = logs.max(axis=-1)
        return self.n_features * (top + np.log(np.exp(logs - top[..., None]).sum(axis=-1)))

    def gradient(self, spreads: Array) -> Array:
        """Shares of the components in the sum of volumes."""
        logs = spreads / self.n_features + self.log_sizes
        volumes = np.exp(logs - logs.max())
        return volumes / volumes.sum()

    def curvature(self, spreads: Array) -> Array | None:
        """Covariance of the shares, over D."""
        shares = self.gradient(spreads)
        return (np.diag(shares) - np.outer(shares, shares)) / self.n_features


def find_orientation(
    criterion: Criterion, roots: Array, starts: Array, others: Callable[[], Array], thorough: bool
) -> Array:
    """Return an orientation (D, D), columns d_j, that is stationary and no worse than any start.

    Parameters
    ----------
    criterion : Criterion
        What to minimise.
    roots : array (K, D, D)
        R_k with W_k = R_k R_k' of unit determinant.
    starts : array (S, D, D)
        Orthogonal matrices; the best of them is followed.
    others : callable
        More starts, asked for only when thorough or when the first descent shows that `starts` were far off.
    thorough : bool
        Follow every start, and search single planes between descents, for the best of several optima.
    """
    if roots.shape[-1] == 1:
        return np.eye(1)
    start, before = _ranked(criterion, roots, starts)
    orientation, value = _descend(criterion, roots, start[0])
    if not thorough and before[0] - value < _LARGE_GAIN:
        return orientation
    more, _ = _ranked(criterion, roots, np.concatenate([start[1:], _mixed_bases(roots)]))
    for candidate in (*others(), *more[:_N_FOLLOWED]):
        orientation, value = min((orientation, value), _descend(criterion, roots, candidate), key=_second)
    return _hop(criterion, roots, orientation, value)


def axes(roots: Array) -> tuple[Array, Array]:
    """Eigenvectors (..., D, D) of R R' and the roots of its eigenvalues (..., D), largest first."""
    rotations, lengths, _ = np.linalg.svd(roots)
    return rotations, lengths


def _mixed_bases(roots: Array) -> Array:
    """Orientations (S, D, D) of every component, and of one's narrowest axes completed by another's.

    A narrow axis is worth much to a component and little to the rest, so good optima are made of such pieces.
    """
    rotations = axes(roots)[0][..., ::-1]
    n_components, n_features = rotations.shape[:2]
    first, second = np.nonzero(~np.eye(n_components, dtype=bool))
    mixed = [rotations]
    for n_axes in range(1, min(n_features, 3)):
        joined = np.concatenate([rotations[first, :, :n_axes], rotations[second]], axis=2)
        mixed.append(np.linalg.qr(joined)[0])
    return np.concatenate(mixed)


def _ranked(criterion: Criterion, roots: Array, starts: Array) -> tuple[Array, Array]:
    """Return the starts from best to worst, and their values."""
    values = criterion.value(log_spreads(roots, starts).sum(axis=-1))
    order = np.argsort(values, kind="stable")
    return starts[order], values[order]


def _second(pair: tuple[Array, float]) -> float:
    return pair[1]


def log_spreads(roots: Array, orientation: Array) -> Array:
    """log(d_j' W_k d_j) (..., K, D) for orientations (..., D, D)."""
    images = np.swapaxes(roots, -1, -2) @ orientation[..., None, :, :]
    return np.log(np.square(images).sum(axis=-2))


def orientations_of(covariances: Covariances) -> Array:
    """Orientations (S, D, D) of which one diagonalises all `covariances`, if they have one in common.

    Eigenvectors of single covariances are arbitrary where eigenvalues coincide, and those of a sum drown narrow
    components in wide ones. The sums of logs, with weights that no coincidence is likely to survive, do neither;
    two sets of weights make sure.
    """
    rotations, lengths = axes(np.swapaxes(covariances.whiteners(), -1, -2))
    logs = np.log(lengths)
    terms = (rotations * (logs - logs.mean(axis=-1, keepdims=True))[:, None, :]) @ np.swapaxes(
        rotations, -1, -2
    )
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    weights = 0.5 + np.arange(1, 2 * len(terms) + 1).reshape(2, -1) * golden % 1.0
    _, vectors = np.linalg.eigh(np.tensordot(weights, terms, axes=1))
    return vectors


# One descent


@dataclass(frozen=True, eq=False)
class _Local:
    """The criterion around one orientation, in the rotation angles of its P = D(D-1)/2 coordinate planes."""

    spreads: Array  # (K, D), not logs
    products: Array  # (K, D, D): d_i' W_k d_j
    ratios: Array  # (K, D, D): the same over d_j' W_k d_j
    weights: Array  # (K,)
    slopes: Array  # (K, P): gradients of the log spreads
    bend: Array | None  # (K, K)

    @property
    def gradient(self) -> Array:
        """Gradient (P,) of the criterion."""
        return self.weights @ self.slopes

    def hessian(self) -> Callable[[Array], Array]:
        """Return the map from angles (..., P) to the Hessian times them.

        From d_j' W d_j under the rotation I + X + X X / 2 + ...: the quadratic term of the weighted log spreads is
        sum_j x_j' B_j x_j + tr(M X X), with B_j = sum_k w_k (W_k / w_jj - 2 r_j r_j'), r_j = column j of W_k over
        w_jj, and M = sum_k w_k (r_1 ... r_D)'.
        """
        n_components, n_features = self.spreads.shape
        means = (self.weights[:, None] / self.spreads).T @ self.products.reshape(n_components, -1)
        columns = self.ratios.transpose(2, 1, 0)
        blocks = means.reshape(n_features, n_features, n_features)
        blocks = 2.0 * blocks - 4.0 * (columns * self.weights) @ columns.transpose(0, 2, 1)
        mean_ratio = np.tensordot(self.weights, self.ratios, axes=1)
        rows, cols = _planes(n_features)

        def times(angles: Array) -> Array:
            skew = _skew(angles, n_features)
            image = np.einsum("jab,...bj->...aj", blocks, skew) - mean_ratio @ skew - skew @ mean_ratio
            product = image[..., rows, cols] - image[..., cols, rows]
            if self.bend is not None:
                product = product + angles @ self.slopes.T @ self.bend @ self.slopes
            return product

        return times


def _local(criterion: Criterion, roots: Array, orientation: Array) -> _Local:
    images = np.swapaxes(roots, -1, -2) @ orientation
    products = np.swapaxes(images, -1, -2) @ images
    spreads = np.square(images).sum(axis=-2)
    ratios = products / spreads[:, None, :]
    rows, cols = _planes(roots.shape[-1])
    slopes = 2.0 * (ratios[:, rows, cols] - ratios[:, cols, rows])
    logs = np.log(spreads).sum(axis=-1)
    return _Local(spreads, products, ratios, criterion.gradient(logs), slopes, criterion.curvature(logs))


def _descend(criterion: Criterion, roots: Array, orientation: Array) -> tuple[Array, float]:
    """Follow Newton's steps down to a stationary point; return it and its value."""
    value = _value(criterion, roots, orientation)
    local = _local(criterion, roots, orientation)
    for _ in range(_MAX_STEPS):
        step, gain = _step(local)
        if gain < _SETTLED:
            break
        moved = _line_search(criterion, roots, orientation, value, step, gain)
        if moved is None:
            break
        before = local
        local = _local(criterion, roots, moved[0])
        if gain < _NOISE and np.abs(local.gradient).max() >= np.abs(before.gradient).max():
            break
        orientation, value = moved
    return orientation, value


def _line_search(
    criterion: Criterion, roots: Array, orientation: Array, value: float, step: Array, gain: float
) -> tuple[Array, float] | None:
    """Halve `step` until the criterion falls; a step whose gain is below rounding only must not lose."""
    for _ in range(_MAX_HALVINGS):
        candidate = orientation @ _rotation(step, roots.shape[-1])
        reached = _value(criterion, roots, candidate)
        if reached <= value - 1e-4 * gain + (_NOISE if gain < _NOISE else 0.0):
            return candidate, reached
        step, gain = 0.5 * step, 0.25 * gain
    return None


def _step(local: _Local) -> tuple[Array, float]:
    """Return the Newton step (P,), negative curvatures turned around, and the gain that it promises."""
    times = local.hessian()
    gradient = local.gradient
    n_planes = len(gradient)
    if n_planes > _MAX_DENSE_PLANES:
        return _conjugate_step(times, gradient, _plane_curvatures(local))
    hessian = times(np.eye(n_planes))
    # Scaling every plane to unit curvature keeps the digits of the wide planes beside the narrow ones.
    scale = _scale(np.diagonal(hessian))
    curvatures, vectors = np.linalg.eigh(hessian * scale * scale[:, None])
    slope = (gradient * scale) @ vectors
    size = np.maximum(np.abs(curvatures), 1e-10)
    length = np.abs(slope) / size
    ridge = curvatures < -1e-6
    length[ridge] = np.maximum(length[ridge], _ESCAPE)
    step = scale * (vectors @ np.where(slope > 0.0, -length, length))
    gain = float((np.abs(slope) * length - 0.5 * curvatures * length**2).sum())
    return _shortened(step, gain)


def _scale(curvatures: Array) -> Array:
    size = np.abs(curvatures)
    return 1.0 / np.sqrt(np.maximum(size, 1e-10 * max(float(size.max()), 1e-4)))


def _shortened(step: Array, gain: float) -> tuple[Array, float]:
    longest = float(np.abs(step).max())
    return (step, gain) if longest <= _LONGEST else (step * (_LONGEST / longest), gain * _LONGEST / longest)


def _plane_curvatures(local: _Local) -> Array:
    """Second derivatives (P,) in single planes, without the criterion's own curvature."""
    rows, cols = _planes(local.spreads.shape[1])
    relative = np.tensordot(local.weights, local.spreads[:, :, None] / local.spreads[:, None, :], axes=1)
    correlation = np.tensordot(local.weights, local.ratios**2, axes=1)
    one_way = relative - 2.0 * correlation
    return 2.0 * (one_way[rows, cols] + one_way[cols, rows] - 2.0)


def _conjugate_step(
    times: Callable[[Array], Array], gradient: Array, curvatures: Array
) -> tuple[Array, float]:
    """Solve the Newton equations by preconditioned conjugate gradients, up to the first negative curvature."""
    inverse = _scale(curvatures) ** 2
    step = np.zeros_like(gradient)
    residual = -gradient
    direction = inverse * residual
    size = first = float(residual @ direction)
    gain = 0.0
    for _ in range(len(gradient)):
        if size <= 1e-4 * min(first, 1.0) * first or size <= 0.0:
            break
        image = times(direction)
        curvature = float(direction @ image)
        if curvature <= 1e-6 * size:
            if gain == 0.0:
                step, gain = direction, size
            break
        step = step + (size / curvature) * direction
        gain += 0.5 * size * size / curvature
        residual = residual - (size / curvature) * image
        after = float(residual @ (inverse * residual))
        direction = inverse * residual + (after / size) * direction
        size = after
    return _shortened(step, gain)


# Hops from plane to plane


def _hop(criterion: Criterion, roots: Array, orientation: Array, value: float) -> Array:
    """Leave an optimum that turning a single plane can better, descend again, until none can."""
    for _ in range(_MAX_HOPS):
        turned = _best_turn(criterion, roots, orientation)
        after, reached = _descend(criterion, roots, turned)
        if reached >= value - _NOISE:
            break
        orientation, value = after, reached
    return orientation


def _best_turn(criterion: Criterion, roots: Array, orientation: Array) -> Array:
    """Turn the one plane, by one of many angles, that lowers the criterion most.

    Turned by t, the off-diagonal of a 2 x 2 block is o(t) = w_ij cos 2t - (w_ii - w_jj)/2 sin 2t, and the product of its
    diagonal is its determinant plus o(t)^2. The angles are a grid and, for its narrow wells, each component's
    own solution of o(t) = 0.
    """
    local = _local(criterion, roots, orientation)
    rows, cols = _planes(roots.shape[-1])
    first, second = local.spreads[:, rows], local.spreads[:, cols]  # (K, P)
    across, apart = local.products[:, rows, cols], 0.5 * (first - second)
    own = 0.5 * np.arctan2(across, apart)
    grid = np.linspace(-0.25 * np.pi, 0.25 * np.pi, _N_ANGLES, endpoint=False)
    angles = np.concatenate([own, np.broadcast_to(grid[:, None], (_N_ANGLES, len(rows)))])  # (T, P)
    turned = across * np.cos(2.0 * angles)[:, None] - apart * np.sin(2.0 * angles)[:, None]  # (T, K, P)
    product = first * second
    change = np.log(np.maximum(product - across**2, 0.0) + turned**2 + 1e-300) - np.log(product)
    spreads = np.log(local.spreads).sum(axis=1) + change.transpose(0, 2, 1)
    turn, plane = np.unravel_index(criterion.value(spreads).argmin(), angles.shape)
    return orientation @ _plane_rotation(len(orientation), rows[plane], cols[plane], angles[turn, plane])


def _plane_rotation(n_features: int, i: int, j: int, angle: float) -> Array:
    rotation = np.eye(n_features)
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[j, i], rotation[i, j] = np.sin(angle), -np.sin(angle)
    return rotation


# Angles and rotations


@lru_cache(maxsize=64)
def _planes(n_features: int) -> tuple[Integers, Integers]:
    """The two axes, i < j, of every coordinate plane."""
    rows, cols = np.triu_indices(n_features, 1)
    return rows.astype(np.int64), cols.astype(np.int64)


def _skew(angles: Array, n_features: int) -> Array:
    """Skew-symmetric matrices (..., D, D) with `angles` (..., P) above the diagonal."""
    rows, cols = _planes(n_features)
    skew = np.zeros((*angles.shape[:-1], n_features, n_features))
    skew[..., rows, cols] = angles
    skew[..., cols, rows] = -angles
    return skew


def _rotation(angles: Array, n_features: int) -> Array:
    """Cayley's rotation (I - X/2)^-1 (I + X/2), equal to exp(X) up to the third order."""
    half = 0.5 * _skew(angles, n_features)
    identity = np.eye(n_features)
    return np.linalg.solve(identity - half, identity + half)


def _value(criterion: Criterion, roots: Array, orientation: Array) -> float:
    return float(criterion.value(log_spreads(roots, orientation).sum(axis=-1)))
