"""What every way through a segment has in common: blocks, scratch, coordinates, and the steps of one block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.kernels.scratch import Columns, aligned
from gaussmix.engine.plan import Plan

Kind = TypeVar("Kind", bound=np.floating)
Made = TypeVar("Made")

REFERENCE = NumpyKernel()
NEGLIGIBLE = 2.0**-75  # of a row's largest responsibility: far below the rounding errors of any sum it enters
_BLOCK_NUMBERS = 1 << 15  # float64 numbers of features and log densities in one block: 256 KB

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
    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Write log densities (K, rows) of at most `block_rows` rows x (rows, D), in data units, C order, read-only."""

    @abstractmethod
    def accumulate(self, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add the sums of a segment's rows x (rows, D) to `sums`."""


class Stepwise(Protocol):
    """A route of which one block takes so long that its steps may be called from Python.

    Each call gives back the interpreter's lock and takes it again: done every few microseconds, threads wait for it.
    """

    block_rows: int

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Write log densities (K, rows), and remember the rows."""
        ...

    def add(self, shares: Array) -> None:
        """Take the moments of the remembered rows under `shares` (K, rows)."""
        ...

    def finish(self, sums: Sums) -> None:
        """Add all moments taken."""
        ...


def accumulate_stepwise(
    route: Stepwise, plan: Plan, x: NDArray[np.floating], weights: Array | None, least: float, sums: Sums
) -> None:
    """Add a segment's sums, block by block; shares below `least` of a row's largest are taken for zero.

    A block in which some row's every density underflows goes to the reference kernel as a whole.
    """
    scratch, ones = Scratch(plan.n_components, route.block_rows), plain(np.ones(route.block_rows))
    weights = None if weights is None else plain(weights)
    for block, rows in cut(x, route.block_rows):
        values, top, total = scratch.of(rows.shape[0])
        route.log_densities(rows, values)
        if not stages.exponentiate(values, top, total):
            REFERENCE.accumulate(plan, rows, None if weights is None else weights[block], sums)
            continue
        w = ones[: rows.shape[0]] if weights is None else weights[block]
        stages.share_out(values, top, total, w, least, sums.kish, sums.scalars)
        route.add(values)
    route.finish(sums)


@final
class Inward:
    """Puts rows into the coordinates of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.origin = np.array(plan.coordinates.origin)
        self.units = np.ldexp(1.0, -plan.coordinates.exponents)

    def columns(self, x: NDArray[np.floating], z: Array) -> None:
        """Write the rows x (rows, D) as columns z (D, rows)."""
        stages.columns(x, self.origin, self.units, z)

    def rows(self, x: NDArray[np.floating]) -> Array:
        """Return the rows x (rows, D) in the coordinates."""
        z = np.subtract(x, self.origin, dtype=np.float64)
        z *= self.units
        return z


@final
class Scratch:
    """Arrays for the log densities and two numbers per row of one block."""

    def __init__(self, n_components: int, block_rows: int) -> None:
        self._values = Columns(n_components, block_rows)
        self._top, self._total = aligned(block_rows), aligned(block_rows)

    def of(self, n_rows: int) -> tuple[Array, Array, Array]:
        """Return contiguous (K, rows), (rows,) and (rows,)."""
        return self._values.of(n_rows), self._top[:n_rows], self._total[:n_rows]


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


def cached_rows(numbers: int, least: int) -> int:
    """Rows per block, by which `numbers` float64 numbers per row stay in cache; `least` and 2,048 are about the limits.

    An odd multiple of 64: at multiples of 512 rows the columns of a block would fall on the same lines of the cache.
    """
    return min(2048, max(least, _BLOCK_NUMBERS // numbers)) // 128 * 128 + 64


def inverse_deviations(whiteners: Array, n_features: int) -> Array:
    """Return (G, D) inverse standard deviations from (G, D) or (G,)."""
    columns = whiteners.reshape(len(whiteners), -1)
    return np.array(np.broadcast_to(columns, (len(whiteners), n_features)))
