"""Sixty simulated problems, from easy to hard: how good the optimum is that a call comes to, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.choice import chosen
from benchmarks.simulation import Array, Parameters

Overlap = Literal["small", "medium", "large"]
Weights = Literal["equal", "unequal"]

MISPLACED: dict[Overlap, float] = {"small": 0.02, "medium": 0.08, "large": 0.25}
"""Rows that the simulated mixture takes for another component's, as a share of those that the largest lacks."""
_LIKENESS: dict[Overlap, float] = {"small": 0.3, "medium": 0.6, "large": 0.8}
"""Share of the covariances that all components have in common: with many features, shapes alone tell them apart."""
_LEAST_WEIGHT = 0.01
_ROWS_PER_FEATURE, _ROWS_PER_PARAMETER = 3, 1.25  # of the smallest component, at least
_TRIAL_ROWS = 4000
_HALVINGS = 24


@dataclass(frozen=True)
class Problem:
    """Rows of K Gaussians, by words and a seed.

    Parameters
    ----------
    n_rows, n_features, n_components : int
        N, D and K.
    overlap : {"small", "medium", "large"}
        How far the components reach into each other; see `MISPLACED`.
    weights : {"equal", "unequal"}
        Unequal ones fall in equal ratios to 1 %, or to what gives the smallest component 3 (D + 1) rows, and a quarter
        more than its covariance has parameters: gaussmix would mark the simulated mixture itself otherwise.
    seed : int
        Of the components and the rows.
    """

    n_rows: int
    n_features: int
    n_components: int
    overlap: Overlap
    weights: Weights
    seed: int = 0

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"{self.n_rows}x{self.n_features}-k{self.n_components}-{self.overlap}-{self.weights}"

    def counts(self) -> NDArray[np.int64]:
        """Rows (K,) of each component, largest first."""
        n, k = self.n_rows, self.n_components
        shares = np.full(k, 1.0 / k)
        if self.weights == "unequal":
            d = self.n_features
            rows = max(_ROWS_PER_FEATURE * (d + 1), _ROWS_PER_PARAMETER * d * (d + 1) / 2)
            shares = _falling(k, max(_LEAST_WEIGHT, rows / n))
        counts = np.ceil(shares * n).astype(np.int64)
        counts[0] -= counts.sum() - n
        return counts

    def mixture(self) -> Parameters:
        """Return the mixture that the rows come from.

        Means are normal; covariances are A A'/D with A normal, averaged with a common one, plus a tenth of the
        identity. The means are then moved apart or together until the overlap is as wanted.
        """
        d, k = self.n_features, self.n_components
        rng = np.random.default_rng([self.seed, d, k])
        roots = rng.standard_normal((k + 1, d, d))
        shapes, common = roots @ roots.transpose(0, 2, 1) / d, _LIKENESS[self.overlap]
        covariances = (1.0 - common) * shapes[:k] + common * shapes[k] + 0.1 * np.eye(d)
        directions = rng.standard_normal((k, d))
        weights = self.counts() / self.n_rows
        wanted = MISPLACED[self.overlap] * (1.0 - weights.max())
        low, high = 0.0, 40.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            found = misplaced(Parameters(weights, middle * directions, covariances), self.seed)
            low, high = (middle, high) if found > wanted else (low, middle)
        return Parameters(weights, high * directions, covariances)

    def rows(self) -> Array:
        """Return the rows (N, D), in random order."""
        mixture = self.mixture()
        rng = np.random.default_rng([self.seed, self.n_rows, self.n_features, self.n_components])
        x = _drawn(mixture, self.counts(), rng)[0]
        return np.ascontiguousarray(x[rng.permutation(self.n_rows)])


def misplaced(mixture: Parameters, seed: int) -> float:
    """Share of a few simulated rows that the mixture takes for those of another component."""
    rng = np.random.default_rng([seed, _TRIAL_ROWS])
    counts = np.maximum(1, np.rint(_TRIAL_ROWS * mixture.weights)).astype(np.int64)
    x, labels = _drawn(mixture, counts, rng)
    scores = np.empty((len(x), len(counts)))
    for j, (weight, mean, covariance) in enumerate(zip(*mixture, strict=True)):
        factor = np.linalg.cholesky(covariance)
        white = np.linalg.solve(factor, (x - mean).T)
        scores[:, j] = np.log(weight) - np.log(np.diag(factor)).sum() - 0.5 * np.square(white).sum(axis=0)
    return float((scores.argmax(axis=1) != labels).mean())


def _drawn(mixture: Parameters, counts: NDArray[np.int64], rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    labels = np.repeat(np.arange(len(counts)), counts)
    x = rng.standard_normal((len(labels), mixture.means.shape[1]))
    for j, (mean, covariance) in enumerate(zip(mixture.means, mixture.covariances, strict=True)):
        mine = labels == j
        x[mine] = mean + x[mine] @ np.linalg.cholesky(covariance).T
    return x, labels


def _falling(n: int, least: float) -> Array:
    """Weights in equal ratios that sum to 1, of which the last is `least`."""
    if least * n >= 1.0:
        raise ValueError(f"{n} weights of at least {least} sum to more than 1; give the problem more rows")
    low, high = 1.0, 1.0 / least
    for _ in range(100):
        ratio = 0.5 * (low + high)
        low, high = (ratio, high) if least * (ratio ** np.arange(n)).sum() < 1.0 else (low, ratio)
    shares = least * high ** np.arange(n)[::-1]
    return shares / shares.sum()


_SIZES = (
    *((500, 2, 3), (500, 4, 3), (500, 2, 6), (1000, 8, 3), (1000, 2, 8), (1000, 4, 5)),
    *((2000, 2, 12), (2000, 8, 6), (2000, 16, 4), (5000, 2, 16), (5000, 4, 8), (5000, 32, 4)),
    *((10_000, 3, 12), (10_000, 8, 8), (10_000, 4, 32), (20_000, 2, 8), (20_000, 16, 6), (50_000, 4, 6)),
    *((200_000, 2, 4), (200_000, 8, 3)),
)
_OVERLAPS: tuple[Overlap, ...] = ("small", "medium", "large")
_KINDS: tuple[Weights, ...] = ("equal", "unequal")

PROBLEMS = tuple(
    Problem(*size, overlap, _KINDS[(i + j) % 2]) for i, size in enumerate(_SIZES) for j, overlap in enumerate(_OVERLAPS)
)


def named(names: list[str]) -> list[Problem]:
    """Return the problems of those names, as `choice.chosen` does."""
    problems = {problem.name: problem for problem in PROBLEMS}
    return [problems[name] for name in chosen(names, list(problems), "problem")]
