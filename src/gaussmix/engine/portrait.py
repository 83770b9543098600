"""What pictures of a fit need of all rows, of a size that does not depend on their number, by two reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, Integers
from gaussmix.data.open import open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.distances import distances_of_scores, quantile, squared_distances
from gaussmix.engine.evaluator import score_source, scoring_plan
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.fingerprint import FingerprintFold
from gaussmix.engine.fold import Fold
from gaussmix.engine.kernels.choose import kernel_for
from gaussmix.engine.kernels.kernel import Kernel, RowScores
from gaussmix.engine.plan import Plan
from gaussmix.engine.regions import telling
from gaussmix.engine.scoring import score_rows
from gaussmix.engine.summary import Summary, SummaryFold
from gaussmix.errors import EmptyDataError
from gaussmix.mixture import Mixture

BINS, CELLS = 80, 40  # of one feature, and along each axis of two
UNCERTAINTY_BINS = 50
RARITIES = np.arange(1.0, 12.01, 0.25)
"""Minus log10 of the tail probabilities at which rows are counted."""

MOST_PICTURED = 12
MOST_OUTLIERS = 100
_CENTRAL = 0.001  # of the sample, at either end of a feature, may lie outside the pictures
_MARGIN = 0.05
_SIZABLE, _REACH = 0.01, 2.2  # of weight, and in standard deviations: components that a picture has to hold


class Outliers(NamedTuple):
    """The rows farthest from every component: the farthest first.

    `positions` (M,) in the source; `rows` (M, D); `squares` (M,) squared distances to the `components` (M,) nearest by
    Mahalanobis distance.
    """

    positions: Integers
    rows: Array
    squares: Array
    components: Integers

    def taken(self, order: Integers) -> Outliers:
        """Return some of them, in that order."""
        return Outliers(self.positions[order], self.rows[order], self.squares[order], self.components[order])

    def joined(self, other: Outliers) -> Outliers:
        """Return these and others."""
        return Outliers(
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.squares, other.squares]),
            np.concatenate([self.components, other.components]),
        )

    def farthest(self) -> Outliers:
        """Return the farthest of them, the farthest first."""
        return self.taken(np.lexsort([self.positions, -self.squares])[:MOST_OUTLIERS])


class Tally(NamedTuple):
    """Counts that add, by weight.

    `single` (F, K, B + 2): feature by most probable component, with what lies below and above the range; `double`
    (P, G, G): pairs of features, in the order of `combinations`; `uncertainty` (K, U); `beyond` (T + 1,): rows by how
    many of the rarities they exceed; `confusion` (K, K): responsibility of j in rows most probably of k.
    """

    single: Array
    double: Array
    uncertainty: Array
    beyond: Array
    confusion: Array


@final
@dataclass(frozen=True, eq=False)
class Portrait:
    """What there is to show of rows under a mixture.

    Parameters
    ----------
    mixture : Mixture
    summary : Summary
        Of the rows, with a uniform sample of them.
    scores : RowScores
        Of the sample.
    fingerprint : str
        Of all rows and weights, in hexadecimal.
    features : tuple of int
        Positions of the features that are counted.
    edges : array (F, B + 1)
        Bins of those features.
    tally : Tally
        The counts.
    outliers : Outliers
        The rows farthest from every component.
    """

    mixture: Mixture
    summary: Summary
    scores: RowScores
    fingerprint: str
    features: tuple[int, ...]
    edges: Array
    tally: Tally
    outliers: Outliers

    def pair(self, first: int, second: int) -> Array:
        """Return the counts (G, G) of two features given by position, y by x."""
        pairs = list(combinations(self.features, 2))
        if first < second:
            return self.tally.double[pairs.index((first, second))].T
        return self.tally.double[pairs.index((second, first))]

    def range_of(self, feature: int) -> tuple[float, float]:
        """Return the range that pictures of a feature show."""
        edges = self.edges[self.features.index(feature)]
        return float(edges[0]), float(edges[-1])

    @property
    def beyond(self) -> Array:
        """Weight (T,) of the rows whose tail probability is below 10^-rarity."""
        return np.cumsum(self.tally.beyond[::-1])[::-1][1:]


def portray(
    mixture: Mixture,
    source: Source,
    executor: LocalEngine,
    *,
    seed: int = 0,
    features: Sequence[int] | None = None,
) -> Portrait:
    """Read the source twice: for its summary, and for the counts.

    Parameters
    ----------
    mixture : Mixture
    source : Source
        Of the mixture's features, in its order.
    executor : LocalEngine
    seed : int
        Of the sample.
    features : sequence of int, optional
        Positions of the features to count; those that tell the components apart best by default.

    Raises
    ------
    EmptyDataError
        When there is no row with a weight.
    MissingValuesError
        When a row has missing or infinite values.
    """
    # Segments of a fixed length: the fingerprint must not depend on whether a source knows its number of rows.
    summary, fingerprint = executor.reduce([SummaryFold(seed), FingerprintFold()], source, None)
    if summary.n_rows == 0:
        raise EmptyDataError(f"{source.description} has no rows to show; give data with rows of weight above zero")
    chosen = tuple(telling(mixture, MOST_PICTURED) if features is None else features)
    edges = _edges(summary.sample, mixture, list(chosen))
    plan = scoring_plan(mixture)
    fold = PortraitFold(plan, kernel_for(summary.rows_read * plan.work), mixture, chosen, edges)
    tally, outliers = executor.reduce([fold], source, summary.rows_read)[0]
    scores = RowScores.empty(len(summary.sample), mixture.n_components)
    for start, part in score_source(mixture, open_source(summary.sample), executor):
        scores.fill(slice(start, start + len(part.labels)), part)
    return Portrait(mixture, summary, scores, fingerprint, chosen, edges, tally, outliers)


def coarser(edges: Array, counts: Array) -> tuple[Array, Array]:
    """Merge bins until there are no more than few rows can fill: twice the cube root of their number (Rice's rule)."""
    wanted = 2.0 * float(counts.sum()) ** (1.0 / 3.0)
    while len(counts) > max(wanted, 8.0) and len(counts) % 2 == 0:
        edges, counts = edges[::2], counts[0::2] + counts[1::2]
    return edges, counts


def _edges(sample: Array, mixture: Mixture, chosen: list[int]) -> Array:
    """Bins (F, B + 1) over what the sample's central rows and all but tiny components span, and a little more."""
    finite = np.where(np.isfinite(sample[:, chosen]), sample[:, chosen], np.nan)
    low, high = np.nanquantile(finite, [_CENTRAL, 1.0 - _CENTRAL], axis=0)
    sizable = mixture.weights >= min(_SIZABLE, mixture.weights.max())
    means = mixture.means[sizable][:, chosen]
    reach = _REACH * mixture.standard_deviations[sizable][:, chosen]
    low, high = np.minimum(low, (means - reach).min(axis=0)), np.maximum(high, (means + reach).max(axis=0))
    margin = _MARGIN * (high - low)
    margin = np.where(margin > 0.0, margin, np.maximum(1e-6 * np.abs(low), 1e-12))
    return np.linspace(low - margin, high + margin, BINS + 1, axis=1)


@final
@dataclass(frozen=True, eq=False)
class PortraitFold(Fold[tuple[Tally, Outliers], tuple[Tally, Outliers]]):
    """Counts of one read, and the rows farthest out.

    Parameters
    ----------
    plan, kernel, mixture
        Who scores, in anchored form.
    features : tuple of int
        Positions of the features to count.
    edges : array (F, B + 1)
        Their bins, equally wide.
    """

    plan: Plan
    kernel: Kernel
    mixture: Mixture
    features: tuple[int, ...]
    edges: Array

    @property
    def state_bytes(self) -> int:
        """Bytes of the counts, most of which are those of pairs of features."""
        features, count = len(self.features), self.mixture.n_components
        singles = features * count * (BINS + 2)
        pairs = features * (features - 1) // 2 * CELLS**2
        return 8 * (
            singles + pairs + count * (count + UNCERTAINTY_BINS) + MOST_OUTLIERS * (self.mixture.n_features + 3)
        )

    def segment(self, chunk: Chunk) -> tuple[Tally, Outliers]:
        """Count the rows of one segment."""
        scores = score_rows(self.plan, self.kernel, self.mixture, chunk)
        weights = np.ones(len(chunk.x)) if chunk.weights is None else chunk.weights
        used = np.flatnonzero(weights > 0.0)
        if len(used) < len(weights):
            scores = _scores_of(scores, used)
        x, weights = (chunk.x, weights) if len(used) == len(weights) else (chunk.x[used], weights[used])
        distances = distances_of_scores(self.mixture, scores.responsibilities, scores.log_prob)
        nearest = distances.min(axis=1)
        labels = scores.labels
        count, thresholds = self.mixture.n_components, quantile(10.0**-RARITIES, self.mixture.n_features)
        confusion = np.zeros((count, count))
        for k in range(count):
            mine = labels == k
            confusion[:, k] = weights[mine] @ scores.responsibilities[mine]
        bins = np.minimum((scores.uncertainty * UNCERTAINTY_BINS).astype(np.int64), UNCERTAINTY_BINS - 1)
        tally = Tally(
            *self._features(x, labels, weights),
            _counted((labels, count), (bins, UNCERTAINTY_BINS), weights=weights),
            _summed(np.searchsorted(thresholds, nearest), weights, len(thresholds) + 1),
            confusion,
        )
        return tally, self._outliers(x, chunk.start + used, nearest)

    def merge(self, left: tuple[Tally, Outliers], right: tuple[Tally, Outliers]) -> tuple[Tally, Outliers]:
        """Add the counts, keep the farthest of both."""
        for mine, theirs in zip(left[0], right[0], strict=True):
            np.add(mine, theirs, out=mine)
        return left[0], left[1].joined(right[1]).farthest()

    def finish(self, state: tuple[Tally, Outliers]) -> tuple[Tally, Outliers]:
        """Return them as they are."""
        return state

    def _features(self, x: NDArray[np.floating], labels: Integers, weights: Array) -> tuple[Array, Array]:
        slots, count = BINS + 2, self.mixture.n_components
        places = [self._places(x[:, feature], row) for row, feature in enumerate(self.features)]
        single = [_counted((labels, count), (place, slots), weights=weights) for place in places]
        coarse = [(place + 1) // 2 for place in places]
        along = CELLS + 2
        double = [
            _counted((one, along), (two, along), weights=weights)[1:-1, 1:-1] for one, two in combinations(coarse, 2)
        ]
        return np.stack(single), np.stack(double) if double else np.zeros((0, CELLS, CELLS))

    def _places(self, values: NDArray[np.floating], row: int) -> Integers:
        """Return bins counting from 1; 0 is below the range and B + 1 above it."""
        low, high = self.edges[row, 0], self.edges[row, -1]
        places = (values.astype(np.float64) - low) * (BINS / (high - low)) + 1.0
        return np.clip(np.floor(places), 0, BINS + 1).astype(np.int64)

    def _outliers(self, x: NDArray[np.floating], positions: Integers, nearest: Array) -> Outliers:
        far = np.argsort(-nearest, kind="stable")[:MOST_OUTLIERS]
        rows = np.asarray(x[far], dtype=np.float64)
        distances = squared_distances(self.mixture, rows)
        return Outliers(positions[far], rows, distances.min(axis=1), distances.argmin(axis=1)).farthest()


def _scores_of(scores: RowScores, rows: Integers) -> RowScores:
    return RowScores(
        scores.labels[rows], scores.responsibilities[rows], scores.uncertainty[rows], scores.log_prob[rows]
    )


def _counted(*axes: tuple[Integers, int], weights: Array) -> Array:
    """Return the weights of rows by two indices, each with its number of values."""
    (one, n_one), (two, n_two) = axes
    return _summed(one * n_two + two, weights, n_one * n_two).reshape(n_one, n_two)


def _summed(indices: Integers, weights: Array, count: int) -> Array:
    return np.asarray(np.bincount(indices, weights, count), dtype=np.float64)
