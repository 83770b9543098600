"""Memory of stretches is used again, and never while somebody still looks at it."""

from __future__ import annotations

import gc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.data.shelf import Shelf

SHAPES = [(2, 3), (1, 100), (7, 1), (5, 5)]


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@given(st.lists(st.tuples(st.sampled_from(SHAPES), st.booleans(), st.integers(0, 9)), min_size=1, max_size=40))
def test_what_is_still_looked_at_keeps_its_values(steps):
    """Arrays are kept as views of views, or let go, in any order."""
    shelf = Shelf()
    kept: list[tuple[np.ndarray, int]] = []
    for number, (shape, single, dropped) in enumerate(steps):
        array = shelf.empty(shape, np.dtype(np.float32 if single else np.float64))
        assert array.shape == shape
        assert array.flags.c_contiguous
        array[...] = number
        kept.append((array.T[::2] if number % 3 else array[:1, 1:].T, number))
        del array
        if dropped < len(kept):
            del kept[dropped]
        for view, value in kept:
            assert (view == value).all()


def test_memory_comes_back():
    shelf, seen = Shelf(), set()
    for _ in range(50):
        array = shelf.empty((8, 1000), np.dtype(np.float64))
        seen.add(address(array))
        view = array[:, 5:].T
        del array
        assert (view.shape, len(seen)) == ((995, 8), 1)
        del view
        gc.collect()
    first, second = shelf.empty((3, 3), np.dtype(np.float64)), shelf.empty((3, 3), np.dtype(np.float64))
    assert not np.shares_memory(first, second)
