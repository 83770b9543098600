"""-k: numbers, ranges and lists of numbers of components."""

from __future__ import annotations

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.cli.arguments import MOST_COMPONENTS, counts

numbers = st.integers(1, 50)


@given(st.lists(st.one_of(numbers, st.tuples(numbers, st.integers(0, 20))), min_size=1, max_size=5))
def test_lists_of_numbers_and_ranges_are_read_in_order_without_repeats(parts):
    text, expected = [], []
    for part in parts:
        low, length = (part, 0) if isinstance(part, int) else part
        text.append(str(low) if isinstance(part, int) else f"{low}:{low + length}")
        expected += range(low, low + length + 1)
    assert counts(",".join(text)) == list(dict.fromkeys(expected))


@given(st.text(max_size=8))
def test_whatever_is_written_is_numbers_from_1_or_a_usage_error(text):
    try:
        found = counts(text)
    except typer.BadParameter as error:
        assert "expected a number (3), a range (1:9) or a list (1,3,5)" in str(error)
    else:
        assert found
        assert all(1 <= k <= MOST_COMPONENTS for k in found)


@pytest.mark.parametrize("text", ["", "0", "-1", "2:", ":3", "3:2", "1,,2", "1:2:3", "1e2", "1:999999999"])
def test_what_is_no_number_of_components_is_refused(text):
    with pytest.raises(typer.BadParameter):
        counts(text)
