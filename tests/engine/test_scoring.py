"""Rows that cannot be scored are told by position, feature and cure."""

from __future__ import annotations

import numpy as np
import pytest

import gaussmix as gm

MIXTURE = gm.Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])


@pytest.mark.parametrize(
    ("value", "missing", "told"),
    [(np.nan, "error", "a missing value, .* feature 2; drop"), (np.inf, "drop", "an infinite value, .* replace it")],
)
@pytest.mark.parametrize("verb", [gm.predict, gm.score])
def test_a_row_that_cannot_be_scored_is_told(verb, value, missing, told):
    with pytest.raises(gm.errors.MissingValuesError, match=rf"row 1 \(counting from 0\) has {told}"):
        verb(MIXTURE, np.array([[1.0, 2.0], [3.0, value]]), missing=missing)
