"""What one model-free read tells: counts, means, spreads, ranges, missing values, and a uniform sample of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, read_only
from gaussmix._random import row_keys
from gaussmix.coordinates import Coordinates
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.fold import Fold

MOST_SAMPLED = 16384
_LEAST_SAMPLED = 2048
_SAMPLED_PER_COMPONENT = 256
_SAMPLED_PER_COMPONENT_AND_FEATURE = 32
_TRIMMED = 0.005  # of the sample's rows, at either end of each feature, are left out of the reference variances
_LEAST_DIFFERENT = 8  # values, below which a column has classes rather than measurements
_REPEATED = 0.5  # different values per row of the sample, below which a column may be rounded
_EPS = float(np.finfo(np.float64).eps)
_NOTHING = np.empty((0, 0))
_GATHERED_NUMBERS = 1 << 18  # of a sample that is gathered a few columns at a time: 2 MB
_HELD_NUMBERS = 1 << 19  # of a sample that is held in any case
_BLOCK_NUMBERS = 1 << 16  # float64 numbers of which deviations are made at once: 512 KB


@final
@dataclass(frozen=True, eq=False)
class Pilot:
    """The coordinates of a fit and the spread of the rows in them.

    Parameters
    ----------
    coordinates : Coordinates
        Origin at the mean of all rows, scaled by powers of two.
    spreads : array (D,)
        Standard deviations of the features, in these coordinates.
    steps : array (D,) or None
        Steps to which the features are rounded, in these coordinates; 0 where none is seen, None where not known.
    """

    coordinates: Coordinates
    spreads: Array
    steps: Array | None = None

    def __post_init__(self) -> None:
        for name in ("spreads", "steps"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_only(getattr(self, name)))


def rounding_variance(steps: Array) -> Array:
    """Return the variance (D,) that rounding to such steps makes by itself: that of a uniform density."""
    return np.square(steps) / 12.0


@final
@dataclass(frozen=True, eq=False)
class Redrawn:
    """Rows of a source that lie in memory already, copied when they are asked for.

    Parameters
    ----------
    source : Source
        Hands out its rows at no cost.
    positions : array (M,)
        Of the rows, in order.
    """

    source: Source
    positions: NDArray[np.int64]

    def columns(self, which: slice) -> Array:
        """Return some of the columns (M, some); what is missing or infinite as zero, as summaries take it."""
        parts: list[Array] = []
        for chunk in self.source.chunks():
            first, last = np.searchsorted(self.positions, (chunk.start, chunk.stop))
            rows = chunk.x[:, which][self.positions[first:last] - chunk.start].astype(np.float64, copy=False)
            finite = np.isfinite(rows)
            parts.append(rows if finite.all() else np.where(finite, rows, 0.0))
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


@final
@dataclass(frozen=True, eq=False)
class Summary:
    """Facts about the rows of a source, and a sample of them.

    Parameters
    ----------
    rows_read, n_rows : int
        All rows, and those with a weight above zero.
    weight, squared_weight : float
        Sums of the weights and of their squares.
    means, squares : array (D,)
        Weighted means, and weighted sums of squared deviations from them, in data units.
    minima, maxima : array (D,)
        Ranges, in data units.
    missing, infinite : integer array (D,)
        NaN and infinite values among rows of weight above zero.
    drawn : array (M, D) or Redrawn
        Rows drawn uniformly without replacement, in their order; all of them where there are few enough.
    sample_weights : array (M,)
        Their weights.
    keys, positions : arrays (M,)
        Random keys by which rows were drawn, and the rows' positions in the source.
    first_gap : int
        Position of the first row of weight above zero with a missing or infinite value; -1 where there is none.
    """

    rows_read: int
    n_rows: int
    weight: float
    squared_weight: float
    means: Array
    squares: Array
    minima: Array
    maxima: Array
    missing: NDArray[np.int64]
    infinite: NDArray[np.int64]
    drawn: Array | Redrawn
    sample_weights: Array
    keys: NDArray[np.uint64]
    positions: NDArray[np.int64]
    first_gap: int = -1

    @cached_property
    def sample(self) -> Array:
        """The rows drawn (M, D)."""
        return self.drawn if isinstance(self.drawn, np.ndarray) else self.drawn.columns(slice(None))

    @property
    def n_sampled(self) -> int:
        """Number of rows drawn."""
        return len(self.keys)

    @property
    def standard_deviations(self) -> Array:
        """Weighted standard deviations (D,), in data units."""
        return np.sqrt(self.squares / self.weight)

    def reference_variances(self) -> Array:
        """Variances (D,) of the sample without its extreme rows: the unit of the pseudo-observations.

        Trimming keeps one absurd value from swelling the unit; a constant column gets (1e-8 max|x|)^2, or 1.
        """
        return self._reference

    @cached_property
    def _reference(self) -> Array:
        largest = np.maximum(np.abs(self.minima), np.abs(self.maxima))
        # Values that overflow are refused by name later, when it is known what the columns are called.
        with np.errstate(under="ignore", over="ignore", invalid="ignore"):
            variances = np.concatenate([_central_variances(columns) for columns in self._columns()])
            whole = self.squares / self.weight
            # A mean carries rounding errors of eps times its size, so a constant column's variance need not be zero.
            noise = (1e-14 * largest) ** 2
            floor = np.where(largest > 0.0, (1e-8 * largest) ** 2, 1.0)
        variances = np.where(variances > noise, variances, np.where(whole > noise, whole, 0.0))
        return np.where(variances > 0.0, variances, floor)

    def pilot(self, per_feature: bool) -> Pilot:
        """Return the coordinates for a structure that allows a factor per feature, or only a common one.

        Without rows, which are refused by name later, they are the user's own.
        """
        if self.n_rows == 0:
            return Pilot(Coordinates.identity(len(self.means)), np.ones_like(self.means))
        spreads = np.sqrt(np.maximum(self.squares / self.weight, self.reference_variances()))
        exponents = np.frexp(spreads)[1].astype(np.int64)
        if not per_feature:
            exponents = np.full_like(exponents, exponents.max())
        coordinates = Coordinates(self.means, exponents)
        return Pilot(coordinates, spreads / coordinates.scale, self.steps() / coordinates.scale)

    def steps(self) -> Array:
        """Steps (D,) to which the columns are rounded, in data units; 0 where none is seen.

        A column is rounded when it has several values, they repeat, and the gaps between the sample's different ones
        are all multiples of the least.
        """
        return self._steps

    @cached_property
    def _steps(self) -> Array:
        return np.array([_step(column) for columns in self._columns() for column in columns.T])

    def _columns(self) -> Iterator[Array]:
        """Yield the sample a few columns at a time, never one alone unless there is but one."""
        if isinstance(self.drawn, np.ndarray):
            yield self.drawn
            return
        width = max(2, _GATHERED_NUMBERS // self.n_sampled)
        for columns in np.array_split(np.arange(len(self.means)), max(1, len(self.means) // width)):
            yield self.drawn.columns(slice(int(columns[0]), int(columns[-1]) + 1))


def _central_variances(columns: Array) -> Array:
    """Return the variances of the columns of (M, some), without their extreme values."""
    cut = int(_TRIMMED * len(columns))
    return np.sort(columns, axis=0)[cut : len(columns) - cut].var(axis=0)


def _step(column: Array) -> float:
    """Return the step to which a column is rounded, or 0."""
    gaps = np.diff(np.unique(column))
    if not _LEAST_DIFFERENT <= len(gaps) + 1 <= _REPEATED * len(column):
        return 0.0
    least = gaps.min()
    multiples = gaps / least
    # Decimal fractions are not exact in binary: their gaps are off by the rounding of the values.
    tolerance = 4.0 * _EPS * np.abs(column).max() / least
    return float(least) if (np.abs(multiples - np.rint(multiples)) <= tolerance * multiples + _EPS).all() else 0.0


def sample_rows(n_components: int, n_features: int) -> int:
    """Rows of a sample on which starts of so many components can be told apart: a power of two."""
    each = max(_SAMPLED_PER_COMPONENT, _SAMPLED_PER_COMPONENT_AND_FEATURE * n_features)
    return min(MOST_SAMPLED, max(_LEAST_SAMPLED, 1 << (n_components * each - 1).bit_length()))


def summarized(source: Source, engine: Engine, seed: int, n_sampled: int) -> Summary:
    """Read the source once for its summary; a large sample of rows that lie in memory is left where it is."""
    by_position = source.ready and source.n_features * n_sampled > _HELD_NUMBERS
    # The segments of this read must not depend on a number of rows that only some sources know beforehand.
    summary: Summary = engine.reduce([SummaryFold(seed, n_sampled, by_position)], source, None)[0]
    return replace(summary, drawn=Redrawn(source, summary.positions)) if by_position else summary


@final
@dataclass(frozen=True)
class SummaryFold(Fold[Summary, Summary]):
    """Counts, moments and ranges of the rows, and the `sample_rows` rows with the least random keys.

    A row's key depends on (seed, position) alone, so that the sample does not depend on how the rows are read.
    """

    seed: int
    sample_rows: int = MOST_SAMPLED
    by_position: bool = False  # whether rows are drawn by their positions alone, and left where they are

    @property
    def state_bytes(self) -> int:
        """Bytes of a sample of a few features: there is but one such fold in a read."""
        return 64 * self.sample_rows

    def segment(self, chunk: Chunk) -> Summary:
        """Return the summary of one segment, about its own mean."""
        weights = np.ones(chunk.x.shape[0]) if chunk.weights is None else chunk.weights
        used = weights > 0.0
        # Sums over columns depend on how rows lie in memory, to the last bit; the answer must not.
        x = np.ascontiguousarray(chunk.x, dtype=np.float64)
        if used.all():
            positions = np.arange(chunk.start, chunk.stop)
        else:
            positions = chunk.start + np.flatnonzero(used)
            x, weights = x[used], weights[used]
        finite = np.isfinite(x)
        missing = np.isnan(x).sum(axis=0)
        infinite = (~finite).sum(axis=0) - missing
        if finite.all():
            return self._measured(len(chunk.x), x, weights, positions, missing, infinite)
        first = int(positions[np.argmin(finite.all(axis=1))])
        x = np.where(finite, x, 0.0)
        return replace(self._measured(len(chunk.x), x, weights, positions, missing, infinite), first_gap=first)

    def merge(self, left: Summary, right: Summary) -> Summary:
        """Return the summary of both (Chan, Golub & LeVeque 1979 for the moments)."""
        if right.n_rows == 0:
            return replace(left, rows_read=left.rows_read + right.rows_read)
        if left.n_rows == 0:
            return replace(right, rows_read=left.rows_read + right.rows_read)
        weight = left.weight + right.weight
        gap = right.means - left.means
        return Summary(
            left.rows_read + right.rows_read,
            left.n_rows + right.n_rows,
            weight,
            left.squared_weight + right.squared_weight,
            left.means + gap * (right.weight / weight),
            left.squares + right.squares + np.square(gap) * (left.weight * right.weight / weight),
            np.minimum(left.minima, right.minima),
            np.maximum(left.maxima, right.maxima),
            left.missing + right.missing,
            left.infinite + right.infinite,
            *self._sampled(
                None if self.by_position else np.concatenate([left.sample, right.sample]),
                np.concatenate([left.sample_weights, right.sample_weights]),
                np.concatenate([left.keys, right.keys]),
                np.concatenate([left.positions, right.positions]),
            ),
            left.first_gap if left.first_gap >= 0 else right.first_gap,
        )

    def finish(self, state: Summary) -> Summary:
        """Return the summary as it is."""
        return state

    def _measured(
        self,
        rows_read: int,
        x: Array,
        weights: Array,
        positions: NDArray[np.int64],
        missing: NDArray[np.int64],
        infinite: NDArray[np.int64],
    ) -> Summary:
        n_rows, n_features = x.shape
        total = float(weights.sum())
        means = squares = np.zeros(n_features)
        if n_rows:
            with np.errstate(over="ignore", invalid="ignore"):
                means = x[0] + _sums_of_deviations(x, weights, x[0], 1) / total
                squares = _sums_of_deviations(x, weights, means, 2)
        return Summary(
            rows_read,
            n_rows,
            total,
            float(weights @ weights),
            means,
            squares,
            x.min(axis=0, initial=np.inf),
            x.max(axis=0, initial=-np.inf),
            missing,
            infinite,
            *self._sampled(None if self.by_position else x, weights, row_keys(self.seed, positions), positions),
        )

    def _sampled(
        self, rows: Array | None, weights: Array, keys: NDArray[np.uint64], positions: NDArray[np.int64]
    ) -> tuple[Array, Array, NDArray[np.uint64], NDArray[np.int64]]:
        if len(keys) > self.sample_rows:
            chosen = np.sort(np.argpartition(keys, self.sample_rows - 1)[: self.sample_rows])
            rows = None if rows is None else rows[chosen]
            weights, keys, positions = weights[chosen], keys[chosen], positions[chosen]
        return _NOTHING if rows is None else rows, weights, keys, positions


def _sums_of_deviations(x: Array, weights: Array, base: Array, power: int) -> Array:
    """Return the weighted sums (D,) of powers of x - base, a few rows at a time: no second array of the rows' size."""
    rows = max(1, _BLOCK_NUMBERS // x.shape[1])
    total = np.zeros(x.shape[1])
    for low in range(0, len(x), rows):
        block = slice(low, low + rows)
        total += weights[block] @ (x[block] - base) ** power
    return total


@final
@dataclass(frozen=True, eq=False)
class TotalScatterFold(Fold[Array, Array]):
    """The weighted sum of z z' over all rows, in given coordinates: what EEE needs beside means."""

    coordinates: Coordinates

    @property
    def state_bytes(self) -> int:
        """Bytes of one matrix."""
        return 8 * self.coordinates.n_features**2

    def segment(self, chunk: Chunk) -> Array:
        """Return the scatter (D, D) of one segment."""
        z = self.coordinates.inward(chunk.x)
        return z.T @ (z if chunk.weights is None else z * chunk.weights[:, None])

    def merge(self, left: Array, right: Array) -> Array:
        """Add."""
        return left + right

    def finish(self, state: Array) -> Array:
        """Return the symmetric part."""
        return 0.5 * (state + state.T)
