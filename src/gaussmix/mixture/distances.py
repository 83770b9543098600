"""How far the components of two mixtures are apart: closed forms for pairs of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array, factor_of_root, read_only, solve_lower
from gaussmix.mixture.mixture import Mixture

DISTANCES = ("hellinger", "kullback_leibler", "means")


@final
@dataclass(frozen=True, eq=False)
class Distances:
    """Distances between every component of one mixture and every one of another, weights left aside.

    Parameters
    ----------
    hellinger : array (K, L)
        sqrt(1 - overlap): 0 where the Gaussians are the same, 1 where they have nothing in common.
    kullback_leibler : array (K, L)
        Symmetric: the mean of both directions.
    means : array (K, L)
        Between the means, in standard deviations of the pooled covariance (Sigma_a + Sigma_b) / 2.
    overlap : array (K, L)
        The integral of the root of the product of both densities (Bhattacharyya 1943).
    """

    hellinger: Array
    kullback_leibler: Array
    means: Array
    overlap: Array

    def __post_init__(self) -> None:
        for name in ("hellinger", "kullback_leibler", "means", "overlap"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def named(self, distance: str) -> Array:
        """Return the distances (K, L) of that name, one of `DISTANCES`."""
        return {"hellinger": self.hellinger, "kullback_leibler": self.kullback_leibler, "means": self.means}[distance]


def distances(a: Mixture, b: Mixture) -> Distances:
    """Return how far every component of `a` is from every component of `b`.

    Covariances enter as factors: the pooled one by an orthogonal reduction, so that thin components keep their digits.
    """
    b = b.expressed_in(a.coordinates)
    shape = (a.n_components, b.n_components)
    root, divergence, apart = np.empty(shape), np.empty(shape), np.empty(shape)
    # What is beyond float64 is infinitely far, and has no overlap.
    with np.errstate(over="ignore"):
        for i in range(shape[0]):
            for j in range(shape[1]):
                root[i, j], divergence[i, j], apart[i, j] = _pair(a, i, b, j)
        # 1 - exp(-B) for B near zero would lose all digits.
        return Distances(np.sqrt(-np.expm1(-root)), divergence, apart, np.exp(-root))


def _pair(a: Mixture, i: int, b: Mixture, j: int) -> tuple[float, float, float]:
    """Bhattacharyya's distance, half Jeffreys' divergence, and the pooled distance of means."""
    left, right = a.spread.triangles()[a.spread.group(i)], b.spread.triangles()[b.spread.group(j)]
    step = (a.centres[i] - b.centres[j])[None]
    pooled = factor_of_root(np.concatenate([left, right], axis=1) * np.sqrt(0.5))
    apart = float(np.linalg.norm(solve_lower(pooled, step)))
    # 1/2 log |pooled| - 1/4 log |left right| as a sum over the eigenvalues of one covariance relative to the other:
    # log cosh of half their logs, which is never negative and keeps its digits where the two are nearly the same.
    ratios = np.linalg.svd(solve_lower(right, np.ascontiguousarray(left.T)), compute_uv=False)
    logs = np.log(ratios)
    shapes = 0.5 * float(np.log1p(2.0 * np.sinh(0.5 * logs) ** 2).sum())
    volumes = float(np.square(solve_lower(left, step)).sum() + np.square(solve_lower(right, step)).sum())
    return shapes + 0.125 * apart**2, float(np.square(np.sinh(logs)).sum()) + 0.25 * volumes, apart
