"""Rows that cannot be scored are told by position, feature and cure."""

from __future__ import annotations

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.data.source import Chunk, Source

MIXTURE = gm.Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])


@pytest.mark.parametrize(
    ("value", "missing", "told"),
    [(np.nan, "error", "a missing value, .* feature 2; drop"), (np.inf, "drop", "an infinite value, .* replace it")],
)
@pytest.mark.parametrize("verb", [gm.predict, gm.score])
def test_a_row_that_cannot_be_scored_is_told(verb, value, missing, told):
    with pytest.raises(gm.errors.MissingValuesError, match=rf"row 1 \(counting from 0\) has {told}"):
        verb(MIXTURE, np.array([[1.0, 2.0], [3.0, value]]), missing=missing)


class Boastful(Source):
    """Rows of which it says that there are another number."""

    n_features, feature_names, description, n_rows = 2, None, "boastful", 10

    def __init__(self, found: int) -> None:
        self._found = found

    def chunks(self):
        yield Chunk(np.zeros((self._found, 2)), None, 0)


@pytest.mark.parametrize("found", [3, 30])
def test_other_rows_than_a_source_said_are_no_answers(found):
    with pytest.raises(gm.errors.SourceError, match=f"boastful said that it has 10 rows, and gave {found}"):
        gm.predict(MIXTURE, Boastful(found))
