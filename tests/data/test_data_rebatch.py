"""Laws of `rebatch`: the chunks of a source do not show through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.data import Chunk, Source, open_source, rebatch
from gaussmix.errors import ParameterError


class Pieces(Source):
    """Rows 0, 1, 2 ... cut as told; every second chunk may carry weights."""

    def __init__(self, sizes, weighted):
        self.sizes, self.weighted = sizes, weighted
        self.x = np.arange(2.0 * sum(sizes)).reshape(-1, 2)
        self.weights = np.ones(len(self.x))

    n_features = property(lambda self: 2)
    feature_names = property(lambda self: None)
    description = property(lambda self: "pieces")

    def chunks(self):
        start = 0
        for i, size in enumerate(self.sizes):
            part = slice(start, start + size)
            heavy = self.weighted and i % 2 == 1
            if heavy:
                self.weights[part] = 2.0 + np.arange(start, start + size)
            yield Chunk(self.x[part], self.weights[part] if heavy else None, start)
            start += size


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 40), st.booleans())
def test_rows_and_weights_survive_any_cut(sizes, rows, weighted):
    source = Pieces(sizes, weighted)
    chunks = list(rebatch(source, rows))
    total = sum(sizes)
    assert [chunk.start for chunk in chunks] == list(range(0, total, rows))
    assert all(chunk.x.shape[0] == rows for chunk in chunks[:-1])
    np.testing.assert_array_equal(np.concatenate([chunk.x for chunk in chunks]), source.x)
    weights = [np.ones(len(c.x)) if c.weights is None else c.weights for c in chunks]
    np.testing.assert_array_equal(np.concatenate(weights), source.weights)
    assert weighted or all(chunk.weights is None for chunk in chunks)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 12))
def test_nothing_is_copied_inside_one_chunk(sizes, rows):
    source = Pieces(sizes, weighted=False)
    ends = np.cumsum(sizes)
    for chunk in rebatch(source, rows):
        inside = np.searchsorted(ends, chunk.start, "right") == np.searchsorted(ends, chunk.stop - 1, "right")
        assert np.shares_memory(chunk.x, source.x) == inside


def test_a_chunk_has_at_least_one_row():
    with pytest.raises(ParameterError, match="rows is 0"):
        rebatch(open_source(np.zeros((2, 2))), 0)
