"""Newton's descent on the orthogonal group, for criteria of the spreads along common axes.

A step is a rotation of all coordinate planes at once. Negative curvatures are turned around, so that it always
points down, and planes are scaled to unit curvature, so that nearly singular components cost no digits. Several
descents run together, as one batch of small matrices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gaussmix._linalg import Array, Integers

# Criteria are in nats per unit mass. A gain below NOISE cannot be told from the criterion's own rounding.
NOISE = 1e-12
LAST_GAIN = 1e-22
_MAX_STEPS = 200
_MAX_HALVINGS = 40
# The largest entry of a step, in radians; a rotation by pi/2 only swaps two axes.
_LONGEST = 0.6
# How far to go, in units set by the curvature, down a ridge along which the gradient is zero.
_ESCAPE = 0.1
# A criterion of less curvature changes by less than this in a whole turn.
_FLAT = 1e-8
# Scaled curvatures above this size are not rounding.
_RIDGE = 1e-6
# With more planes than this, the Newton equations are solved by conjugate gradients, one descent at a time.
_MAX_DENSE_PLANES = 66


class Criterion(ABC):
    """What the orientation minimises, a function of the components' log spreads (K,), per unit mass."""

    @abstractmethod
    def value(self, spreads: Array) -> Array:
        """Values (...) for log spreads (..., K)."""

    @abstractmethod
    def gradient(self, spreads: Array) -> Array:
        """Derivatives (..., K): positive, with sum one."""

    @abstractmethod
    def curvature(self, spreads: Array) -> Array | None:
        """Second derivatives (..., K, K); None when they are zero."""


def log_spreads(roots: Array, orientation: Array) -> Array:
    """log(d_j' W_k d_j) (..., K, D) for orientations (..., D, D)."""
    images = np.swapaxes(roots, -1, -2) @ orientation[..., None, :, :]
    return np.log(np.square(images).sum(axis=-2))


def values_at(criterion: Criterion, roots: Array, orientations: Array) -> Array:
    """Return the criterion's values (S,) at orientations (S, D, D)."""
    return criterion.value(log_spreads(roots, orientations).sum(axis=-1))


def spread_products(roots: Array, orientations: Array) -> tuple[Array, Array]:
    """Return d_j' W_k d_j (..., K, D) and d_i' W_k d_j (..., K, D, D) for orientations (..., D, D)."""
    images = np.swapaxes(roots, -1, -2) @ orientations[..., None, :, :]
    return np.square(images).sum(axis=-2), np.swapaxes(images, -1, -2) @ images


def is_dense(n_features: int) -> bool:
    """Whether Newton's equations for D features are solved directly, and several descents together."""
    return n_features * (n_features - 1) // 2 <= _MAX_DENSE_PLANES


def descend(
    criterion: Criterion,
    roots: Array,
    starts: Array,
    last_gain: float = LAST_GAIN,
    max_steps: int = _MAX_STEPS,
) -> tuple[Array, Array]:
    """Follow Newton's steps from each of `starts` (S, D, D) until one would gain less than `last_gain`.

    Where gains are below the criterion's rounding, they go on while the gradient still falls. Unless
    `is_dense(D)`, S must be one.

    Returns
    -------
    orientations : array (S, D, D)
        Where the descents ended.
    values : array (S,)
        The criterion there: nowhere above its value at the start.
    """
    orientations, values = starts.copy(), values_at(criterion, roots, starts)
    live = np.arange(len(starts))
    pulls = np.full(len(starts), np.inf)
    for _ in range(max_steps):
        local = _local(criterion, roots, orientations[live])
        gradients = local.gradient()
        steps, gains = _steps(local, gradients)
        pull = np.abs(gradients).max(axis=1)
        moving = (gains >= last_gain) & ((gains >= NOISE) | (pull < 0.5 * pulls[live]))
        pulls[live] = pull
        live = live[moving]
        if not live.size:
            break
        done = _line_search(criterion, roots, orientations[live], values[live], steps[moving], gains[moving])
        live = live[done[0]]
        orientations[live], values[live] = done[1], done[2]
    return orientations, values


def _line_search(
    criterion: Criterion, roots: Array, orientations: Array, values: Array, steps: Array, gains: Array
) -> tuple[Integers, Array, Array]:
    """Halve `steps` until the criterion falls; return which of them did fall, to where, and how low.

    A step whose gain is below rounding only must not lose.
    """
    slack = np.where(gains < NOISE, NOISE, 0.0)
    ends, reached = orientations.copy(), values.copy()
    pending = np.arange(len(values))
    for _ in range(_MAX_HALVINGS):
        tried = orientations[pending] @ _rotations(steps[pending], roots.shape[-1])
        value = values_at(criterion, roots, tried)
        good = value <= (values - 1e-4 * gains + slack)[pending]
        ends[pending[good]], reached[pending[good]] = tried[good], value[good]
        pending = pending[~good]
        if not pending.size:
            break
        steps, gains = 0.5 * steps, 0.25 * gains
    fallen = np.delete(np.arange(len(values)), pending)
    return fallen, ends[fallen], reached[fallen]


def _steps(local: _Local, gradients: Array) -> tuple[Array, Array]:
    """Return Newton's steps (S, P), negative curvatures turned around, and the gains (S,) they promise."""
    times = local.hessian()
    if not is_dense(local.spreads.shape[2]):
        return _conjugate_step(times, gradients, _plane_curvatures(local))
    hessians = times(np.eye(gradients.shape[1])[None])
    # Scaling every plane to unit curvature keeps the digits of the wide planes beside the narrow ones.
    scale = _scale(np.diagonal(hessians, axis1=1, axis2=2))
    curvatures, vectors = np.linalg.eigh(hessians * scale[:, None, :] * scale[:, :, None])
    slopes = ((gradients * scale)[:, None, :] @ vectors)[:, 0]
    lengths = np.abs(slopes) / np.maximum(np.abs(curvatures), 1e-10)
    lengths = np.where(curvatures < -_RIDGE, np.maximum(lengths, _ESCAPE), lengths)
    steps = scale * (vectors @ np.where(slopes > 0.0, -lengths, lengths)[..., None])[..., 0]
    return _shortened(steps, (np.abs(slopes) * lengths - 0.5 * curvatures * lengths**2).sum(axis=1))


def _scale(curvatures: Array) -> Array:
    """Return what brings curvatures (S, P) to one; those that are rounding, as of round components, stay small."""
    sizes = np.abs(curvatures)
    floor = np.maximum(1e-10 * sizes.max(axis=-1, keepdims=True), _FLAT)
    return 1.0 / np.sqrt(np.maximum(sizes, floor))


def _shortened(steps: Array, gains: Array) -> tuple[Array, Array]:
    factor = _LONGEST / np.maximum(np.abs(steps).max(axis=1), _LONGEST)
    return steps * factor[:, None], gains * factor


def _plane_curvatures(local: _Local) -> Array:
    """Second derivatives (S, P) in single planes, without the criterion's own curvature."""
    rows, cols = coordinate_planes(local.spreads.shape[2])
    relative = local.spreads[..., :, None] / local.spreads[..., None, :]
    one_way = (local.weights[:, :, None, None] * (relative - 2.0 * local.ratios**2)).sum(axis=1)
    return 2.0 * (one_way[:, rows, cols] + one_way[:, cols, rows] - 2.0)


def _conjugate_step(times: Callable[[Array], Array], gradients: Array, curvatures: Array) -> tuple[Array, Array]:
    """Solve one descent's Newton equations by conjugate gradients, up to the first negative curvature."""
    (gradient,) = gradients
    (inverse,) = _scale(curvatures) ** 2
    step, gain = np.zeros_like(gradient), 0.0
    residual = -gradient
    direction = inverse * residual
    size = first = float(residual @ direction)
    for _ in range(len(gradient)):
        if size <= 1e-4 * min(first, 1.0) * first:
            break
        image = times(direction[None, None])[0, 0]
        curvature = float(direction @ image)
        if curvature <= _RIDGE * size:
            step, gain = (direction, size) if gain == 0.0 else (step, gain)
            break
        step = step + (size / curvature) * direction
        gain += 0.5 * size * size / curvature
        residual = residual - (size / curvature) * image
        after = float(residual @ (inverse * residual))
        direction = inverse * residual + (after / size) * direction
        size = after
    return _shortened(step[None], np.array([gain]))


@dataclass(frozen=True, eq=False)
class _Local:
    """The criterion around S orientations, in the rotation angles of their P = D(D-1)/2 coordinate planes."""

    spreads: Array  # (S, K, D), not logs
    products: Array  # (S, K, D, D): d_i' W_k d_j
    ratios: Array  # (S, K, D, D): the same over d_j' W_k d_j
    weights: Array  # (S, K)
    slopes: Array  # (S, K, P): gradients of the log spreads
    bend: Array | None  # (S, K, K)

    def gradient(self) -> Array:
        """Gradients (S, P) of the criterion."""
        return (self.weights[:, None, :] @ self.slopes)[:, 0]

    def hessian(self) -> Callable[[Array], Array]:
        """Return the map from angles (S or 1, N, P) to the Hessians times them.

        Under the rotation I + X + X X / 2 + ... the quadratic term of the weighted log spreads is
        sum_j x_j' B_j x_j + tr(M X X), with B_j = sum_k w_k (W_k / w_jj - 2 r_j r_j'), r_j = column j of W_k
        over w_jj, and M = sum_k w_k (r_1 ... r_D)'.
        """
        count, n_components, n_features = self.spreads.shape
        means = (self.weights[..., None] / self.spreads).transpose(0, 2, 1)
        means = means @ self.products.reshape(count, n_components, -1)
        columns = self.ratios.transpose(0, 3, 2, 1)
        outer = (columns * self.weights[:, None, None, :]) @ columns.transpose(0, 1, 3, 2)
        blocks = 2.0 * means.reshape(count, n_features, n_features, n_features) - 4.0 * outer
        mean_ratio = (self.weights[:, :, None, None] * self.ratios).sum(axis=1)[:, None]
        rows, cols = coordinate_planes(n_features)

        def times(angles: Array) -> Array:
            skew = _skew(angles, n_features)
            image = (blocks @ skew.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1)
            image = image - mean_ratio @ skew - skew @ mean_ratio
            product = image[..., rows, cols] - image[..., cols, rows]
            if self.bend is not None:
                product = product + angles @ self.slopes.transpose(0, 2, 1) @ self.bend @ self.slopes
            return product

        return times


def _local(criterion: Criterion, roots: Array, orientations: Array) -> _Local:
    spreads, products = spread_products(roots, orientations)
    ratios = products / spreads[..., None, :]
    rows, cols = coordinate_planes(roots.shape[-1])
    slopes = 2.0 * (ratios[..., rows, cols] - ratios[..., cols, rows])
    logs = np.log(spreads).sum(axis=-1)
    return _Local(spreads, products, ratios, criterion.gradient(logs), slopes, criterion.curvature(logs))


@lru_cache(maxsize=64)
def coordinate_planes(n_features: int) -> tuple[Integers, Integers]:
    """The two axes, i < j, of every coordinate plane."""
    rows, cols = np.triu_indices(n_features, 1)
    return rows.astype(np.int64), cols.astype(np.int64)


def _skew(angles: Array, n_features: int) -> Array:
    """Skew-symmetric matrices (..., D, D) with `angles` (..., P) above the diagonal."""
    rows, cols = coordinate_planes(n_features)
    skew = np.zeros((*angles.shape[:-1], n_features, n_features))
    skew[..., rows, cols] = angles
    skew[..., cols, rows] = -angles
    return skew


def _rotations(angles: Array, n_features: int) -> Array:
    """Cayley's rotations (I - X/2)^-1 (I + X/2), equal to exp(X) up to the third order."""
    half = 0.5 * _skew(angles, n_features)
    identity = np.eye(n_features)
    return np.asarray(np.linalg.solve(identity - half, identity + half), np.float64)
