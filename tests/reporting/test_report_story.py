"""What a report says: sentences and alerts follow from the numbers."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.data.open import open_source
from gaussmix.engine.portrait import portray
from gaussmix.reporting import reproduce, story
from gaussmix.reporting.facts import Facts
from gaussmix.reporting.numerals import percent
from gaussmix.reporting.rows import facts_of_rows, threshold

FAITHFUL = "examples/faithful.csv"


def told(result: gm.FitResult | gm.Selection, data: object) -> tuple[Facts, Facts]:
    facts = gm.summarize(result)
    mixture = result.mixture if isinstance(result, gm.FitResult) else result.best.mixture
    rows = facts_of_rows(portray(mixture, open_source(data), gm.LocalEngine(1)), facts)
    json.dumps(rows, allow_nan=False)
    return facts, rows


def titles(facts: Facts, rows: Facts | None, overlap: object = None) -> list[str]:
    count = facts["n_components"]
    return [each["title"] for each in story.alerts(facts, rows, overlap or np.eye(count).tolist())]


@pytest.fixture(scope="module")
def apart() -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.concatenate([rng.normal(size=(400, 2)), rng.normal(size=(200, 2)) + np.array([12.0, 0.0])])


@pytest.fixture(scope="module")
def selection(apart) -> gm.Selection:
    return gm.select(apart, [1, 2, 3], ["EEE", "VVV"])


def test_a_plain_case_says_what_it_is_and_alarms_nobody(selection, apart):
    facts, rows = told(selection, apart)
    assert story.headline(facts, rows) == "2 groups in 600 rows"
    said = " ".join(story.findings(facts, rows))
    assert "What tells them apart best is x1 (9" in said
    assert "6 candidates" in said
    assert "Kass & Raftery" in said
    assert titles(facts, rows) == []
    first, second = story.components(facts)
    assert re.match(r"66\.7 % of the rows: x1 (rather )?low \(-?0\.\d+\)", first)
    assert second.startswith("33.3 % of the rows: x1 high (11.9")


def test_sureness_is_that_of_the_rows(selection, apart):
    _, rows = told(selection, apart)
    responsibilities = selection.best.mixture.responsibilities(apart)
    assert rows["sure"] == pytest.approx((responsibilities.max(axis=1) >= 0.9).mean())
    assert rows["expected_hits"] == pytest.approx(responsibilities.max(axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(np.sum(rows["confusion"], axis=1), 1.0)


def test_an_outlier_is_named_with_what_makes_it_one(apart):
    rows = np.concatenate([apart, [[12.0, 30.0]]])
    result = gm.fit(apart, 2, "EEE")
    _, seen = told(result, rows)
    first = seen["outliers"][0]
    assert (first["row"], first["component"]) == (600, 2)
    assert first["reasons"][0]["feature"] == "x2"
    conditional = result.mixture.take(np.array([1])).condition({0: 12.0})
    assert first["reasons"][0]["expected"] == pytest.approx(conditional.means[0, 0], abs=1e-9)
    expected = (30.0 - conditional.means[0, 0]) / conditional.standard_deviations[0, 0]
    assert first["reasons"][0]["residual"] == pytest.approx(expected, rel=1e-9)
    assert "deviations above" in first["in_words"][0]
    assert seen["outliers_in_words"].startswith("1 row lies farther out")


@pytest.mark.parametrize("weight", [10.0, 272.0, 1e6])
def test_the_threshold_leaves_a_tenth_of_a_row_to_chance(weight):
    rarity = threshold(weight)
    assert weight * 10.0**-rarity <= 0.1 < weight * 10.0 ** -(rarity - 0.26)


def test_a_fit_that_has_not_converged_is_serious(apart):
    with pytest.warns(gm.errors.ConvergenceWarning):
        result = gm.fit(apart, 3, "VVV", start="random", max_passes=2)
    facts, rows = told(result, apart)
    alerts = story.alerts(facts, rows, np.eye(3).tolist())
    assert alerts[0]["title"] == "Not converged"
    assert alerts[0]["level"] == "serious"
    assert sum("onverged" in each["text"] for each in alerts) == 1


def test_degenerate_and_small_components_are_told_of(apart):
    rows = np.concatenate([apart, [[40.0, 40.0], [40.0, 40.5], [40.5, 40.0]]])
    with pytest.warns(gm.errors.DegenerateFitWarning):
        result = gm.fit(rows, 3, "VVV", start=np.repeat([0, 1, 2], [400, 200, 3]))
    found = titles(*told(result, rows))
    assert found[0] == "Degenerate"
    assert "A small component" in found


def test_overlaps_are_told_of():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(500, 1)) + np.repeat([[0.0], [1.2]], 250, axis=0)
    result = gm.fit(x, 2, "E", start=np.repeat([0, 1], 250), max_passes=5, tol=1.0)
    assert "Overlapping components" in titles(*told(result, x))
    facts = gm.summarize(result)
    assert titles(facts, None, [[1.0, 0.9], [0.9, 1.0]]) == ["Nearly one component"]


def test_the_edge_of_the_grid_is_told_of(selection, apart):
    narrow = gm.select(apart, [1, 2], ["EEE"])
    assert titles(*told(narrow, apart)) == ["At the edge of the grid"]
    text = story.alerts(gm.summarize(narrow), None, np.eye(2).tolist())[0]["text"]
    assert "the most that were tried" in text
    assert "-k 1:4" in text
    above = gm.select(apart, [2, 3], ["EEE"])
    assert "fewest" in story.alerts(gm.summarize(above), None, np.eye(2).tolist())[0]["text"]


def test_an_optimum_that_one_start_found_is_told_of(selection):
    facts = gm.summarize(selection)
    facts["certificate"] = {**facts["certificate"], "starts": 6, "reached": 1, "runner_up": 60.0}
    assert titles(facts, None) == ["A lonely optimum"]
    assert "no other of 6 starts ended there" in " ".join(story.findings(facts, None))
    facts["certificate"]["reached"] = 2
    assert titles(facts, None) == []
    assert "2 of 6 starts ended there, and the next best optimum is 60 nats lower" in " ".join(
        story.findings(facts, None)
    )


def test_heavy_tails_are_told_of():
    x = np.random.default_rng(1).standard_t(3, size=(2000, 2))
    result = gm.fit(x, 1, "VVV")
    assert titles(*told(result, x)) == ["Heavy tails"]


def test_other_rows_than_those_of_the_fit_are_told_of(selection, apart):
    facts = gm.summarize(selection)
    rows = facts_of_rows(portray(selection.best.mixture, open_source(apart[:300]), gm.LocalEngine(1)), facts)
    assert "Other rows than those of the fit" in titles(facts, rows)


def test_a_close_second_is_told_of(selection):
    facts = gm.summarize(selection)
    first = facts["candidates"][0]
    facts["candidates"] = [first, {**first, "n_components": 3, "n_parameters": 99, "bic": first["bic"] + 0.5}]
    facts["criterion"] = "bic"
    assert "A close second" in titles(facts, None)


def test_the_command_makes_the_same_fit_again(tmp_path, monkeypatch, capsys):
    from gaussmix.cli.main import main

    found = gm.select(FAITHFUL, [1, 2, 3], ["VVV", "EEE"], criterion="icl", seed=5, n_starts=3, tol=1e-7)
    facts = gm.summarize(found)
    words = shlex.split(reproduce.command(facts))
    assert words[0] == "gaussmix"
    assert main([*words[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("log_likelihood", "means", "seed", "tol", "criterion", "n_starts"):
        assert again[name] == facts[name], name
    assert len(again["candidates"]) == 6


def test_the_call_makes_the_same_fit_again():
    result = gm.fit(FAITHFUL, 2, "VVV", features=["waiting"], seed=3, max_passes=77, effort="quick")
    facts = gm.summarize(result)
    call = reproduce.call(facts)
    space: dict[str, object] = {}
    exec(f"{call.rsplit(chr(10), 1)[0]}\nfound = {call.rsplit(chr(10), 1)[1]}", space)
    assert space["found"].log_likelihood == result.log_likelihood
    assert space["found"].facts == result.facts


def test_what_is_not_kept_is_dots(apart):
    start = gm.fit(FAITHFUL, 2).mixture
    facts = gm.summarize(gm.fit(FAITHFUL, 2, start=start))
    assert reproduce.command(facts) is None
    assert "start=..." in reproduce.call(facts)
    facts = gm.summarize(gm.fit(FAITHFUL, 2, regularization=None))
    assert reproduce.command(facts) is None
    assert "regularization=None" in reproduce.call(facts)
    facts = gm.summarize(gm.fit(FAITHFUL, 2, regularization=gm.AddedDiagonal(np.full(2, 1e-6))))
    assert "regularization=..." in reproduce.call(facts)


def test_arrays_have_no_command_and_given_weights_are_dots(apart):
    facts = gm.summarize(gm.fit(apart, 2, "EEE", weights=np.full(600, 2.0)))
    assert reproduce.command(facts) is None
    assert "weights=..." in reproduce.call(facts)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.5, "50.0 %"), (0.9996, "99.96 %"), (1e-9, "< 0.0001 %"), (3e-5, "0.003 %")],
)
def test_shares_are_written_so_that_certainty_is_not_feigned(share, text):
    assert percent(share) == text
