"""Quantiles of the rows' distances from their components, which are chi-square's where components are Gaussian."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.distances import squared_distances
from gaussmix.engine.portrait import Portrait

_POINTS = 100


def distance_quantiles(portrait: Portrait, n_points: int = _POINTS) -> tuple[Array, Array]:
    """Return upper tail probabilities (Q,), and the squared distances (Q,) that these shares of the sample exceed.

    Every row counts towards every component by its responsibility: then the distribution is chi-square with D degrees
    exactly where the mixture is right, however much its components overlap. Of a large sample half of
    the probabilities are evenly spread, half go down in equal ratios to one row.
    """
    rows, weights = portrait.summary.sample, portrait.summary.sample_weights
    shares = (portrait.scores.responsibilities * weights[:, None]).ravel()
    squares = squared_distances(portrait.mixture, rows).ravel()
    order = np.argsort(squares, kind="stable")
    above = np.cumsum(shares[order][::-1])[::-1] / shares.sum()
    tails = _tails(len(rows), n_points)
    places = np.searchsorted(-above, -tails, side="right") - 1
    return tails, squares[order][np.maximum(places, 0)]


def _tails(n_rows: int, n_points: int) -> Array:
    if n_rows <= n_points:
        return (np.arange(n_rows)[::-1] + 0.5) / n_rows
    even = (np.arange(n_points // 2) + 0.5) / (n_points // 2)
    rare = np.geomspace(0.1, 0.5 / n_rows, n_points - len(even))
    return np.unique(np.concatenate([even, rare]))[::-1]
