"""Rows and starts, from a case and its seed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case

Array = NDArray[np.float64]
ROOT = Path(__file__).resolve().parent.parent


class Parameters(NamedTuple):
    """A mixture as every rival can be given it: weights (K,), means (K, D), covariances (K, D, D)."""

    weights: Array
    means: Array
    covariances: Array


def rows(case: Case) -> Array:
    """Return the case's rows (N, D), in C order.

    Simulated rows come from K Gaussians: equal weights; means normal with standard deviation 3; covariances A A'/D
    with A normal, plus a tenth of the identity. With a condition number, all rows are then multiplied by a random
    rotation, by scales from 1 to 1/sqrt(condition) in equal ratios, and by another rotation.
    """
    if case.file:
        return np.loadtxt(ROOT / case.file, delimiter=",", skiprows=1, usecols=range(case.n_features))
    rng = np.random.default_rng([case.seed, case.n_features, case.n_components])
    d = case.n_features
    labels = rng.integers(case.n_components, size=case.n_rows)
    x = rng.standard_normal((case.n_rows, d))
    for k in range(case.n_components):
        mean, root = 3.0 * rng.standard_normal(d), rng.standard_normal((d, d))
        factor = np.linalg.cholesky(root @ root.T / d + 0.1 * np.eye(d))
        mine = labels == k
        x[mine] = mean + x[mine] @ factor.T
    if case.condition > 1.0:
        first, second = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
        x = x @ (first * np.geomspace(1.0, case.condition**-0.5, d)) @ second
    return np.ascontiguousarray(x)


def start(case: Case, x: Array) -> Parameters:
    """Return the start: equal weights, K distinct rows as means, and the covariance of all rows for everybody."""
    rng = np.random.default_rng([case.seed, 1])
    k = case.n_components
    chosen = rng.choice(len(x), k, replace=False)
    common = np.cov(x.T).reshape(case.n_features, case.n_features)
    if case.structure == "diagonal":
        common = np.diag(np.diag(common))
    return Parameters(np.full(k, 1.0 / k), x[chosen], np.repeat(common[None], k, axis=0))
