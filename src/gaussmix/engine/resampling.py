"""Rows over again: weights drawn by lot for rows that are there, and rows drawn from a mixture.

What is drawn depends on (seed, replicate, position of the row's block) alone, so neither threads nor the way in which
a source hands out its rows, nor which replicates are made together, change a bit of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.data.rebatch import rebatch
from gaussmix.data.source import Chunk, Source
from gaussmix.data.transform import Derived
from gaussmix.engine.fold import LEAST_SEGMENT, MOST_SEGMENT, Fold
from gaussmix.mixture import Mixture

_BLOCK = LEAST_SEGMENT  # rows that draw together: every segment begins with a block


def generator(seed: int, *keys: int) -> np.random.Generator:
    """Return the generator of one piece of a computation (numpy's SeedSequence)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=keys))


class Lot(ABC):
    """Weights in place of a row's own."""

    @abstractmethod
    def block(self, weights: Array, number: int) -> Array:
        """Return weights in place of those of the block of that number."""

    def draw(self, chunk: Chunk) -> Chunk:
        """Return rows that begin with a block, under new weights."""
        weights = np.ones(chunk.x.shape[0]) if chunk.weights is None else np.asarray(chunk.weights, np.float64)
        first = chunk.start // _BLOCK
        drawn = [self.block(weights[i : i + _BLOCK], first + i // _BLOCK) for i in range(0, len(weights), _BLOCK)]
        return Chunk(chunk.x, np.concatenate(drawn), chunk.start)


@final
@dataclass(frozen=True)
class Exponential(Lot):
    """The weighted likelihood bootstrap: standard exponential weights (Newton & Raftery 1994).

    A weight w stands for w rows, whose exponential weights sum to a gamma variate of shape w.
    """

    seed: int
    replicate: int

    def block(self, weights: Array, number: int) -> Array:
        """Return gamma variates; zero stays zero."""
        return generator(self.seed, self.replicate, number).standard_gamma(weights)


@final
@dataclass(frozen=True, eq=False)
class Multinomial(Lot):
    """The nonparametric bootstrap: how often each row is drawn with replacement (Efron 1979).

    Parameters
    ----------
    seed, replicate : int
        Of the lot.
    draws : integer array (B,)
        How many of all draws fall into each block.
    """

    seed: int
    replicate: int
    draws: NDArray[np.int64]

    @classmethod
    def among(cls, seed: int, replicate: int, totals: Array) -> Multinomial:
        """Share out as many draws as there are rows' worth of weight, given the blocks' total weights (B,)."""
        weight = totals.sum()
        draws = generator(seed, replicate).multinomial(round(float(weight)), totals / weight)
        return cls(seed, replicate, draws)

    def block(self, weights: Array, number: int) -> Array:
        """Return counts, in proportion to the weights."""
        if self.draws[number] == 0:
            return np.zeros_like(weights)
        shares = weights / weights.sum()
        return generator(self.seed, self.replicate, number).multinomial(self.draws[number], shares).astype(np.float64)


@final
@dataclass(frozen=True, eq=False)
class BlockTotals(Fold[Array, Array]):
    """The weight of each block of rows, in order."""

    @property
    def state_bytes(self) -> int:
        """Bytes of the totals of one segment at most."""
        return 8 * (MOST_SEGMENT // _BLOCK)

    def segment(self, chunk: Chunk) -> Array:
        """Return the totals of one segment's blocks."""
        weights = np.ones(chunk.x.shape[0]) if chunk.weights is None else np.asarray(chunk.weights, np.float64)
        return np.add.reduceat(weights, np.arange(0, len(weights), _BLOCK))

    def merge(self, left: Array, right: Array) -> Array:
        """Concatenate."""
        return np.concatenate([left, right])

    def finish(self, state: Array) -> Array:
        """Return the totals as they are."""
        return state


@final
@dataclass(frozen=True, eq=False)
class Redrawn(Fold[Any, Any]):
    """Another fold, of the rows under the weights of a lot: any number of replicates share a read."""

    fold: Fold[Any, Any]
    lot: Lot

    @property
    def state_bytes(self) -> int:
        """As the other fold says."""
        return self.fold.state_bytes

    @property
    def by_columns(self) -> bool:
        """As the other fold says."""
        return self.fold.by_columns

    def segment(self, chunk: Chunk) -> Any:
        """Return the other fold's state."""
        return self.fold.segment(self.lot.draw(chunk))

    def merge(self, left: Any, right: Any) -> Any:
        """Merge as the other fold does."""
        return self.fold.merge(left, right)

    def finish(self, state: Any) -> Any:
        """Finish as the other fold does."""
        return self.fold.finish(state)


@final
class Resampled(Derived):
    """The rows of a source under the weights of a lot."""

    def __init__(self, source: Source, lot: Lot) -> None:
        super().__init__(source)
        self._lot = lot

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows once, in order."""
        for chunk in rebatch(self._source, MOST_SEGMENT):
            yield self._lot.draw(chunk)


@final
class Drawn(Source):
    """Independent rows of a mixture, drawn again at every reading and never held whole.

    Parameters
    ----------
    mixture : Mixture
        What rows are drawn from.
    n_rows : int
        How many.
    seed, replicate : int
        Of the lot.
    """

    def __init__(self, mixture: Mixture, n_rows: int, seed: int, replicate: int) -> None:
        self._mixture = mixture
        self._rows = n_rows
        self._key = seed, replicate

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self._mixture.n_features

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The mixture's."""
        return self._mixture.feature_names

    @property
    def description(self) -> str:
        """What this is, for messages."""
        return "rows drawn from a mixture"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._rows

    def chunks(self) -> Iterator[Chunk]:
        """Draw all rows once, in order."""
        for start in range(0, self._rows, MOST_SEGMENT):
            rows = min(MOST_SEGMENT, self._rows - start)
            yield Chunk(self._mixture.sample(rows, generator(*self._key, start // MOST_SEGMENT)), None, start)
