"""Where rows come from: re-readable sources of chunks, with no Gaussian in sight."""

from gaussmix.data.open import columns_for, open_source
from gaussmix.data.rebatch import rebatch
from gaussmix.data.source import Chunk, Source

__all__ = ["Chunk", "Source", "columns_for", "open_source", "rebatch"]
