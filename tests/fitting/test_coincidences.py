"""Components that chance may have made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import family
from gaussmix.fitting.degeneracy import OUT_OF_LINE, find_degenerate


def found(narrow: float, rows: float, at: float = 0.5, total: float = 500.0) -> tuple[float, ...]:
    """Ratios of the marked components, of a broad one and one of few rows and a given standard deviation."""
    weights = np.array([1.0 - rows / total, rows / total])
    mixture = gm.Mixture(weights, [[0.0], [at]], [[[1.0]], [[narrow**2]]], structure="V")
    marked = find_degenerate(mixture, family("V", 1), gm.Unregularized(), total * weights, total * weights)
    return tuple(each.ratio for each in marked)


def test_a_few_rows_close_together_among_many_are_a_coincidence() -> None:
    (ratio,) = found(narrow=0.0005, rows=4.0)
    assert ratio == pytest.approx(0.992 / 0.0005**2, rel=1e-3)


def test_so_many_rows_in_so_little_room_are_no_coincidence() -> None:
    assert found(narrow=0.0005, rows=9.0) == ()
    assert found(narrow=0.0005, rows=4.0, at=8.0) == (), "nor are any where there would be none"
    assert found(narrow=0.1, rows=4.0) == (), "nor what is no narrower than others may be"


@given(narrow=st.floats(1e-4, 1.0), rows=st.floats(2.1, 60.0), at=st.floats(-4.0, 4.0))
def test_whatever_is_marked_is_out_of_line_and_more_rows_never_hurt(narrow: float, rows: float, at: float) -> None:
    marked = found(narrow, rows, at)
    assert all(ratio > OUT_OF_LINE for ratio in marked)
    if not marked:
        assert found(narrow, rows + 3.0, at) == ()


def test_the_sentence_says_what_was_found_and_what_to_do() -> None:
    weights = np.array([0.992, 0.008])
    mixture = gm.Mixture(weights, [[0.0], [0.5]], [[[1.0]], [[0.0005**2]]], structure="V")
    (each,) = find_degenerate(mixture, family("V", 1), gm.Unregularized(), 500 * weights, 500 * weights)
    assert each.sentence(("x1",)).startswith(
        "component 2 rests on 4 rows, and the others' variance in some direction is"
    )
    assert "EigenvalueRatio(50)" in each.sentence(("x1",))
