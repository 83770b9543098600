"""Pictures in characters: every component is where its mean is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm

MIXTURE = gm.Mixture(
    [0.6, 0.4],
    [[0.0, 0.0, 1.0], [10.0, 5.0, 1.0]],
    [np.eye(3), [[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]]],
    feature_names=["a", "b", "c"],
)


def test_two_features_that_differ_most_are_drawn_by_default():
    text = gm.sketch(MIXTURE)
    assert "b │" in text
    assert " a " in text.splitlines()[-1]
    assert gm.sketch(MIXTURE, ["a", "b"]) == gm.sketch(gm.summarize(MIXTURE), [0, 1]) == text


def test_components_stand_where_their_means_are():
    lines = gm.sketch(MIXTURE, [0, 1]).splitlines()[:16]
    places = {
        sign: [(row, line.index(sign, 13)) for row, line in enumerate(lines) if sign in line[13:]] for sign in "12"
    }
    ones, twos = np.mean(places["1"], axis=0), np.mean(places["2"], axis=0)
    assert ones[0] > twos[0], "the second mean is higher up"
    assert ones[1] < twos[1], "and farther right"
    drawn = sum(line[13:].count("1") + line[13:].count("2") for line in lines)
    assert 0 < drawn < sum(line[13:].count("·") for line in lines)


def test_one_feature_is_a_density_with_its_means_marked():
    *bars, signs, ends = gm.sketch(MIXTURE, ["a"]).splitlines()
    assert signs.index("1") < signs.index("2")
    assert bars[0][signs.index("1")] == "█" or bars[1][signs.index("1")] == "█"
    assert bars[-1][signs.index("2")] == "█"
    assert re.search(r"-3\.2\d* +a +13\.2", ends)


def test_colour_changes_nothing_but_colour():
    coloured = gm.sketch(MIXTURE, color=True)
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == gm.sketch(MIXTURE).splitlines()


@given(st.integers(1, 40), st.integers(1, 3), st.integers(0, 200), st.floats(1e-6, 1e6))
def test_no_line_is_too_wide_whatever_the_model(count, n_features, width, unit):
    rng = np.random.default_rng(count)
    mixture = gm.Mixture(
        np.full(count, 1.0 / count), unit * rng.normal(size=(count, n_features)), [unit**2 * np.eye(n_features)] * count
    )
    lines = gm.sketch(mixture, width=width).splitlines()
    assert max(map(len, lines)) <= max(width, 40)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(gm.errors.ColumnError, match="no feature 'd'; it has: a, b, c"):
        gm.sketch(MIXTURE, ["d"])
    with pytest.raises(gm.errors.ParameterError, match="one or two"):
        gm.sketch(MIXTURE, [0, 1, 2])


def test_a_pipe_gets_no_picture_unless_it_asks(tmp_path, capsys):
    from gaussmix.cli.main import main

    path = str(tmp_path / "m.gmx")
    MIXTURE.save(path)
    assert main(["show", path]) == 0
    assert "·" not in capsys.readouterr().out
    assert main(["show", path, "--features", "a,b"]) == 0
    assert gm.sketch(MIXTURE, ["a", "b"], width=100) in capsys.readouterr().out
    assert main(["show", path, "--features", "d"]) == 3
