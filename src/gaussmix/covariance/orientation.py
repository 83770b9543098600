"""The one hard routine: the best orientation that all components share (families EVE and VVE).

Given an orientation, volumes and shapes have closed forms, and what is left of the likelihood depends on the
log spreads s_k = sum_j log(d_j' W_k d_j) alone: through sum_k n_k s_k for VVE, the criterion of Flury &
Gautschi (1986, "An algorithm for simultaneous orthogonal transformation of several positive definite
symmetric matrices to nearly diagonal form", SIAM J. Sci. Stat. Comput. 7), and through log sum_k exp(s_k / D)
for EVE (Celeux & Govaert 1995; Browne & McNicholas 2014, "Estimating common principal components in high
dimensions", Adv. Data Anal. Classif. 8). Those papers' iterations are monotone but linear, and stall where
two nearly singular components share an axis. Here every step is Newton's on the orthogonal group, with
negative curvatures turned around so that it goes down: quadratic at the end, and of the right length far out,
where the criterion looks like log|angle|. The best of several descents is then searched plane by plane, all
the way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance.descent import (
    NOISE,
    Criterion,
    coordinate_planes,
    descend,
    is_dense,
    spread_products,
    values_at,
)
from gaussmix.covariance.storage import Covariances

# In nats per unit mass. A start that gains more was not near a stationary point: others are worth their time.
_LARGE_GAIN = 0.01
# Other starts are followed this many steps, or until one gains less; only the best goes on to the end.
_SCREENING_STEPS = 12
_SCREENING_GAIN = 1e-5
# How many are followed, times D: their cost grows with the cube of D, their worth does not.
_FOLLOWED_AXES = 64
_MAX_FOLLOWED = 16
_MAX_HOPS = 50
_N_ANGLES = 16


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
        return np.broadcast_to(self.shares, spreads.shape)

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
        volumes = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return volumes / volumes.sum(axis=-1, keepdims=True)

    def curvature(self, spreads: Array) -> Array | None:
        """Covariance of the shares, over D."""
        shares = self.gradient(spreads)
        own = shares[..., None] * np.eye(shares.shape[-1])
        return (own - shares[..., :, None] * shares[..., None, :]) / self.n_features


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
    sure = starts[:0]
    if not thorough:
        values = values_at(criterion, roots, starts)
        sure, reached = descend(criterion, roots, starts[[values.argmin()]])
        if values.min() - reached[0] < _LARGE_GAIN:
            return sure[0]
    more = np.concatenate([starts, _mixed_bases(roots)])
    screened = _screened(criterion, roots, more, np.concatenate([sure, others()]))
    return _hop(criterion, roots, *descend(criterion, roots, screened))


def axes(roots: Array) -> tuple[Array, Array]:
    """Eigenvectors (..., D, D) of R R' and the roots of its eigenvalues (..., D), largest first."""
    rotations, lengths, _ = np.linalg.svd(roots)
    return rotations, lengths


def _mixed_bases(roots: Array) -> Array:
    """Orientations (S, D, D) of every component, and of one's narrowest axes completed by another's.

    A narrow axis is worth much to a component and little to the rest, so good optima are made of such pieces.
    With many features there are too many to try.
    """
    rotations = axes(roots)[0][..., ::-1]
    n_components, n_features = rotations.shape[:2]
    first, second = np.nonzero(~np.eye(n_components, dtype=bool))
    mixed = [rotations]
    for n_axes in range(1, min(n_features, 3) if is_dense(n_features) else 1):
        joined = np.concatenate([rotations[first, :, :n_axes], rotations[second]], axis=2)
        mixed.append(np.linalg.qr(joined)[0])
    return np.concatenate(mixed)


def _screened(criterion: Criterion, roots: Array, starts: Array, sure: Array) -> Array:
    """Follow all that are `sure` and the best of `starts` some way down; return the lowest end (1, D, D)."""
    n_features = roots.shape[-1]
    order = np.argsort(values_at(criterion, roots, starts), kind="stable")
    n_followed = min(_MAX_FOLLOWED, max(1, _FOLLOWED_AXES // n_features))
    followed = np.concatenate([sure, starts[order[:n_followed]]])
    ends = [
        descend(criterion, roots, group, _SCREENING_GAIN, _SCREENING_STEPS)
        for group in np.array_split(followed, 1 if is_dense(n_features) else len(followed))
    ]
    lowest = np.concatenate([values for _, values in ends]).argmin()
    return np.concatenate([orientations for orientations, _ in ends])[[lowest]]


def orientations_of(covariances: Covariances) -> Array:
    """Orientations (S, D, D) of which one diagonalises all `covariances`, if they have one in common.

    Eigenvectors of single covariances are arbitrary where eigenvalues coincide, and in those of a sum wide
    components drown narrow ones. Sums of the logs, with weights that no coincidence is likely to survive,
    have neither fault; two sets of weights make sure.
    """
    rotations, lengths = axes(np.swapaxes(covariances.whiteners(), -1, -2))
    logs = np.log(lengths)
    terms = (rotations * (logs - logs.mean(axis=-1, keepdims=True))[:, None, :]) @ np.swapaxes(rotations, -1, -2)
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    weights = 0.5 + np.arange(1, 2 * len(terms) + 1).reshape(2, -1) * golden % 1.0
    _, vectors = np.linalg.eigh(np.tensordot(weights, terms, axes=1))
    return vectors


# Hops from plane to plane


def _hop(criterion: Criterion, roots: Array, orientation: Array, value: Array) -> Array:
    """Leave an optimum that turning a single plane can better, descend again, until none can."""
    for _ in range(_MAX_HOPS):
        turned = _best_turn(criterion, roots, orientation[0])
        after, reached = descend(criterion, roots, turned[None])
        if reached[0] >= value[0] - NOISE:
            break
        orientation, value = after, reached
    return orientation[0]


def _best_turn(criterion: Criterion, roots: Array, orientation: Array) -> Array:
    """Turn the one plane, by one of many angles, that lowers the criterion most.

    Turned by t, the off-diagonal of a 2 x 2 block is o(t) = w_ij cos 2t - (w_ii - w_jj)/2 sin 2t, and the
    product of its diagonal is its determinant plus o(t)^2. The angles are a grid and, for narrow wells, each
    component's own solution of o(t) = 0.
    """
    rows, cols = coordinate_planes(roots.shape[-1])
    spreads, products = spread_products(roots, orientation)
    first, second, across = spreads[:, rows], spreads[:, cols], products[:, rows, cols]  # (K, P)
    apart = 0.5 * (first - second)
    own = 0.5 * np.arctan2(across, apart)
    grid = np.linspace(-0.25 * np.pi, 0.25 * np.pi, _N_ANGLES, endpoint=False)
    angles = np.concatenate([own, np.broadcast_to(grid[:, None], (_N_ANGLES, len(rows)))])  # (T, P)
    turned = across * np.cos(2.0 * angles)[:, None] - apart * np.sin(2.0 * angles)[:, None]  # (T, K, P)
    product = first * second
    change = np.log(np.maximum(product - across**2, 0.0) + turned**2 + 1e-300) - np.log(product)
    logs = np.log(spreads).sum(axis=1) + change.transpose(0, 2, 1)
    turn, plane = np.unravel_index(criterion.value(logs).argmin(), angles.shape)
    return orientation @ _plane_rotation(len(orientation), rows[plane], cols[plane], angles[turn, plane])


def _plane_rotation(n_features: int, i: int, j: int, angle: float) -> Array:
    rotation = np.eye(n_features)
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[j, i], rotation[i, j] = np.sin(angle), -np.sin(angle)
    return rotation
