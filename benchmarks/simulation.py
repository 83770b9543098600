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


class Data(NamedTuple):
    """Rows (N, D) in C order, and the component (N,) that each was drawn from where that is known."""

    x: Array
    labels: NDArray[np.int64] | None


def rows(case: Case) -> Data:
    """Return the case's rows.

    Simulated rows come from K Gaussians: equal weights; means normal with standard deviation 3; covariances A A'/D
    with A normal, plus a tenth of the identity. With a condition number, all rows are then multiplied by a random
    rotation, by scales from 1 to 1/sqrt(condition) in equal ratios, and by another rotation.
    """
    if case.file:
        return Data(np.loadtxt(ROOT / case.file, delimiter=",", skiprows=1, usecols=range(case.n_features)), None)
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
    return Data(np.ascontiguousarray(x), labels)


def start(case: Case, data: Data) -> Parameters:
    """Return the start: equal weights, rough means, and the covariance of all rows for everybody.

    Means lie halfway between the mean of all rows and that of the rows drawn from the component. Rows as means would
    leave some component with fewer rows than features where there are many features.
    """
    x, labels = data
    assert labels is not None
    k = case.n_components
    means = np.array([(x.mean(axis=0) + x[labels == j].mean(axis=0)) / 2.0 for j in range(k)])
    common = np.cov(x.T).reshape(case.n_features, case.n_features)
    if case.structure == "diagonal":
        common = np.diag(np.diag(common))
    return Parameters(np.full(k, 1.0 / k), means, np.repeat(common[None], k, axis=0))
