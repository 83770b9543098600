"""The compiled kernel: blocks of rows that stay in cache, BLAS for the products, Numba for everything between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.kernels import stages
from gaussmix.engine.kernels.kernel import Kernel, RowScores, Sums
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.kernels.routes import Route, route
from gaussmix.engine.kernels.scratch import Columns, aligned
from gaussmix.engine.plan import Plan

Kind = TypeVar("Kind", bound=np.floating)

_REFERENCE = NumpyKernel()


@final
class NumbaKernel(Kernel):
    """Compiled stages around the products, at most 2,048 rows at a time.

    A block in which some row's every density underflows goes to the reference kernel as a whole.
    """

    def accumulate(self, plan: Plan, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add one segment's sums under the mixture's own responsibilities."""
        way = route(plan)
        scratch = _Scratch(plan.n_components, way.block_rows)
        ones = _plain(np.ones(way.block_rows))
        weights = None if weights is None else _plain(weights)
        for block, rows in _blocks(x, way.block_rows):
            values, top, total = scratch.of(rows.shape[0])
            if not _exponentials(way, rows, values, top, total):
                _REFERENCE.accumulate(plan, rows, None if weights is None else weights[block], sums)
                continue
            w = ones[: rows.shape[0]] if weights is None else weights[block]
            stages.share_out(values, top, total, w, way.least, sums.kish, sums.scalars)
            way.add(values, sums)
        way.finish(sums)

    def densities(self, plan: Plan, x: NDArray[np.floating]) -> Array:
        """Log of mixing weight times density, (K, rows)."""
        if plan.precision is not None:
            return _REFERENCE.densities(plan, x)
        way = route(plan)
        scratch = _Scratch(plan.n_components, way.block_rows)
        everything = np.empty((plan.n_components, x.shape[0]))
        for block, rows in _blocks(x, way.block_rows):
            values, _, _ = scratch.of(rows.shape[0])
            way.log_densities(rows, values)
            everything[:, block] = values
        return everything

    def scores(self, plan: Plan, x: NDArray[np.floating]) -> RowScores:
        """Labels, responsibilities, uncertainty and log density of the rows."""
        if plan.precision is not None:
            return _REFERENCE.scores(plan, x)
        way = route(plan)
        scratch = _Scratch(plan.n_components, way.block_rows)
        ones, kish, scalars = _plain(np.ones(way.block_rows)), np.zeros(plan.n_components), np.zeros(3)
        scores = RowScores.empty(x.shape[0], plan.n_components)
        for block, rows in _blocks(x, way.block_rows):
            values, top, total = scratch.of(rows.shape[0])
            if not _exponentials(way, rows, values, top, total):
                scores.fill(block, _REFERENCE.scores(plan, rows))
                continue
            stages.share_out(values, top, total, ones[: rows.shape[0]], 0.0, kish, scalars)
            stages.rank(values, scores.responsibilities[block], scores.labels[block], scores.uncertainty[block])
            scores.log_prob[block] = top
        return scores

    def appraise(self, plan: Plan, x: NDArray[np.floating], weights: Array | None) -> Array:
        """Totals (3 + 3K,) of one segment of rows."""
        if plan.precision is not None:
            return _REFERENCE.appraise(plan, x, weights)
        way = route(plan)
        scratch = _Scratch(plan.n_components, way.block_rows)
        ones, scalars = _plain(np.ones(way.block_rows)), np.zeros(3)
        weights = None if weights is None else _plain(weights)
        whole = np.zeros(3 + 3 * plan.n_components)
        mass, kish, assigned = whole[3:].reshape(3, -1)
        for block, rows in _blocks(x, way.block_rows):
            values, top, total = scratch.of(rows.shape[0])
            w = ones[: rows.shape[0]] if weights is None else weights[block]
            way.log_densities(rows, values)
            counts = np.zeros(plan.n_components)
            certainty, entropy = stages.add_entropy(values, top, w, counts)
            if not stages.exponentiate(values, top, total):
                whole += _REFERENCE.appraise(plan, rows, None if weights is None else w)
                continue
            stages.share_out(values, top, total, w, 0.0, kish, scalars)
            mass += values.sum(axis=1)
            assigned += counts
            whole[1:3] += certainty, entropy
        whole[0] += scalars[0]
        return whole


def verify() -> None:
    """Compile and run one stage.

    Raises
    ------
    Exception
        Whatever Numba or LLVM raise where they cannot compile or keep what they compiled.
    """
    values, top, total = np.zeros((1, 1)), np.empty(1), np.empty(1)
    stages.exponentiate(values, top, total)
    if total[0] != 1.0:
        raise RuntimeError(f"exp(0) was computed as {total[0]}")


class _Scratch:
    """Arrays for the log densities and two numbers per row of one block."""

    def __init__(self, n_components: int, block_rows: int) -> None:
        self._values = Columns(n_components, block_rows)
        self._top, self._total = aligned(block_rows), aligned(block_rows)

    def of(self, n_rows: int) -> tuple[Array, Array, Array]:
        """Return contiguous (K, rows), (rows,) and (rows,)."""
        return self._values.of(n_rows), self._top[:n_rows], self._total[:n_rows]


def _exponentials(way: Route, rows: NDArray[np.floating], values: Array, top: Array, total: Array) -> bool:
    """Compute densities relative to each row's largest; return whether every row has one."""
    way.log_densities(rows, values)
    return stages.exponentiate(values, top, total)


def _blocks(x: NDArray[np.floating], block_rows: int) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Cut x (rows, D) into blocks of one type to the compiler: C-ordered, read-only, float64 or float32."""
    kind = np.float32 if x.dtype == np.float32 else np.float64
    plain = _plain(x.astype(kind, copy=False))
    for low in range(0, plain.shape[0], block_rows):
        block = slice(low, low + block_rows)
        yield block, plain[block]


def _plain(values: NDArray[Kind]) -> NDArray[Kind]:
    """Return `values` as a read-only, contiguous base array."""
    view = np.ascontiguousarray(values).view(np.ndarray)
    view.flags.writeable = False
    return view
