"""The benchmarks' own parts: cases, adapters, judge, JSON and tables. Nothing here asserts a time."""

from __future__ import annotations

import copy
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.engine.kernels.choose import REFERENCE, choose

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import environments, judge, machine, render, results, rivals, run, simulation, startup  # noqa: E402
from benchmarks.cases import CASES, Case, named  # noqa: E402

SMALL = Case("small", "passes", 300, 2, 2, passes=3)


# Cases and their rows


def test_cases_have_names_of_their_own_and_unknown_ones_are_told():
    assert len({case.name for case in CASES}) == len(CASES)
    assert [case.name for case in named(["startup", "select-iris"])] == ["select-iris", "startup"]
    assert named([]) == list(CASES)
    with pytest.raises(ValueError, match=r"no case nothing; expected some of rows-1e6"):
        named(["nothing"])


@pytest.mark.parametrize(("structure", "features"), [("full", 1 + 3 + 6), ("tied", 1 + 3), ("diagonal", 1 + 3 + 3)])
def test_a_pass_is_two_products_of_rows_with_features(structure, features):
    case = Case("any", "passes", 7, 3, 5, structure)
    assert case.flops == 2 * (2 * 7 * 5 * features)


@pytest.mark.parametrize("case", [case for case in CASES if case.kind != "startup"], ids=lambda case: case.name)
def test_rows_follow_from_the_seed_alone(case):
    quick = case.quick()
    first, second = simulation.rows(quick), simulation.rows(quick)
    assert first.x.shape == (quick.n_rows, case.n_features)
    assert first.x.flags.c_contiguous and first.x.dtype == np.float64
    assert first.x.tobytes() == second.x.tobytes()


def test_the_condition_is_that_of_the_covariance():
    rows = [simulation.rows(Case("any", "passes", 5_000, 4, 3, condition=c)).x for c in (1.0, 1e8)]
    plain, thin = (np.linalg.cond(np.cov(x.T)) for x in rows)
    assert 1e8 / plain / 10 < thin < 1e8 * plain * 10  # the rows' own condition may add to it or not


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal"])
def test_starts_are_mixtures_of_the_structure(structure):
    case = Case("any", "passes", 500, 3, 4, structure)
    data = simulation.rows(case)
    start = simulation.start(case, data)
    gm.Mixture(*start)
    diagonal = all(np.count_nonzero(each - np.diag(np.diag(each))) == 0 for each in start.covariances)
    assert diagonal == (structure == "diagonal")
    middle = 2.0 * start.means - data.x.mean(axis=0)
    np.testing.assert_allclose(middle[1], data.x[data.labels == 1].mean(axis=0), rtol=1e-12)


# Rivals


@pytest.mark.parametrize("name", rivals.MODULES)
def test_adapters_tell_what_they_can_before_their_rival_is_installed(name):
    module = rivals.adapter(name)
    rival = module.RIVAL
    assert rival.name == name
    if rival.home == "R":
        return
    assert bool(rival.structures) == inspect.isfunction(vars(module).get("fit"))
    assert rival.predicts == inspect.isfunction(vars(module).get("responsibilities"))
    assert rival.selects == inspect.isfunction(vars(module).get("select"))


def test_unknown_rivals_are_told():
    with pytest.raises(ValueError, match="no rival mclist; expected some of gaussmix"):
        rivals.named(["mclist"])


def _m_steps(x, start, structure, passes):
    """EM in the plainest NumPy."""
    weights, means, covariances = start
    for _ in range(passes):
        r = gm.Mixture(weights, means, covariances).responsibilities(x)
        mass = r.sum(axis=0)
        weights, means = mass / len(x), (r.T @ x) / mass[:, None]
        deviations = x[None] - means[:, None]
        scatter = np.einsum("nk,kni,knj->kij", r, deviations, deviations)
        covariances = scatter / mass[:, None, None]
        if structure == "tied":
            covariances = np.repeat(scatter.sum(axis=0, keepdims=True) / len(x), len(mass), axis=0)
        if structure == "diagonal":
            covariances = np.array([np.diag(np.diag(each)) for each in covariances])
    return weights, means, covariances


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal"])
def test_gaussmix_makes_as_many_m_steps_as_asked(structure):
    case = Case("any", "passes", 300, 2, 2, structure)
    data = simulation.rows(case)
    start = simulation.start(case, data)
    found = rivals.adapter("gaussmix").fit(data.x, start, structure, 2)
    wanted = _m_steps(data.x, start, structure, 2)
    order = [int(np.abs(found.means - mean).sum(axis=1).argmin()) for mean in wanted[1]]
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine[order], theirs, rtol=1e-9, atol=1e-12)


def test_environments_tell_why_a_rival_is_absent(tmp_path):
    rival = rivals.adapter("tgmm").RIVAL
    assert environments.absence(rival, tmp_path) == "not installed"
    (tmp_path / "tgmm").mkdir()
    (tmp_path / "tgmm" / "failed").write_text("no such version")
    assert environments.absence(rival, tmp_path) == "could not be installed: no such version"
    (tmp_path / "tgmm" / "installed").write_text("")
    assert environments.absence(rival, tmp_path) == ""
    assert environments.absence(rivals.adapter("gaussmix").RIVAL, tmp_path) == ""


# The kernel to measure


@pytest.fixture
def fresh_choice():
    choose.cache_clear()
    yield
    choose.cache_clear()


@pytest.mark.usefixtures("fresh_choice")
def test_the_environment_may_ask_for_the_reference_kernel(monkeypatch):
    monkeypatch.setenv("GAUSSMIX_KERNEL", "numpy")
    assert choose() is REFERENCE


@pytest.mark.usefixtures("fresh_choice")
def test_unknown_kernels_are_told(monkeypatch):
    monkeypatch.setenv("GAUSSMIX_KERNEL", "cuda")
    with pytest.raises(gm.errors.ParameterError, match="GAUSSMIX_KERNEL='cuda': expected numba or numpy"):
        choose()


# The judge


def test_the_judge_is_the_specification_in_any_chunks(monkeypatch):
    data = simulation.rows(SMALL)
    start = simulation.start(SMALL, data)
    expected = gm.Mixture(*start).log_prob(data.x).mean()
    monkeypatch.setattr(judge, "_CHUNK", 50)
    assert judge.mean_log_likelihood(start, data.x) == pytest.approx(expected, rel=1e-13)


def test_the_judge_forgives_the_rounding_of_float32():
    data = simulation.rows(SMALL)
    start = simulation.start(SMALL, data)
    crooked = start._replace(weights=start.weights * (1.0 + 1e-5))
    crooked.covariances[:, 0, 1] *= 1.0 + 1e-7
    judge.mean_log_likelihood(crooked, data.x)


def test_the_judge_finds_the_largest_error_of_responsibilities():
    data = simulation.rows(SMALL)
    start = simulation.start(SMALL, data)
    shares = gm.Mixture(*start).responsibilities(data.x[:50])
    shares[7, 1] += 0.25
    assert judge.largest_difference(start, data.x, shares) == pytest.approx(0.25, rel=1e-12)


def test_cells_are_counted_by_who_is_better():
    ours = {"VVV,1": -10.0, "VVV,2": -9.0, "EII,1": -30.0, "EII,2": -20.0}
    theirs = {"VVV,1": -10.0005, "VVV,2": -9.5, "EII,1": -29.0, "EEE,1": -5.0}
    found = judge.compare_cells(ours, theirs)
    assert [found[name] for name in ("equal", "better", "worse", "only_ours", "only_theirs")] == [1, 1, 1, 1, 1]
    assert found["worst"] == [{"cell": "EII,1", "gain": -1.0}]


# A run


def test_a_small_case_is_measured_judged_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "product_speed", lambda: 1e9)
    monkeypatch.setattr(machine, "busy", lambda: 0.0)
    settings = run.Settings(tmp_path, threads=1, rounds=1, repeats=1, say=lambda words: None)
    found = run.results([SMALL], rivals.named(["gaussmix", "scikit-learn"]), settings, quick=False)
    results.write(found, tmp_path / "out.json")
    assert results.read(tmp_path / "out.json") == json.loads(json.dumps(found))
    here, absent = found["cases"][0]["rows"]
    assert (absent["rival"], absent["status"], absent["reason"]) == ("scikit-learn", "absent", "not installed")
    data = simulation.rows(SMALL)
    fitted = _m_steps(data.x, simulation.start(SMALL, data), "full", SMALL.passes)
    assert here["score"] == pytest.approx(gm.Mixture(*fitted).log_prob(data.x).mean(), abs=1e-9)
    assert here["reached"] and here["target"] == here["score"]
    assert here["total_s"] > 0.0 and here["versions"]["gaussmix"]


def test_a_rival_that_lacks_the_structure_has_a_row_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "product_speed", lambda: 1e9)
    settings = run.Settings(tmp_path, say=lambda words: None)
    case = Case("any", "passes", 50, 2, 2, "tied")
    (row,) = run.measure(case, rivals.named(["onedal"]), settings)["rows"]
    assert (row["status"], row["reason"]) == ("unsupported", "has no tied covariances")


def test_starts_of_processes_name_known_rivals():
    assert {start.rival for start in startup.STARTS} <= rivals.MODULES.keys()


# JSON and tables

MACHINE = {
    "processor": "A",
    "architecture": "x86_64",
    "cores": 2,
    "threads": 2,
    "memory_gb": 8.0,
    "system": "Linux",
    "python": "3.11",
    "numpy": "2",
    "blas": ["openblas 0.3"],
    "date": "2026-01-02",
}


def _row(rival, seconds, **more):
    times = {"pass_best_s": seconds, "pass_median_s": seconds, "setup_s": 0.5, "total_s": 2.5}
    facts = {"memory_mb": 10.0, "score": -1.25, "target": -1.25, "reached": True, "share_of_product": 0.5}
    return {"rival": rival, "status": "ok", "reason": "", "remark": ""} | times | facts | more


def _results(*rows, name="rows", quick=False):
    case = {"name": name, "kind": "passes", "n_rows": 1000, "n_features": 2, "n_components": 3, "structure": "full"}
    case |= {"passes": 4, "condition": 1.0, "product_gflops": 50.0, "busy_before": 0.25, "date": "2026-01-02"}
    return {"schema": 1, "quick": quick, "machine": dict(MACHINE), "cases": [case | {"rows": list(rows)}]}


def test_results_without_a_field_are_refused():
    whole = _results(_row("gaussmix", 1.0))
    assert results.check(whole) is whole
    for name in ("score", "pass_best_s", "reached"):
        broken = copy.deepcopy(whole)
        del broken["cases"][0]["rows"][0][name]
        with pytest.raises(ValueError, match=f"rows, 'gaussmix': no {name}"):
            results.check(broken)
    with pytest.raises(ValueError, match="schema 2: expected 1"):
        results.check(whole | {"schema": 2})


def test_cases_are_replaced_whole():
    old = _results(_row("gaussmix", 1.0), _row("onedal", 2.0))
    old["cases"] += _results(_row("gaussmix", 3.0), name="other")["cases"]
    updated = results.update(old, _results(_row("gaussmix", 4.0)))
    assert [case["name"] for case in updated["cases"]] == ["rows", "other"]
    assert [row["pass_best_s"] for row in updated["cases"][0]["rows"]] == [4.0]


def test_rivals_that_are_measured_apart_stay_and_say_when():
    """A rival that makes few passes has a row of another run: it neither drives others out nor is driven out."""
    old = _results(_row("gaussmix", 1.0, run="2026-01-02 03:04:05"), _row("scikit-learn", 9.0))
    slow = {"apart": True, "passes": 2, "busy_before": 0.5, "given_start": True, "reached": False}
    mine = {"run": "2026-02-03 04:05:06", **slow}
    gone = {"rival": "mlpack", "status": "failed", "reason": "took more than 9 s", "remark": "alone", **mine}
    beside = results.update(old, _results(_row("tgmm", 30.0, score=-9.0, total_s=60.0, **mine), gone))
    again = results.update(beside, _results(_row("gaussmix", 2.0, run="2026-04-05 06:07:08")))
    for found, pace in ((beside, 1.0), (again, 2.0)):
        rows = found["cases"][0]["rows"]
        assert [row["rival"] for row in rows if row["rival"] != "scikit-learn"] == ["gaussmix", "tgmm", "mlpack"]
        assert rows[0]["pass_best_s"] == pace
        assert rows[0]["target"] == rows[0]["score"], "who makes fewer passes sets no target"
        text = render.tables(found)
        assert "| tgmm (2026-02-03, others held 50 %) | 30.0 s | 30.0 s |  |" in text, "no ratio to another run"
        assert "| 2 M-steps in 60.0 s |" in text
        assert "| mlpack (alone, 2026-02-03, others held 50 %) | took more than 9 s |" in text
    renewed = results.update(again, _results(_row("tgmm", 20.0, **mine)))
    assert [row["pass_best_s"] for row in renewed["cases"][0]["rows"] if row["rival"] == "tgmm"] == [20.0]


def test_results_of_another_machine_or_kind_do_not_mix():
    other = _results(_row("gaussmix", 1.0))
    other["machine"]["processor"] = "B"
    with pytest.raises(ValueError, match="another machine: processor 'A', 'B'"):
        results.update(_results(), other)
    with pytest.raises(ValueError, match="quick and full"):
        results.update(_results(), _results(quick=True))


def test_tables_show_winners_losers_and_those_who_are_missing():
    slow = _row("gaussmix", 2.0, reached=False, remark="as it comes")
    gone = {"rival": "tgmm", "status": "failed", "reason": "took more than 9 s", "remark": ""}
    text = render.tables(_results(slow, gone, _row("scikit-learn", 0.5)))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    first = "| scikit-learn | 500 ms | 500 ms | 1 | 500 ms | 2.50 s | 10 MB | 50 % | -1.250000 |"
    second = "| gaussmix (as it comes) | 2.00 s | 2.00 s | 0.25 | 500 ms | not reached in 2.50 s | 10 MB | "
    second += "50 % | -1.250000 |"
    assert lines[1:] == [first, second, "| tgmm | took more than 9 s | | | | | | | |"]
    assert "others held 25 % of the machine" in text


@pytest.mark.parametrize(
    "more",
    [
        {"pass_best_s": -0.1, "share_of_product": None},
        {"share_of_product": 4.6},
        {"pass_median_s": 0.1},
        {"total_s": 50.0},
    ],
    ids=["negative", "impossible", "unsteady", "small part of a run"],
)
def test_differences_that_do_not_stand_out_are_not_shown(more):
    text = render.tables(_results(_row("gaussmix", 0.5) | more, _row("onedal", 1.0)))
    first, last = [line for line in text.splitlines() if line.startswith(("| gaussmix", "| onedal"))]
    assert first.startswith("| onedal | 1.00 s")
    assert last.startswith("| gaussmix | lost in the noise |  |  |  |")


def test_the_text_around_the_tables_stays():
    text = f"# Title\n\nBefore.\n\n{render.BEGIN}\nold\n{render.END}\n\nAfter.\n"
    once = render.document(text, [_results(_row("gaussmix", 1.0))])
    assert once.startswith("# Title\n\nBefore.\n\n") and once.endswith("\n\nAfter.\n") and "\nold\n" not in once
    assert render.document(once, [_results(_row("gaussmix", 1.0))]) == once
    with pytest.raises(ValueError, match="expected one <!-- measured: begin -->"):
        render.document("nothing", [])


@pytest.mark.parametrize(
    ("value", "text"), [(123.4, "123 s"), (1.5, "1.50 s"), (0.0321, "32.1 ms"), (4e-5, "40.0 µs"), (-0.5, "-500 ms")]
)
def test_times_have_three_digits_and_a_unit(value, text):
    assert render.seconds(value) == text


def test_the_document_is_what_the_measurements_render_to():
    stored = sorted((ROOT / "benchmarks" / "results").glob("*-cores.json"))
    assert stored
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert render.document(text, [results.read(path) for path in stored]) == text
    for path in stored:
        assert not re.search(r'"[^"]*(/tmp|/home|/root)/', path.read_text())  # nobody's folders
