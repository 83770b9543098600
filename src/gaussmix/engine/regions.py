"""Regions and overlaps of mixtures: ellipses, highest-density regions, affinities. Pure arithmetic, no picture.

`docs/mathematics.md` has the formulas, under what pictures and reports show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gaussmix._linalg import Array, log_determinants
from gaussmix.mixture import Mixture


def separation(mixture: Mixture) -> Array:
    """Share (D,) of every feature's variance that lies between the components: 0 where they have one mean."""
    weights, centres = mixture.weights, mixture.centres
    between = weights @ np.square(centres - weights @ centres)
    within = weights @ np.broadcast_to(mixture.spread.variances(), centres.shape)
    return between / (between + within)


def telling(mixture: Mixture, most: int) -> list[int]:
    """Positions, in their order, of the `most` features that tell the components apart best."""
    ranked = np.argsort(-separation(mixture), kind="stable")[:most]
    return sorted(int(i) for i in ranked)


def ellipses(mixture: Mixture, features: tuple[int, int], coverage: float, n_points: int = 121) -> Array:
    """Outlines (K, points, 2) of the regions that hold `coverage` of each component's mass, in two of its features.

    In two dimensions the chi-square quantile is -2 log(1 - coverage).
    """
    marginal = mixture.marginal(features)
    radius = np.sqrt(-2.0 * np.log1p(-coverage))
    angles = np.linspace(0.0, 2.0 * np.pi, n_points)
    circle = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    outlines = [marginal.centres[k] + marginal.spread.color(k, circle) for k in range(mixture.n_components)]
    return np.stack([marginal.coordinates.outward(outline) for outline in outlines])


def span(mixture: Mixture, feature: int, deviations: float = 3.5) -> tuple[float, float]:
    """Return the interval that reaches so many standard deviations beyond every component's mean."""
    means, spreads = mixture.means[:, feature], mixture.standard_deviations[:, feature]
    return float((means - deviations * spreads).min()), float((means + deviations * spreads).max())


def density_on_grid(
    mixture: Mixture, features: tuple[int, int], x_range: tuple[float, float], y_range: tuple[float, float], size: int
) -> tuple[Array, Array, Array]:
    """Return the cells' centres along x and y (size,) and the density of two features there (size, size), y by x."""
    x, y = (np.linspace(*each, 2 * size + 1)[1::2] for each in (x_range, y_range))
    points = np.column_stack([each.ravel() for each in np.meshgrid(x, y)])
    return x, y, np.exp(mixture.marginal(features).log_prob(points)).reshape(size, size)


def region_levels(density: Array, coverages: Sequence[float]) -> Array:
    """Densities above which these shares of the mass on a grid of equal cells lie: highest-density regions.

    They are the quantiles of the density under itself (Hyndman 1996).
    """
    ordered = np.sort(density, axis=None)[::-1]
    mass = np.cumsum(ordered)
    places = np.searchsorted(mass, np.asarray(coverages) * mass[-1])
    return ordered[np.minimum(places, len(ordered) - 1)]


def affinities(mixture: Mixture) -> Array:
    """Bhattacharyya coefficients (K, K) of the components' densities: 1 where they are the same, 0 where far apart.

    The integral of sqrt(p_j p_k), closed-form for Gaussians; weights do not enter.
    """
    count = mixture.n_components
    dense = mixture.spread.dense()
    dense = np.broadcast_to(dense, (count, *dense.shape[1:]))
    half = 0.5 * np.broadcast_to(mixture.spread.log_determinants(), (count,))
    found = np.eye(count)
    for j in range(1, count):
        factors = np.asarray(np.linalg.cholesky(0.5 * (dense[j] + dense[:j])))
        white = np.linalg.solve(factors, (mixture.centres[j] - mixture.centres[:j])[:, :, None])[:, :, 0]
        exponents = 0.125 * np.square(white).sum(axis=1) + 0.5 * (log_determinants(factors) - half[j] - half[:j])
        found[j, :j] = found[:j, j] = np.exp(-exponents)
    return found
