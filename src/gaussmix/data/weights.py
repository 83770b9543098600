"""What may be a row weight, and what a weight of zero means for the values beside it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.source import Chunk
from gaussmix.errors import ShapeError, WeightError

_HUGE = np.float64(1e150)  # the square of anything larger overflows


def weight_array(weights: object) -> NDArray[np.float64]:
    """Return what the user gave as row weights as a read-only float64 array (rows,).

    Raises
    ------
    ShapeError
        If it is not one-dimensional.
    WeightError
        If a value is not a number, negative or not finite, or if none is positive.
    """
    try:
        array = np.asarray(weights)
        if array.dtype.kind not in "buif":
            raise TypeError(f"values of dtype {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise WeightError(
            f"weights cannot be read as numbers ({error}). Give one non-negative number per row, or a column's name."
        ) from error
    if array.ndim != 1:
        raise ShapeError(
            f"weights have shape {array.shape}; expected (rows,), one number per row. Flatten them with .ravel()."
        )
    require_some(total_weight(array, 0, "weights"), "weights")
    array.flags.writeable = False
    return array


def total_weight(weights: NDArray[np.float64], start: int, description: str) -> float:
    """Return the sum of `weights` (rows,), the first of them at row `start`, all finite and none negative.

    Raises
    ------
    WeightError
        Otherwise, naming the first offending row.
    """
    wrong = ~(np.isfinite(weights) & (weights >= 0.0))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise WeightError(
            f"{description}: the weight of row {start + first} (counting from 0) is {weights[first]!s}; "
            "weights must be finite and not negative. A weight of 0 leaves a row out."
        )
    with np.errstate(over="ignore"):
        return float(weights.sum())


def require_some(total: float, description: str) -> None:
    """Refuse rows whose weights sum to nothing.

    Raises
    ------
    WeightError
        If the total weight is zero or overflows.
    """
    if not 0.0 < total < np.inf:
        found = "all zero" if total == 0.0 else "too large to be summed"
        raise WeightError(f"{description}: the row weights are {found}; at least one row must count.")


def masked(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """Replace rows of weight zero that hold a NaN or anything huge by zeros, since 0 times NaN or infinity is not 0.

    Only the affected pieces of at most `rows` rows are copied; a chunk without such rows passes as it is.
    """
    if chunk.weights is None or chunk.weights.all():
        yield chunk
        return
    for piece in pieces(chunk, rows):
        assert piece.weights is not None
        out = np.flatnonzero(piece.weights == 0.0)
        spoiled = out[~(np.abs(piece.x[out]) < _HUGE).all(axis=1)]
        yield without_rows(piece, spoiled) if spoiled.size else piece


def pieces(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """Cut a chunk into views of at most `rows` rows."""
    for first in range(0, chunk.x.shape[0], rows):
        weights = None if chunk.weights is None else chunk.weights[first : first + rows]
        yield Chunk(chunk.x[first : first + rows], weights, chunk.start + first)


def without_rows(chunk: Chunk, rows: NDArray[np.intp]) -> Chunk:
    """Return a copy of a chunk in which the rows at `rows` are zeros of weight zero."""
    x = chunk.x.copy()
    x[rows] = 0.0
    weights = np.ones(x.shape[0]) if chunk.weights is None else chunk.weights.copy()
    weights[rows] = 0.0
    return Chunk(x, weights, chunk.start)
