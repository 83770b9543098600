"""Examples and edge cases of the mixture as a value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gaussmix as gm
from gaussmix.covariance import Diagonal, Scalar
from gaussmix.errors import ColumnError, ModelFileError, ShapeError


@pytest.fixture
def two() -> gm.Mixture:
    return gm.Mixture(
        [0.25, 0.75],
        [[0.0, 1.0], [4.0, -2.0]],
        [[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 9.0]]],
        feature_names=["a", "b"],
    )


def test_it_says_what_it_is(two: gm.Mixture) -> None:
    assert repr(two) == "<Mixture VVV: 2 components, 2 features>"
    assert (two.n_components, two.n_features, two.feature_names) == (2, 2, ("a", "b"))
    assert two.n_parameters == 1 + 4 + 6
    np.testing.assert_allclose(two.standard_deviations, np.sqrt([[2.0, 1.0], [1.0, 9.0]]))


def test_what_it_holds_cannot_be_changed(two: gm.Mixture) -> None:
    for array in (two.weights, two.centres, two.spread.arrays):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(AttributeError):
        two.weights = np.array([0.5, 0.5])  # type: ignore[misc]


def test_what_it_was_made_of_may_be_changed() -> None:
    weights, means = np.array([0.5, 0.5]), np.array([[0.0], [1.0]])
    mixture = gm.Mixture(weights, means, [[[1.0]], [[1.0]]])
    weights[0], means[0] = 9.0, 9.0
    assert mixture.weights[0] == 0.5
    assert mixture.means[0, 0] == 0.0


def test_weights_are_brought_to_sum_to_one_exactly() -> None:
    mixture = gm.Mixture([0.1, 0.9 + 5e-7], [0.0, 1.0], [1.0, 1.0])
    assert mixture.weights.sum() == pytest.approx(1.0, abs=1e-15)


def test_one_feature_may_be_written_without_brackets() -> None:
    short = gm.Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 4.0])
    long = gm.Mixture([0.5, 0.5], [[0.0], [1.0]], [[[1.0]], [[4.0]]])
    np.testing.assert_array_equal(short.covariances, long.covariances)
    assert short.structure == "V"
    np.testing.assert_array_equal(short.log_prob([0.0, 2.0]), long.log_prob([[0.0], [2.0]]))


@pytest.mark.parametrize(
    ("structure", "parameters"),
    [("EII", 1), ("VII", 3), ("EEE", 3), ("VVV", 9), ("EVE", 1 + 3 + 1), ("VEV", 3 + 1 + 3), ("tied", 3), ("diag", 6)],
)
def test_parameters_are_counted_by_structure(structure: str, parameters: int) -> None:
    mixture = gm.Mixture(np.full(3, 1 / 3), np.zeros((3, 2)), np.stack([np.eye(2)] * 3), structure=structure)
    assert mixture.n_parameters == 2 + 6 + parameters


def test_a_dataframe_is_matched_by_name(two: gm.Mixture) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    frame = pd.DataFrame({"b": x[:, 1], "other": ["u", "v"], "a": x[:, 0]})
    np.testing.assert_array_equal(two.log_prob(frame), two.log_prob(x))
    np.testing.assert_array_equal(gm.predict(two, frame).log_prob, gm.predict(two, x).log_prob)
    with pytest.raises(ColumnError, match="b"):
        two.log_prob(frame[["a", "other"]])


def test_rows_of_another_shape_are_refused(two: gm.Mixture) -> None:
    with pytest.raises(ShapeError, match=r"a single row is written \[\[\.\.\.\]\]"):
        two.log_prob([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"\(N, 2\)"):
        two.log_prob([[1.0, 2.0, 3.0]])
    assert two.log_prob(np.empty((0, 2))).shape == (0,)


def test_marginals_and_conditionals_keep_names(two: gm.Mixture) -> None:
    assert two.marginal(["b", "a"]).feature_names == ("b", "a")
    np.testing.assert_array_equal(two.marginal(["b", "a"]).means, two.means[:, ::-1])
    assert two.marginal([1]).feature_names == ("b",)
    given = two.condition({"a": 0.0})
    assert given.feature_names == ("b",)
    # Component 1: mean 1 + 0.5/2 * 0, variance 1 - 0.25/2. Component 2: its features are independent.
    np.testing.assert_allclose(given.means[:, 0], [1.0, -2.0], rtol=1e-15)
    np.testing.assert_allclose(given.covariances[:, 0, 0], [0.875, 9.0], rtol=1e-15)


@pytest.mark.parametrize(
    ("structure", "marginal"),
    [("VVV", "VVV"), ("EII", "EII"), ("EEE", "EEE"), ("VEE", "VEE"), ("EVI", "VVI"), ("EEV", "VVV"), ("EVE", "VVV")],
)
def test_a_marginal_stays_in_its_family_where_that_holds(structure: str, marginal: str) -> None:
    mixture = gm.Mixture([1.0], np.zeros((1, 3)), np.eye(3)[None], structure=structure)
    assert mixture.marginal([2, 0]).structure == marginal
    assert mixture.marginal([1]).structure == marginal[0]


def test_components_are_ordered_by_weight_then_mean() -> None:
    mixture = gm.Mixture([0.3, 0.4, 0.3], [[5.0], [0.0], [-5.0]], np.ones((3, 1, 1)))
    assert mixture.order().tolist() == [1, 2, 0]
    np.testing.assert_array_equal(mixture.in_order().means[:, 0], [0.0, -5.0, 5.0])


def test_a_shared_covariance_is_stored_once() -> None:
    mixture = gm.Mixture([0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], Scalar(2, np.array([4.0])), structure="EII")
    assert mixture.covariances.shape == (2, 2, 2)
    assert mixture.take(np.array([1])).covariances.shape == (1, 2, 2)
    mixture.covariances[0] = 0.0  # a copy, free to be changed
    np.testing.assert_array_equal(mixture.covariances[0], 4.0 * np.eye(2))


def test_a_row_that_every_density_forgets_is_still_predicted(two: gm.Mixture) -> None:
    x = np.array([[1e200, 0.0], [0.0, -1e200], [1e308, 1e308], [-1e308, 0.0]])
    shares = two.responsibilities(x)
    np.testing.assert_array_equal(shares.sum(axis=1), 1.0)
    # Along a, component 1 is wider; along b, component 2.
    assert two.predict(x[:2]).tolist() == [0, 1]
    assert (two.log_prob(x) == -np.inf).all()


def test_the_same_seed_draws_the_same_sample(two: gm.Mixture) -> None:
    np.testing.assert_array_equal(two.sample(50, 3), two.sample(50, np.random.default_rng(3)))
    assert not np.array_equal(two.sample(50, 3), two.sample(50, 4))
    assert two.sample(0).shape == (0, 2)


def test_facts_come_back_with_the_model(two: gm.Mixture, tmp_path: Path) -> None:
    two.save(tmp_path / "model", facts={"seed": 7})
    again, facts = gm.Mixture.load_with_facts(tmp_path / "model")
    assert facts == {"seed": 7}
    assert again.feature_names == ("a", "b")


def test_a_fit_saves_its_mixture(tmp_path: Path, rng: np.random.Generator) -> None:
    result = gm.fit(rng.standard_normal((50, 2)), 1)
    result.save(tmp_path / "model")
    mixture, facts = gm.Mixture.load_with_facts(tmp_path / "model")
    np.testing.assert_array_equal(mixture.means, result.mixture.means)
    assert facts["log_likelihood"] == result.log_likelihood
    assert facts["reason"] == "converged"


def test_another_file_of_tensors_is_no_model(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weights": np.ones(1)}, tmp_path / "other")
    with pytest.raises(ModelFileError):
        gm.load(tmp_path / "other")


def test_axes_of_a_diagonal_mixture_are_independent() -> None:
    mixture = gm.Mixture([1.0], [[1.0, 2.0]], Diagonal(2, np.array([[4.0, 9.0]])), structure="VVI")
    given = mixture.condition({1: 100.0})
    assert given.means.tolist() == [[1.0]]
    assert given.covariances[0, 0, 0] == pytest.approx(4.0, rel=1e-15)
