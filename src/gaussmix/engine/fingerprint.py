"""A fingerprint of rows: the same for the same numbers in the same order, wherever they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import final

import numpy as np

from gaussmix.data.source import Chunk
from gaussmix.engine.fold import Fold


@final
@dataclass(frozen=True)
class FingerprintFold(Fold[list[bytes], str]):
    """SHA-256 over the digests of segments, which must be cut the same way at every reading."""

    @property
    def state_bytes(self) -> int:
        """Bytes of a digest; a state holds one for every segment that it has seen."""
        return sha256().digest_size

    def segment(self, chunk: Chunk) -> list[bytes]:
        """Return the digest of one segment's values, as float64, and of its weights."""
        values = np.asarray(chunk.x, dtype=np.float64, order="C") + 0.0  # -0.0 is 0.0
        values = np.where(np.isnan(values), np.nan, values)
        digest = sha256(repr(values.shape).encode())
        digest.update(values.tobytes())
        if chunk.weights is not None:
            digest.update(np.ascontiguousarray(chunk.weights, dtype=np.float64).tobytes())
        return [digest.digest()]

    def merge(self, left: list[bytes], right: list[bytes]) -> list[bytes]:
        """Put one after the other."""
        return left + right

    def finish(self, state: list[bytes]) -> str:
        """Return the digest of the digests, in hexadecimal."""
        return sha256(b"".join(state)).hexdigest()
