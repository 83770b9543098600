"""Facts: what is told of a fit, the same keys always, ready for JSON."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gaussmix as gm
from gaussmix.covariance import NAMES
from gaussmix.reporting.facts import facts_of_result, json_ready, separation, structure_in_words


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(30, 2)) + np.array([8.0, 0.0])])


@pytest.fixture(scope="module")
def result(rows) -> gm.FitResult:
    return gm.fit(rows, 2, "EEE")


@pytest.fixture(scope="module")
def selection(rows) -> gm.Selection:
    return gm.select(rows, [1, 2], ["EEE", "VII"])


finite_or_not = st.floats(allow_nan=True, allow_infinity=True)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), finite_or_not),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(documents)
def test_json_ready_is_json_and_only_changes_what_json_has_not(document):
    ready = json_ready(document)
    assert json.loads(json.dumps(ready, allow_nan=False)) == ready
    assert json_ready(ready) == ready


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3), elements=finite_or_not))
def test_arrays_become_lists_with_null_for_what_is_not_finite(array):
    flat = np.array(json_ready(array), dtype=object).ravel().tolist()
    assert flat == [value if math.isfinite(value) else None for value in array.ravel().tolist()]


@given(
    hnp.arrays(np.float64, (3, 2), elements=st.floats(-100, 100)),
    hnp.arrays(np.float64, 3, elements=st.floats(0.1, 1)),
    st.floats(-1e3, 1e3),
    st.floats(0.01, 100),
)
def test_separation_is_a_share_that_does_not_depend_on_units(means, weights, offset, unit):
    weights = weights / weights.sum()
    mixture = gm.Mixture(weights, means, np.broadcast_to(np.eye(2), (3, 2, 2)))
    moved = gm.Mixture(weights, means * unit + offset, np.broadcast_to(np.eye(2) * unit**2, (3, 2, 2)))
    shares = separation(mixture)
    total = weights @ (means - weights @ means) ** 2 + 1.0
    np.testing.assert_allclose(shares, 1.0 - 1.0 / total, atol=1e-12)
    # Offsets of 1e3 with units of 1e-2 cost the means 1e-11 of their spread.
    np.testing.assert_allclose(separation(moved), shares, atol=1e-8)


def test_the_same_keys_for_every_kind_of_thing(result, selection):
    keys = list(gm.summarize(result))
    assert list(gm.summarize(selection)) == keys
    assert list(gm.summarize(result.mixture)) == keys
    assert list(gm.summarize(result.mixture, result.summary())) == keys


def test_facts_of_a_fit_are_its_numbers(result):
    facts = gm.summarize(result)
    json.dumps(facts, allow_nan=False)
    for name in ("log_likelihood", "score", "bic", "icl", "aic", "aicc", "entropy", "n_rows", "passes", "reason"):
        assert facts[name] == getattr(result, name), name
    np.testing.assert_array_equal(facts["covariances"], result.mixture.covariances)
    np.testing.assert_array_equal(facts["standard_deviations"], result.mixture.standard_deviations)
    assert facts["features"] == ["x1", "x2"]
    assert facts["rows_read"] == 90


def test_a_model_file_keeps_the_facts(result, tmp_path):
    path = tmp_path / "model.gmx"
    result.save(path)
    again = gm.summarize(*gm.Mixture.load_with_facts(path))
    fresh = gm.summarize(result)
    assert {name for name in fresh if fresh[name] != again[name]} <= {"remaining"}


def test_candidates_come_best_first(selection):
    facts = gm.summarize(selection)
    values = [row["bic"] for row in facts["candidates"]]
    assert len(values) == 4
    assert values == sorted(values)
    assert facts["criterion"] == "bic"
    assert facts["bic"] == values[0] == selection.best.bic


def test_what_is_not_finite_is_null(result):
    halted = dataclasses.replace(result, entropy=math.nan, remaining=math.inf, reason="max_passes", converged=False)
    facts = facts_of_result(halted)
    assert facts["entropy"] is None
    assert facts["remaining"] is None
    assert facts["reason_in_words"].startswith("not converged: stopped at the limit of")


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        ("EII", "spherical, all clusters of the same volume"),
        ("VII", "spherical, each cluster of its own volume"),
        ("VEI", "diagonal (axis-aligned), all clusters of the same shape, each of its own volume"),
        ("EVI", "diagonal (axis-aligned), all clusters of the same volume, each of its own shape"),
        ("EEE", "ellipsoidal, all clusters of the same volume, shape and orientation"),
        ("EEV", "ellipsoidal, all clusters of the same volume and shape, each of its own orientation"),
        ("VVV", "ellipsoidal, each cluster of its own volume, shape and orientation"),
    ],
)
def test_structures_in_words(structure, words):
    assert structure_in_words(structure, 3, 2) == words


def test_every_structure_has_words_of_its_own():
    assert len({structure_in_words(name, 3, 2) for name in NAMES}) == len(NAMES)
    assert structure_in_words("VVI", 3, 1) == "a single diagonal (axis-aligned) cluster"
    assert structure_in_words("E", 1, 2) == "all clusters of the same variance"
    assert structure_in_words("V", 1, 2) == "each cluster of its own variance"
    assert structure_in_words("V", 1, 1) == "a single cluster with one variance"


def test_sentences_of_rows_and_components(rows, result):
    facts = gm.summarize(result)
    assert facts["components_in_words"] == ["component 1: 60.0 rows (66.7 %)", "component 2: 30.0 rows (33.3 %)"]
    assert facts["data_in_words"] == "array: 90 rows, 2 features (x1, x2)"
    gaps = rows.copy()
    gaps[5, 0] = np.nan
    words = gm.summarize(gm.fit(gaps, 2, "EEE", missing="drop"))["data_in_words"]
    assert words.startswith("array: 89 rows of 90 (")
    doubled = gm.summarize(gm.fit(rows, 2, "EEE", weights=np.full(90, 2.0)))["data_in_words"]
    assert doubled.startswith("array: 90 rows of total weight 180, ")
    uneven = np.repeat([1.0, 3.0], 45)
    important = gm.fit(rows, 2, "EEE", weights=uneven, weight_kind="importance")
    # (45 + 135)^2 / (45 + 405) = 72
    assert gm.summarize(important)["data_in_words"].startswith("array: 90 rows with importance weights, worth 72 equal")


def test_what_is_no_model_is_refused(rows):
    with pytest.raises(gm.errors.ParameterError, match="found ndarray; read a file"):
        gm.summarize(rows)
