"""Starts from a row sample: partitions and seed rows, found once and used by every structure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, cycle, islice
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, Integers
from gaussmix.covariance import Moment, Scatter
from gaussmix.engine.summary import Summary
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.starts.hierarchical import Criterion, Hierarchy, agglomerate, svd_scaled
from gaussmix.fitting.starts.kmeans import kmeans
from gaussmix.fitting.starts.partition import partition
from gaussmix.fitting.starts.quantiles import quantile_groups
from gaussmix.fitting.starts.start import Start
from gaussmix.mixture import Mixture

KINDS = ("hierarchical", "kmeans", "random", "rows")
"""Kinds of starts, in the order in which an automatic choice takes them up."""

HIERARCHY_ROWS = 2000
"""Up to so many rows a hierarchy is built of all of them, above on a sample of half as many."""
_AUTOMATIC = (
    *("hierarchical", "hierarchical-spheres", "kmeans", "random", "rows"),
    *("kmeans", "kmeans", "kmeans", "random", "rows"),
)
_SINGLE = ("hierarchical", "hierarchical-spheres", "quantiles")  # found without lot: one of each
_LOOK = 64  # rows
_SHRINKAGE = 1.0  # rows' worth of the pooled covariance in every start, so that no cluster of few rows starts thin


def is_start(kind: str) -> bool:
    """Whether that is a kind of starts, not of moves out of what was found."""
    return kind in _AUTOMATIC or kind in _SINGLE


@final
class Seeds:
    """The starts of one sample of rows, for any number of components.

    Parameters
    ----------
    summary : Summary
        Holds the sample.
    seed : int
        Every start is a function of this, its kind, its number and K.
    """

    def __init__(self, summary: Summary, seed: int) -> None:
        self._summary = summary
        self.weights = summary.sample_weights
        self._seed = seed
        self._starts: dict[tuple[str, int, int], Start | None] = {}
        self._hierarchies: dict[Criterion, tuple[Hierarchy, NDArray[np.int64]]] = {}

    @cached_property
    def z(self) -> Array:
        """The sample (rows, D) about the mean of all rows, in units of the features' standard deviations."""
        return self._in_units(self._summary.sample)

    @cached_property
    def _distinct(self) -> Array:
        return np.unique(self._summary.sample, axis=0)

    @cached_property
    def _seen(self) -> int:
        """Number of distinct rows among the first few."""
        return len(np.unique(self._summary.sample[:_LOOK], axis=0))

    def _in_units(self, rows: Array) -> Array:
        pilot = self._summary.pilot(True)
        return (rows - self._summary.means) / (pilot.spreads * pilot.coordinates.scale)

    @property
    def n_distinct(self) -> int:
        """Number of distinct rows in the sample."""
        return len(self._distinct)

    def has_distinct(self, count: int) -> bool:
        """Whether there are so many distinct rows; a look at the first ones nearly always tells."""
        return self._seen >= count or self.n_distinct >= count

    def starts(self, n_components: int, kind: str, n_starts: int | None) -> Iterator[Start]:
        """Yield starts of one kind, or of the automatic choice; fewer where the rows allow no more.

        Parameters
        ----------
        n_components : int
            K, at most the number of distinct rows.
        kind : str
            One of `KINDS`, or "auto".
        n_starts : int or None
            How many; by default as many as the automatic choice has of that kind.
        """
        for each, number in _schedule(kind, n_starts, n_components, self.z.shape[1]):
            key = (each, number, n_components)
            if key not in self._starts:
                self._starts[key] = self._start(*key)
            start = self._starts[key]
            if start is not None:
                yield start

    def generator(self, kind: str, number: int, n_components: int) -> np.random.Generator:
        """Return the lots of one start, or of one round of moves."""
        return np.random.default_rng([self._seed, (*_AUTOMATIC, *_SINGLE, "moves").index(kind), number, n_components])

    def _start(self, kind: str, number: int, n_components: int) -> Start | None:
        rng = self.generator(kind, number, n_components)
        if kind == "rows":
            return self._at_rows(n_components, rng)
        rows = np.arange(len(self.z))
        if kind == "quantiles":
            labels = quantile_groups(self.z[:, 0], self.weights, n_components)
        elif kind == "kmeans":
            labels = kmeans(self.z, self.weights, n_components, rng)
        elif kind == "random":
            labels = rng.integers(n_components, size=len(rows))
        else:
            found, rows = self._hierarchy("VVV" if kind == "hierarchical" else "EII")
            labels = found.labels(n_components)
        return self._partition(kind, rows, labels, n_components)

    def _hierarchy(self, criterion: Criterion) -> tuple[Hierarchy, Integers]:
        if criterion not in self._hierarchies:
            rng = np.random.default_rng([self._seed, 0xC1])
            few = len(self.z) <= HIERARCHY_ROWS
            size = len(self.z) if few else HIERARCHY_ROWS // 2
            rows = np.sort(rng.permutation(len(self.z))[:size])
            whitening = 0.5 if criterion == "VVV" else 1.0
            scaled = svd_scaled(self.z[rows], self.weights[rows], whitening=whitening)
            self._hierarchies[criterion] = agglomerate(scaled, self.weights[rows], criterion=criterion), rows
        return self._hierarchies[criterion]

    def _partition(self, kind: str, rows: Integers, labels: Integers, n_components: int) -> Start | None:
        z, w = (self.z, self.weights) if len(rows) == len(self.z) else (self.z[rows], self.weights[rows])
        if not np.bincount(labels, minlength=n_components).all():
            return None
        mass, means, scatters = partition(z, w, labels, n_components)
        pooled = scatters.sum(axis=0) / mass.sum()
        share = (mass / (mass + _SHRINKAGE))[:, None, None]
        return Start(kind, mass, means, share * (scatters + _SHRINKAGE * pooled), kind not in _SINGLE)

    def _at_rows(self, n_components: int, rng: np.random.Generator) -> Start:
        means = self._in_units(self._distinct[rng.choice(self.n_distinct, n_components, replace=False)])
        total = self.weights.sum()
        mass = np.full(n_components, total / n_components)
        centred = self.z - self.weights @ self.z / total
        pooled = (centred * self.weights[:, None]).T @ centred / total
        return Start("rows", mass, means, mass[:, None, None] * pooled)

    def reseed(self, model: Model, mixture: Mixture, dead: NDArray[np.int64]) -> Mixture | None:
        """Put dead components on the rows of the sample that the others explain worst, with their pooled covariance."""
        alive = np.setdiff1d(np.arange(mixture.n_components), dead)
        units = model.pilot.spreads
        left = mixture.take(alive)
        scores = (
            left.expressed_in(model.pilot.coordinates)
            .component_log_prob(model.pilot.coordinates.outward(self.z * units))
            .max(axis=1)
        )
        worst = np.argsort(scores, kind="stable")[: len(dead)]
        if len(worst) < len(dead):
            return None
        centres = mixture.centres.copy()
        centres[dead] = self.z[worst] * units
        mass = mixture.weights.copy()
        mass[dead] = 1.0 / mixture.n_components
        matrices = np.empty((mixture.n_components, len(units), len(units)))
        matrices[alive] = left.spread.dense()
        matrices[dead] = np.average(matrices[alive], axis=0, weights=mass[alive])
        rows = mass * self.weights.sum() / mass.sum()
        scatter = Scatter(Moment.FULL, rows, matrices * rows[:, None, None], len(units))
        return model.fitted(scatter, centres, None)


def _schedule(kind: str, n_starts: int | None, n_components: int, n_features: int) -> Iterator[tuple[str, int]]:
    """Yield (kind, number) of every start; of a single component all starts are one."""
    if n_components == 1:
        yield "kmeans", 0
        return
    pool = [each for each in _AUTOMATIC if kind in ("auto", each, each.removesuffix("-spheres"))]
    if n_features == 1 and kind == "auto":
        pool = ["quantiles", *pool]
    # There is but one hierarchy of each kind; whatever is wanted beyond the pool is found by lot.
    endless = cycle([each for each in pool if each not in _SINGLE] or ["kmeans", "rows"])
    counts: Counter[str] = Counter()
    for each in islice(chain(pool, endless), len(pool) if n_starts is None else n_starts):
        yield each, counts[each]
        counts[each] += 1
