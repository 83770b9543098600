"""Rows that cannot be scored are told by position, feature and cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import scoring_plan
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.scoring import AppraisalFold
from gaussmix.engine.small_rows import SmallRows
from gaussmix.engine.summary import Pilot

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


@given(seed=st.integers(0, 2**32), k=st.integers(1, 5), n=st.integers(1, 600), d=st.integers(1, 6))
def test_compiled_code_appraises_small_problems_as_the_reference(seed, k, n, d):
    rng = np.random.default_rng(seed)
    x, weights = rng.normal(scale=2.0, size=(n, d)), rng.integers(0, 4, n).astype(float)
    factors = np.tril(rng.normal(size=(k, d, d)))
    factors[:, range(d), range(d)] = rng.uniform(0.3, 2.0, (k, d))
    mixture = gm.Mixture(rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), factors @ np.swapaxes(factors, 1, 2))
    chunk = Chunk(x, weights, 0)
    found = SmallRows([chunk], Pilot(mixture.coordinates, np.ones(d))).appraise(mixture)
    expected = AppraisalFold(scoring_plan(mixture), NumpyKernel())
    wanted = expected.finish(expected.segment(chunk))
    assert found is not None
    for name in ("log_likelihood", "classification", "entropy", "mass", "kish", "assigned"):
        # Cancellation loses digits of the largest of n terms, each of the size of a log density.
        np.testing.assert_allclose(
            getattr(found, name), getattr(wanted, name), rtol=1e-11, atol=1e-11 * n, err_msg=name
        )


def test_of_rows_too_far_out_compiled_code_says_nothing():
    chunk = Chunk(np.array([[0.0, 0.0], [1e200, 0.0]]), None, 0)
    assert SmallRows([chunk], Pilot(MIXTURE.coordinates, np.ones(2))).appraise(MIXTURE) is None


def test_rows_between_two_components_are_assigned_to_the_first():
    twice = gm.Mixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [np.eye(2)] * 2)
    chunk = Chunk(np.array([[0.0, 0.0], [0.0, 3.0], [2.0, 0.0]]), np.array([1.0, 2.0, 4.0]), 0)
    found = SmallRows([chunk], Pilot(twice.coordinates, np.ones(2))).appraise(twice)
    assert found is not None
    np.testing.assert_array_equal(found.assigned, [3.0, 4.0])


def test_a_row_that_cannot_be_scored_is_told_with_the_name_of_the_feature():
    x = np.random.default_rng(0).normal(size=(50, 2))
    frame = pd.DataFrame(x, columns=["length", "body mass"])
    result = gm.fit(frame, 1)
    frame.iloc[7, 1] = np.nan
    with pytest.raises(gm.errors.MissingValuesError, match=r"row 7 .* feature 'body mass'; drop such rows"):
        gm.predict(result, frame)
