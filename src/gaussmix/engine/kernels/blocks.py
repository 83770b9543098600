"""What every way through a segment has in common: blocks, scratch, coordinates, and the steps of one block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels.features import enter, padded
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.kernels.scratch import Columns, aligned
from gaussmix.engine.kernels.softmax import N_SUMS, share_out
from gaussmix.engine.kernels.tiles import STRIP
from gaussmix.engine.kernels.vectors import LANES
from gaussmix.engine.plan import Plan

Kind = TypeVar("Kind", bound=np.floating)
Made = TypeVar("Made")

REFERENCE = NumpyKernel()
_BLOCK_NUMBERS = 1 << 15  # float64 numbers of features and log densities in one block: 256 KB
_LEAST_ROWS = 96  # fewer would be added up as soon as they are multiplied
NEGLIGIBLE = 2.0**-75  # of a row's largest responsibility: far below the rounding errors of any sum it enters

# What a route makes of a plan's large arrays, shared by all segments of the pass; where segments are short, making it
# anew for each of them would take as long as the rows.
_PREPARED: WeakKeyDictionary[Plan, Any] = WeakKeyDictionary()


def prepared(plan: Plan, make: Callable[[Plan], Made]) -> Made:
    """Return what `make` returns for `plan`, made once; a plan only ever takes one route."""
    made = _PREPARED.get(plan)
    if made is None:
        made = _PREPARED[plan] = make(plan)
    return made


class Route(ABC):
    """One segment's way from rows to log densities and to sums, with its constants and scratch."""

    block_rows: int

    @abstractmethod
    def densities(self, x: NDArray[np.floating]) -> Array:
        """Return log densities (K, padded rows) of at most `block_rows` rows x (rows, D), in data units and C order.

        The array is scratch, of whole strips of rows: what lies beyond the rows is finite.
        """

    @abstractmethod
    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of a segment's rows x (rows, D) to `sums`."""


class Stepwise(Protocol):
    """A route of which one block takes so long that its steps may be called from Python.

    Each call gives back the interpreter's lock and takes it again: done every few microseconds, threads wait for it.
    """

    block_rows: int

    def densities(self, x: NDArray[np.floating]) -> Array:
        """Return log densities (K, padded rows), and remember the rows."""
        ...

    def add(self, shares: Array, n_rows: int) -> None:
        """Take the moments of the remembered rows under `shares` (K, padded rows)."""
        ...

    def finish(self, sums: Sums) -> None:
        """Add all moments taken."""
        ...


@final
class Shares:
    """Makes shares of the log densities of blocks, and keeps the sums over their rows.

    Parameters
    ----------
    n_components, block_rows : int
        The largest block there is.
    least : float
        Shares below this part of a row's largest are taken for zero.
    """

    def __init__(self, n_components: int, block_rows: int, least: float = 0.0) -> None:
        self._per_row = Columns(2, block_rows)
        self._least = least
        self._sums = np.zeros((n_components + N_SUMS, LANES))
        self._more = np.zeros((n_components + N_SUMS, LANES))

    @property
    def log_prob(self) -> Array:
        """Log densities (padded rows,) of the rows of the last block."""
        return self._per_row.array[0]

    def make(self, values: Array, weights: Array | None, n_rows: int) -> bool:
        """Turn log densities (K, padded rows) into weight times responsibility, zero beyond `n_rows`.

        Return whether there is no row that is infinitely far from every component; else nothing is added.
        """
        per_row = self._per_row.of(values.shape[1])
        per_row[1, :n_rows] = 1.0 if weights is None else weights
        per_row[1, n_rows:] = 0.0
        self._more[:] = 0.0
        share_out(values, per_row, self._more, 0, values.shape[1], self._least)
        if self._more[-1].any():
            return False
        self._sums += self._more
        return True

    def finish(self, sums: Sums) -> None:
        """Add squares of shares, and the sums over rows."""
        add_sums(self._sums, sums)


def add_sums(found: Array, sums: Sums) -> None:
    """Add what `share_out` left in its sums (K + 4, lanes)."""
    n_components = len(sums.kish)
    sums.kish[:] += found[:n_components].sum(axis=1)
    sums.scalars[:] += found[n_components : n_components + 3].sum(axis=1)


def accumulate_stepwise(
    route: Stepwise, plan: Plan, x: NDArray[np.floating], weights: Array | None, least: float, sums: Sums
) -> None:
    """Add a segment's sums, block by block; shares below `least` of a row's largest are taken for zero.

    A block in which some row's every density underflows goes to the reference kernel as a whole.
    """
    shares = Shares(plan.n_components, route.block_rows, least)
    for block, rows in cut(x, route.block_rows):
        w = None if weights is None else weights[block]
        values = route.densities(rows)
        if shares.make(values, w, len(rows)):
            route.add(values, len(rows))
        else:
            REFERENCE.accumulate(plan, rows, w, sums)
    shares.finish(sums)
    route.finish(sums)


@final
class Inward:
    """Puts rows into the coordinates of a plan, as columns for features (`features.enter`)."""

    def __init__(self, plan: Plan, block_rows: int, n_columns: int) -> None:
        self.origin = np.array(plan.coordinates.origin)
        self.units = np.ldexp(1.0, -plan.coordinates.exponents)
        self._columns = Columns(n_columns, block_rows)

    @property
    def columns(self) -> Array:
        """Columns (1 + D or more, padded rows) of the rows that came in last."""
        return self._columns.array

    def enter(self, x: NDArray[np.floating]) -> Array:
        """Return the columns of the rows x (rows, D)."""
        columns = self._columns.of(padded(len(x)))
        enter(x, False, 0, len(x), self.origin, self.units, columns)
        return columns


def cut(x: NDArray[np.floating], block_rows: int) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Yield the blocks of x (rows, D), and where they stand."""
    rows = one_type(x)
    for low in range(0, rows.shape[0], block_rows):
        block = slice(low, low + block_rows)
        yield block, rows[block]


def one_type(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return rows that are one of two types to the compiler: C-ordered, read-only, float64 or float32."""
    return plain(x.astype(np.float32 if x.dtype == np.float32 else np.float64, copy=False))


def plain(values: NDArray[Kind]) -> NDArray[Kind]:
    """Return `values` as a read-only, contiguous base array."""
    view = np.ascontiguousarray(values).view(np.ndarray)
    view.flags.writeable = False
    return view


def cached_rows(numbers: int, most: int) -> int:
    """Rows per block, whole strips, by which `numbers` float64 numbers per row stay in cache; 96 to `most` about."""
    return min(most, max(_LEAST_ROWS, _BLOCK_NUMBERS // numbers)) // STRIP * STRIP


def inverse_deviations(whiteners: Array, n_features: int) -> Array:
    """Return (G, D) inverse standard deviations from (G, D) or (G,)."""
    columns = whiteners.reshape(len(whiteners), -1)
    return np.array(np.broadcast_to(columns, (len(whiteners), n_features)))


def whiteners_of(plan: Plan) -> Array:
    """Return inverse factors (K, lines, D + 1), lower triangular, for `tiles.whitened_densities`."""
    d = plan.n_features
    whiteners = plan.whiteners
    if whiteners.ndim < 3:
        whiteners = inverse_deviations(whiteners, d)[:, :, None] * np.eye(d)
    found = aligned(plan.n_components, -(-d // 4) * 4 + 1, d + 1)
    found[:] = 0.0
    found[:, :d, :d] = whiteners
    found[:, -1, :d], found[:, -1, d] = plan.centres, plan.constants
    return found
