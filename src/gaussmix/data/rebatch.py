"""Rows in chunks of one stated size, wherever the source's own chunks end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gaussmix.data.source import Chunk, Source
from gaussmix.errors import ParameterError


def rebatch(source: Source, rows: int) -> Iterator[Chunk]:
    """Read all rows once in chunks of exactly `rows` rows, the last one shorter where it must be.

    Chunks start at multiples of `rows`, so what is computed from each of them does not depend on how the
    source happens to be stored. Chunks that lie inside one chunk of the source are views, not copies.

    Parameters
    ----------
    source : Source
    rows : int
        At least 1.

    Raises
    ------
    ParameterError
        If `rows` is less than 1.
    """
    if rows < 1:
        raise ParameterError(f"rows is {rows}; a chunk has at least 1 row.")
    return _rebatch(source, rows)


def _rebatch(source: Source, rows: int) -> Iterator[Chunk]:
    pending: list[Chunk] = []
    lacking = rows
    for chunk in source.chunks():
        first = 0
        while first < chunk.x.shape[0]:
            piece = _part(chunk, first, first + lacking)
            pending.append(piece)
            first += piece.x.shape[0]
            lacking -= piece.x.shape[0]
            if lacking == 0:
                yield _joined(pending)
                pending, lacking = [], rows
    if pending:
        yield _joined(pending)


def _part(chunk: Chunk, first: int, stop: int) -> Chunk:
    weights = None if chunk.weights is None else chunk.weights[first:stop]
    return Chunk(chunk.x[first:stop], weights, chunk.start + first)


def _joined(parts: list[Chunk]) -> Chunk:
    """Return consecutive chunks as one; weights of one are written out only beside other weights."""
    if len(parts) == 1:
        return parts[0]
    weights = None
    if any(part.weights is not None for part in parts):
        weights = np.concatenate([np.ones(part.x.shape[0]) if part.weights is None else part.weights for part in parts])
    return Chunk(np.concatenate([part.x for part in parts]), weights, parts[0].start)
