"""Four ways through a block of rows, by form, moment and number of features: from rows to log densities and to sums.

| route | when | log densities | sums |
|---|---|---|---|
| `Products` | quadratic form | features times natural parameters | shares times features |
| `Panels` | quadratic form, full moments, many features | z'Lz, L triangular, a few columns at once | gathered rows |
| `Centred` | anchored form | compiled loops over deviations | compiled loops |
| `Whitened` | anchored form, many features | deviations times inverse factors, in BLAS | gathered rows |

Where there are many features nearly every responsibility is zero. Gathering the rows that have a share in a component
then saves nearly all of the second product, which would otherwise cost as much as the first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, unpack
from gaussmix.covariance import Moment
from gaussmix.engine.kernels import centred, stages
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.scratch import Columns, aligned, aligned_copy
from gaussmix.engine.plan import Form, Plan

Made = TypeVar("Made")

NEGLIGIBLE = 2.0**-75  # of a row's largest responsibility: far below the rounding errors of any sum it enters
_BLOCK_NUMBERS = 1 << 15  # float64 numbers of features and log densities in one block: 256 KB
_PANELS_FROM = 40  # features from which panels beat the features of all second moments
_PANEL = 16  # features per panel
_WHITENED_FROM = 48  # features from which BLAS whitens faster than the compiled loops
_TILE_NUMBERS = 3072  # float64 numbers of deviations that stay in the first-level cache: 24 KB
_DENSE = 0.3  # share of responsibilities that are not negligible from which gathering does not pay


# What a route makes of a plan's large arrays, shared by all segments of the pass; where segments are short, making it
# anew for each of them would take as long as the rows.
_PREPARED: WeakKeyDictionary[Plan, Any] = WeakKeyDictionary()


def _prepared(plan: Plan, make: Callable[[Plan], Made]) -> Made:
    """Return what `make` returns for `plan`, made once; a plan only ever takes one route."""
    made = _PREPARED.get(plan)
    if made is None:
        made = _PREPARED[plan] = make(plan)
    return made


class Route(ABC):
    """One pass's constants and scratch, for blocks of at most `block_rows` rows."""

    block_rows: int
    least: float = 0.0
    """Responsibilities below it (relative to a row's largest) may be taken for zero."""

    @abstractmethod
    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Write log densities (K, rows) of the rows x (rows, D), in data units and C order, and remember the rows."""

    @abstractmethod
    def add(self, shares: Array, sums: Sums) -> None:
        """Add the moments of the remembered rows under `shares` (K, rows), which may be overwritten."""

    @abstractmethod
    def finish(self, sums: Sums) -> None:
        """Add what has been kept back since the segment's start."""


def route(plan: Plan) -> Route:
    """Return the route for one plan; it depends on the form, the moment and D only."""
    d = plan.n_features
    full = plan.moment is Moment.FULL
    if plan.form is Form.QUADRATIC:
        return Panels(plan) if full and d >= _PANELS_FROM else Products(plan)
    matrices = plan.whiteners.ndim == 3 or plan.moment in (Moment.FULL, Moment.POOLED)
    return Whitened(plan) if matrices and d >= _WHITENED_FROM else Centred(plan)


class _Rows:
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


class _Gathered:
    """Second moments of the rows that have a share in a component, gathered until a product pays."""

    def __init__(self, plan: Plan, block_rows: int) -> None:
        k, d = plan.n_components, plan.n_features
        self.anchors = np.array(plan.anchors)
        self.capacity = 3 * block_rows
        self.block_rows = block_rows
        self.buffers = aligned(k, self.capacity, d)
        self.counts = np.zeros(k, dtype=np.int64)
        self.totals = np.zeros((k, 1 + d))
        self.pooled = plan.moment is Moment.POOLED
        self.moments = np.zeros((1 if self.pooled else k, d, d))
        self._product = aligned(d, d)

    def add(self, z: Array, shares: Array) -> None:
        """Take the rows z (rows, D) with `shares` (K, rows)."""
        stages.gather(z, self.anchors, shares, self.buffers, self.counts, self.totals)
        self._multiply(self.capacity - self.block_rows)

    def _multiply(self, most: int) -> None:
        """Turn buffers of more than `most` rows into moments."""
        for k in np.flatnonzero(self.counts > most):
            rows = self.buffers[k, : self.counts[k]]
            np.matmul(rows.T, rows, out=self._product)
            self.moments[0 if self.pooled else k] += self._product
            self.counts[k] = 0

    def finish(self, sums: Sums, moment: Moment) -> None:
        """Add everything gathered to `sums`."""
        self._multiply(0)
        d = self._product.shape[0]
        sums.totals[:, : 1 + d] += self.totals
        if self.pooled:
            sums.pooled[:] += self.moments[0]
        elif moment is Moment.FULL:
            stages.add_lower(self.moments, sums.totals)
        else:
            squares = np.diagonal(self.moments, axis1=1, axis2=2)
            sums.totals[:, 1 + d :] += squares.sum(axis=1, keepdims=True) if moment is Moment.TRACE else squares


class _Features:
    """The features of a block, (1 + D + S, rows), and the sums of their products with shares."""

    def __init__(self, plan: Plan, block_rows: int) -> None:
        self._moment = plan.moment
        self._rows = _Rows(plan)
        k, width = plan.natural.shape
        self._n_features = plan.n_features
        self._features = Columns(width, block_rows)
        self._product = aligned(width, k)
        self._totals = np.zeros((width, k))

    def fill(self, x: NDArray[np.floating]) -> Array:
        """Return the features of the rows x (rows, D), in data units."""
        features = self._features.of(x.shape[0])
        z, second = features[1 : self._n_features + 1], features[self._n_features + 1 :]
        features[0] = 1.0
        self._rows.columns(x, z)
        if self._moment is Moment.FULL:
            stages.products(z, second)
        elif self._moment is Moment.DIAGONAL:
            np.square(z, out=second)
        elif self._moment is Moment.TRACE:
            np.einsum("dn,dn->n", z, z, out=second[0])
        return features

    def add(self, shares: Array) -> None:
        """Add the sums of the block that was filled in last under `shares` (K, rows)."""
        np.matmul(self._features.array, shares.T, out=self._product)
        self._totals += self._product

    def finish(self, sums: Sums) -> None:
        """Add the sums of all blocks."""
        sums.totals[:] += self._totals.T


@final
class Products(Route):
    """Features in cache, and two products with them (docs/mathematics.md, equation 12)."""

    def __init__(self, plan: Plan) -> None:
        self.block_rows = _block_rows(sum(plan.natural.shape), 256)
        self._natural = aligned_copy(plan.natural)
        self._features = _Features(plan, self.block_rows)

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Fill the features, and multiply."""
        np.matmul(self._natural, self._features.fill(x), out=values)

    def add(self, shares: Array, sums: Sums) -> None:
        """Multiply again."""
        self._features.add(shares)

    def finish(self, sums: Sums) -> None:
        """Add the products of all blocks."""
        self._features.finish(sums)


@final
class Panels(Route):
    """z'Lz for triangular L, the columns of all components side by side; half of L's products are never made."""

    least = NEGLIGIBLE

    def __init__(self, plan: Plan) -> None:
        d, k = plan.n_features, plan.n_components
        self.block_rows = 256
        self._rows = _Rows(plan)
        self._offsets = plan.natural[:, :1]
        self._panels = _prepared(plan, _panels)
        self._scratch = aligned(self.block_rows * k * _PANEL)
        self._x: NDArray[np.floating] = np.empty((0, d))
        self._z = self._x
        self._gathered = _Gathered(plan, self.block_rows)
        self._features: _Features | None = None
        self._plan = plan

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Multiply panel by panel."""
        self._x, self._z = x, self._rows.rows(x)
        z = self._z
        values[:] = self._offsets
        for low, factor, linear in self._panels:
            size = z.shape[0] * factor.shape[1]
            y = self._scratch[:size].reshape(z.shape[0], factor.shape[1])
            np.matmul(z[:, : factor.shape[0]], factor, out=y)
            stages.add_panel(z, y, linear, low, values)

    def add(self, shares: Array, sums: Sums) -> None:
        """Gather; where most shares are not negligible, multiply with features instead."""
        if np.count_nonzero(shares) <= _DENSE * shares.size:
            self._gathered.add(self._z, shares)
            return
        if self._features is None:
            self._features = _Features(self._plan, self.block_rows)
        self._features.fill(self._x)
        self._features.add(shares)

    def finish(self, sums: Sums) -> None:
        """Add what was gathered, and the products of all other blocks."""
        self._gathered.finish(sums, self._plan.moment)
        if self._features is not None:
            self._features.finish(sums)


@final
class Centred(Route):
    """Deviations of a tile of rows from one mean after the other, in compiled loops."""

    def __init__(self, plan: Plan) -> None:
        d, k = plan.n_features, plan.n_components
        self._plan = plan
        self._rows = _Rows(plan)
        self._constants, self._centres = np.array(plan.constants), np.array(plan.centres)
        self._anchors = np.array(plan.anchors)
        self.block_rows = _block_rows(k + d, 256)
        self._z = Columns(d, self.block_rows)
        padded = -(-d // centred.GROUP) * centred.GROUP
        tile = min(512, max(64, _TILE_NUMBERS // padded // 8 * 8))
        self._work = aligned(padded + centred.GROUP, tile)
        self._work[:] = 0.0
        self._triangular = plan.whiteners.ndim == 3
        self._whiteners = _padded(plan.whiteners, padded) if self._triangular else _diagonals(plan.whiteners, d)
        self._outer = plan.moment in (Moment.FULL, Moment.POOLED)
        self._totals = np.zeros((k, 1 + d + (d * (d + 1) // 2 if self._outer else d)))

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Centre and whiten."""
        z = self._z.of(x.shape[0])
        self._rows.columns(x, z)
        if self._triangular:
            stage, more = centred.triangular_densities, (self._work, values)
        else:
            stage, more = centred.diagonal_densities, (values,)
        stage(z, self._constants, self._centres, self._whiteners, *more)

    def add(self, shares: Array, sums: Sums) -> None:
        """Centre on the anchors, and sum."""
        if self._outer:
            centred.add_outer(self._z.array, self._anchors, shares, self._work, self._totals)
        else:
            centred.add_squares_of_deviations(self._z.array, self._anchors, shares, self._totals)

    def finish(self, sums: Sums) -> None:
        """Reduce the moments to those of the plan."""
        d, moment = self._plan.n_features, self._plan.moment
        second = self._totals[:, 1 + d :]
        sums.totals[:, : 1 + d] += self._totals[:, : 1 + d]
        if moment is Moment.POOLED:
            sums.pooled[:] += unpack(second.sum(axis=0), d)
        else:
            sums.totals[:, 1 + d :] += second.sum(axis=1, keepdims=True) if moment is Moment.TRACE else second


@final
class Whitened(Route):
    """Deviations times inverse factors in BLAS, a few columns of the factor at once; rows gathered for the moments."""

    least = NEGLIGIBLE

    def __init__(self, plan: Plan) -> None:
        d = plan.n_features
        self.block_rows = 256
        self._plan = plan
        self._rows = _Rows(plan)
        self._factors = _prepared(plan, _transposed_whiteners)
        self._width = max(_PANEL, d // 4)
        self._z = np.empty((0, d))
        self._scratch = aligned(2, self.block_rows, d)
        self._gathered = _Gathered(plan, self.block_rows)

    def log_densities(self, x: NDArray[np.floating], values: Array) -> None:
        """Whiten component by component."""
        plan = self._plan
        self._z = self._rows.rows(x)
        deviations, white = self._scratch[:, : x.shape[0]]
        for k in range(plan.n_components):
            np.subtract(self._z, plan.centres[k], out=deviations)
            factor = self._factors[k % len(self._factors)]
            for low in range(0, plan.n_features, self._width):
                high = min(low + self._width, plan.n_features)
                np.matmul(deviations[:, :high], factor[:high, low:high], out=white[:, low:high])
            stages.add_squares(white, plan.constants[k], values[k])

    def add(self, shares: Array, sums: Sums) -> None:
        """Gather."""
        self._gathered.add(self._z, shares)

    def finish(self, sums: Sums) -> None:
        """Add what was gathered."""
        self._gathered.finish(sums, self._plan.moment)


def _block_rows(numbers: int, least: int) -> int:
    """Rows per block, by which `numbers` float64 numbers per row stay in cache; `least` and 2,048 are about the limits.

    An odd multiple of 64: at multiples of 512 rows the columns of a block would fall on the same lines of the cache.
    """
    return min(2048, max(least, _BLOCK_NUMBERS // numbers)) // 128 * 128 + 64


def _panels(plan: Plan) -> list[tuple[int, Array, Array]]:
    """Cut the quadratic and linear parameters into panels of features.

    For each: its first feature; the columns of all components' triangles side by side, (features, K times width); and
    linear parameters (K, width).
    """
    d = plan.n_features
    triangles = np.tril(unpack(plan.natural[:, 1 + d :], d))
    panels: list[tuple[int, Array, Array]] = []
    for low in range(0, d, _PANEL):
        high = min(low + _PANEL, d)
        factor = triangles[:, low:high, :high].reshape(-1, high).T
        panels.append((low, aligned_copy(factor), np.ascontiguousarray(plan.natural[:, 1 + low : 1 + high])))
    return panels


def _transposed_whiteners(plan: Plan) -> Array:
    """Return inverse factors (G, D, D), upper triangular."""
    whiteners, d = plan.whiteners, plan.n_features
    if whiteners.ndim < 3:
        whiteners = _diagonals(whiteners, d)[:, :, None] * np.eye(d)
    return aligned_copy(np.swapaxes(whiteners, 1, 2))


def _diagonals(whiteners: Array, n_features: int) -> Array:
    """Return (G, D) inverse standard deviations from (G, D) or (G,)."""
    columns = whiteners.reshape(len(whiteners), -1)
    return np.array(np.broadcast_to(columns, (len(whiteners), n_features)))


def _padded(whiteners: Array, width: int) -> Array:
    """Return inverse factors (G, D, D) with zero rows and columns up to `width`."""
    padded = np.zeros((len(whiteners), width, width))
    padded[:, : whiteners.shape[1], : whiteners.shape[2]] = whiteners
    return padded
