"""Randomness that belongs to rows: a function of the seed and a row's position, however the rows are read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def row_keys(seed: int, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Random 64-bit keys of row positions: the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    start = np.random.default_rng([seed, 0x5EED]).integers(2**63, dtype=np.uint64)
    z = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
