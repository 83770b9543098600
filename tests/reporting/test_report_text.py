"""The text of a report: within its width, plain unless asked, and saying what the facts say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def given_mixture(n_components: int, n_features: int, scale: float = 1.0, offset: float = 0.0) -> gm.Mixture:
    rng = np.random.default_rng(n_components * 1000 + n_features)
    means = rng.normal(size=(n_components, n_features)) * scale + offset
    covariances = np.broadcast_to(np.eye(n_features) * scale**2, (n_components, n_features, n_features))
    return gm.Mixture(np.full(n_components, 1.0 / n_components), means, covariances)


@pytest.fixture(scope="module")
def selection() -> gm.Selection:
    rng = np.random.default_rng(5)
    return gm.select(
        np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(30, 2)) + 8.0]), [1, 2, 3], ["EEE", "VII"]
    )


@given(st.integers(1, 12), st.integers(1, 12), st.integers(60, 140), st.booleans())
def test_no_line_is_wider_than_asked_and_every_component_is_there(n_components, n_features, width, color):
    text = ESCAPES.sub("", gm.report_text(given_mixture(n_components, n_features), width=width, color=color))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    assert color or all(line == line.rstrip() for line in lines)
    assert "…" not in text
    assert text.count(" ± ") == n_components * n_features + 1  # and once in the title
    for name in [f"x{i + 1}" for i in range(n_features)]:
        assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize("width", [80, 120])
def test_a_search_fits_the_width(selection, width):
    lines = gm.report_text(selection, width=width).splitlines()
    assert max(len(line) for line in lines) <= width


def test_plain_text_has_no_escapes_and_colour_changes_nothing_but_bars(selection):
    plain, coloured = gm.report_text(selection), gm.report_text(selection, color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;32m" in coloured  # the best candidate
    bare = re.sub(r"\s+", " ", ESCAPES.sub("", coloured).replace("█", ""))
    assert bare == re.sub(r"\s+", " ", plain)


def test_the_best_candidate_is_at_distance_zero(selection):
    text = gm.report_text(selection)
    grid = text[text.index("BIC above the best") :]
    cells = grid.splitlines()[2:4]
    best = selection.best
    row = next(line.split() for line in cells if line.split()[0] == best.mixture.structure)
    assert row[best.mixture.n_components] == "0.0"
    other = selection["VII", 1]
    far = next(line.split() for line in cells if line.split()[0] == "VII")
    assert far[1].rstrip("~*") == f"{other.bic - best.bic:.0f}"


def test_degenerate_candidates_are_marked():
    x = np.concatenate([np.random.default_rng(0).normal(size=(30, 2)), [[50.0, 50.0]]])
    selection = gm.select(x, [1, 2], ["EII", "VVV"])
    assert any(row.degenerate for row in selection.table)
    text = gm.report_text(selection)
    assert "* degenerate" in text


def test_numbers_far_from_zero_keep_the_digits_that_matter():
    text = gm.report_text(gm.Mixture([1.0], [[123456.0]], [[[0.0001]]]))
    assert "123456.0000 ± 0.0100" in text
    assert "1.5e+12 ± 3e+10" in gm.report_text(gm.Mixture([1.0], [[1.5e12]], [[[9e20]]]))


def test_of_many_features_those_that_differ_most_are_shown():
    mixture = given_mixture(2, 100, scale=1.0)
    means = np.zeros((2, 100))
    means[1, 70:] = 5.0
    text = gm.report_text(gm.Mixture(mixture.weights, means, mixture.covariances))
    assert "the 30 of 100 features that differ most" in text
    shown = re.findall(r"^ +(x\d+) ", text, flags=re.MULTILINE)
    assert shown == [f"x{i}" for i in range(71, 101)]


def test_what_summarize_returned_can_be_rendered(selection):
    assert gm.report_text(gm.summarize(selection)) == gm.report_text(selection)


def test_criteria_are_not_shown_where_nothing_is_known():
    text = gm.report_text(given_mixture(2, 2))
    assert "BIC" not in text
    assert "None" not in text
    assert "nan" not in text
