"""Chosen columns, weights beside the rows, masked rows, and a model's columns found by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaussmix.data import columns_for, open_source
from gaussmix.data.transform import Columns, DropMissing, Scaled, Weighted
from gaussmix.errors import ColumnError, ShapeError, WeightError


def gathered(source):
    chunks = list(source.chunks())
    weights = [np.ones(len(c.x)) if c.weights is None else c.weights for c in chunks]
    return np.concatenate([c.x for c in chunks]), np.concatenate(weights)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("gaussmix.data.transform.ROWS_PER_READ", 3)


gappy = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.sampled_from([0.0, 1.5, -2.0, np.nan]),
)


@given(gappy)
def test_rows_with_gaps_weigh_nothing_and_the_others_stay(x):
    before = x.copy()
    rows, weights = gathered(open_source(x, missing="drop"))
    complete = ~np.isnan(x).any(axis=1)
    np.testing.assert_array_equal(weights, complete)
    np.testing.assert_array_equal(rows[complete], x[complete])
    assert not rows[~complete].any()
    np.testing.assert_array_equal(x, before)


@given(gappy, st.data())
def test_weights_and_gaps_multiply(x, data):
    elements = st.sampled_from([0.0, 0.5, 3.0])
    given_weights = data.draw(hnp.arrays(np.float64, x.shape[0], elements=elements))
    given_weights[0] = 2.0
    _, weights = gathered(open_source(x, weights=given_weights, missing="drop"))
    np.testing.assert_array_equal(weights, given_weights * ~np.isnan(x).any(axis=1))


def test_only_pieces_with_gaps_are_copied(small_pieces):
    x = np.arange(18.0).reshape(9, 2)
    x[4, 1] = np.nan
    shared = [np.shares_memory(chunk.x, x) for chunk in DropMissing(open_source(x)).chunks()]
    assert shared == [True, False, True]


def test_a_weight_of_zero_excuses_the_values_beside_it():
    x = np.array([[1.0, np.nan], [2.0, np.inf], [3.0, np.nan], [4.0, 5.0]])
    rows, weights = gathered(open_source(x, weights=[0, 0, 1, 0]))
    np.testing.assert_array_equal(rows, [[0, 0], [0, 0], [3, np.nan], [4, 5]])
    np.testing.assert_array_equal(weights, [0, 0, 1, 0])


@pytest.mark.parametrize("weights", [[1, 2, 0], np.array([True, True, False]), pd.Series([1.0, 2, 3])])
def test_weights_may_be_any_vector_of_numbers(weights):
    _, found = gathered(open_source(np.zeros((3, 1)), weights=weights))
    np.testing.assert_array_equal(found, np.asarray(weights, dtype=float))


@pytest.mark.parametrize("n_weights", [2, 5])
def test_the_number_of_weights_is_compared_while_reading(n_weights, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n2\n3\n")
    source = open_source(path, weights=np.ones(n_weights))
    with pytest.raises(ShapeError, match=f"there are {n_weights} weights for .*3 rows"):
        for chunk in source.chunks():
            assert chunk.x.shape[0] == chunk.weights.size


def test_rows_with_weights_of_their_own_take_no_others():
    source = open_source(pd.DataFrame({"a": [1.0, 2], "w": [1.0, 1]}), weights="w")
    with pytest.raises(WeightError, match="weights of its own"):
        list(Weighted(source, np.ones(2)).chunks())


def test_columns_of_a_source_keep_weights_and_names(small_pieces):
    frame = pd.DataFrame(np.arange(21.0).reshape(7, 3), columns=["a", "b", "c"])
    source = Columns(open_source(frame, weights=np.arange(7)), ["c", "a"])
    rows, weights = gathered(source)
    assert source.feature_names == ("c", "a")
    np.testing.assert_array_equal(rows, frame[["c", "a"]])
    np.testing.assert_array_equal(weights, np.arange(7))
    np.testing.assert_array_equal(gathered(open_source(open_source(frame), features=[1]))[0], frame[["b"]])


@given(st.permutations(["a", "b", "c", "extra"]))
def test_a_model_finds_its_columns_in_any_order(order):
    frame = pd.DataFrame({name: [float(i), -1.0] for i, name in enumerate(["a", "b", "c", "extra"])})
    for data in (frame[order], open_source(frame[order])):
        source = columns_for(data, ["a", "b", "c"])
        assert source.feature_names == ("a", "b", "c")
        np.testing.assert_array_equal(gathered(source)[0], [[0, 1, 2], [-1, -1, -1]])


def test_text_in_columns_that_the_model_ignores_is_ignored():
    frame = pd.DataFrame({"species": ["x", "y"], "a": [1.0, 2.0]})
    np.testing.assert_array_equal(gathered(columns_for(frame, ["a"]))[0], [[1], [2]])


def test_without_names_only_the_number_of_columns_counts():
    x = np.ones((2, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    assert columns_for(x, ["p", "q", "r"]).n_features == 3
    assert columns_for(frame, None, n_features=3).n_features == 3
    for data, names, n_features in ((x, ["p", "q"], None), (frame, None, 2), (open_source(x), None, 4)):
        with pytest.raises(ShapeError, match="has 3 columns; the model has"):
            columns_for(data, names, n_features=n_features)


def test_missing_columns_are_all_named():
    frame = pd.DataFrame({"a": [1.0], "b": [1.0]})
    for data in (frame, open_source(frame)):
        with pytest.raises(ColumnError, match=r"lacks 2 of the 3 columns.*'x', 'y'"):
            columns_for(data, ["x", "a", "y"])


def test_a_model_asks_for_numbers_where_it_was_fitted_on_numbers():
    with pytest.raises(ValueError, match="fitted on numbers"):
        columns_for(pd.DataFrame({"a": ["x"]}), ["a"])


def test_columns_for_can_drop_missing_rows():
    _, weights = gathered(columns_for(pd.DataFrame({"a": [1.0, np.nan]}), ["a"], missing="drop"))
    np.testing.assert_array_equal(weights, [1, 0])


def test_columns_for_takes_weights_like_any_data():
    frame = pd.DataFrame({"w": [1.0, 3.0], "b": [0.0, 1.0], "a": [5.0, 6.0]})
    rows, weights = gathered(columns_for(frame, ["a", "b"], weights="w"))
    np.testing.assert_array_equal(rows, [[5, 0], [6, 1]])
    np.testing.assert_array_equal(weights, [1, 3])
    _, weights = gathered(columns_for(frame, None, n_features=2, weights="w"))
    np.testing.assert_array_equal(weights, [1, 3])
    _, weights = gathered(columns_for(np.ones((2, 1)), ["a"], weights=[4, 5]))
    np.testing.assert_array_equal(weights, [4, 5])


def test_scaled_weights():
    source = open_source(np.ones((3, 1)))
    np.testing.assert_array_equal(gathered(Scaled(source, 0.5))[1], [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(gathered(Scaled(Weighted(source, [1, 0, 4]), 0.5))[1], [0.5, 0, 2])
