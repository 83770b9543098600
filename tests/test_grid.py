"""Sixty problems: simulated as they say, judged by one judge, and rendered from what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import grid, grid_tables, problems  # noqa: E402
from benchmarks.simulation import Parameters  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "grid.json"
DOCUMENT = ROOT / "docs" / "benchmarks.md"

MACHINE = dict.fromkeys(("date", "processor", "cores", "threads", "system", "python", "numpy"), "?") | {
    "memory_gb": 1.0
}

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")


def test_there_are_sixty_different_problems_of_all_sizes():
    sizes = [(p.n_rows, p.n_features, p.n_components) for p in problems.PROBLEMS]
    assert len({p.name for p in problems.PROBLEMS}) == 60
    assert [(min(each), max(each)) for each in zip(*sizes, strict=True)] == [(500, 200_000), (2, 32), (3, 32)]
    assert {(p.overlap, p.weights) for p in problems.PROBLEMS} == {
        (overlap, weights) for overlap in ("small", "medium", "large") for weights in ("equal", "unequal")
    }


@pytest.mark.parametrize("problem", problems.PROBLEMS, ids=lambda each: each.name)
def test_every_component_has_rows_enough(problem):
    counts, d = problem.counts(), problem.n_features
    assert counts.sum() == problem.n_rows
    assert counts.min() >= 3 * (d + 1)
    assert counts.min() > d * (d + 1) / 2
    if problem.weights == "unequal":
        assert counts.max() > 2 * counts.min()


def test_the_least_weights_go_down_to_a_hundredth():
    assert min(p.counts().min() / p.n_rows for p in problems.PROBLEMS) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("overlap", ["small", "medium", "large"])
def test_the_overlap_is_as_wanted(overlap):
    problem = problems.Problem(2000, 3, 5, overlap, "equal")
    mixture = problem.mixture()
    wanted = problems.MISPLACED[overlap] * (1.0 - mixture.weights.max())
    # Other lots than those by which the means were placed; four standard errors of a share of 4,000 rows.
    assert problems.misplaced(mixture, 99) == pytest.approx(wanted, abs=4.0 * np.sqrt(wanted / 4000.0))
    labels = gm.Mixture(*mixture).predict(problem.rows())
    assert np.bincount(labels).min() > 0.5 * problem.counts().min()


def test_rows_are_a_function_of_the_name():
    (problem,) = problems.named(["500x2-k3-small-equal"])
    np.testing.assert_array_equal(problem.rows(), problem.rows())
    with pytest.raises(ValueError, match="no problem nonsense"):
        problems.named(["nonsense"])


def test_one_judge_gives_the_likelihood_and_the_marks_of_any_mixture():
    (problem,) = problems.named(["500x2-k3-small-equal"])
    x, truth = problem.rows(), problem.mixture()
    found = grid.judged(x, truth)
    assert found["log_likelihood"] == pytest.approx(gm.Mixture(*truth).log_prob(x).sum(), rel=1e-12)
    assert (found["marked"], found["marks"]) == (False, [])
    needle = Parameters(
        np.array([0.498, 0.498, 0.004]),
        np.array([x.mean(axis=0), truth.means[0], x[0]]),
        np.array([np.cov(x.T), np.cov(x.T), 1e-6 * np.eye(2)]),
    )
    found = grid.judged(x, needle)
    assert found["marked"]
    assert "component 3" in found["marks"][0]


def rows(ours: float, theirs: list[tuple[float, bool]], times: tuple[float, float] = (1.0, 30.0)) -> dict:
    fit = {"log_likelihood": ours, "marked": False}
    restarts = [{"log_likelihood": value, "marked": marked} for value, marked in theirs]
    return {
        "gaussmix": {"status": "ok", "seconds": times[0], "fits": [fit], "busy_before": 0.5},
        "scikit-learn": {"status": "ok", "seconds": times[1], "asked": 10, "fits": restarts},
        "mclust": {"status": "absent", "reason": "not asked"},
    }


def test_the_best_unmarked_restart_is_what_counts():
    measured = rows(-100.0, [(-90.0, True), (-101.0, False), (-99.0, False)])
    assert grid_tables.lead(measured, "scikit-learn", 10) == pytest.approx(-0.1)
    assert grid_tables.lead(rows(-100.0, [(-90.0, True)]), "scikit-learn", 10) is None
    assert grid_tables.lead(measured, "mclust", 10) is None
    assert grid_tables.pace(measured, "scikit-learn") == 30.0


def test_losses_stand_out_and_broken_off_restarts_are_told():
    name = problems.PROBLEMS[0].name
    found = {
        "machine": MACHINE,
        "problems": {name: rows(-100.0, [(-99.0, False)])},
    }
    text = grid_tables.tables(found)
    assert "| **-0.002** |" in text
    assert "| 30.0 s (1 of 10 restarts) | > 30 |" in text
    assert "lower 1; it takes 30 times as long" in text
    found["problems"] = {name: rows(-100.0, [(-100.0001, False)] * 10)}
    assert "| level |" in grid_tables.tables(found)


def test_a_problem_that_not_all_have_been_given_is_left_out():
    first, second = (problem.name for problem in problems.PROBLEMS[:2])
    measured = rows(-100.0, [(-100.0, False)])
    found = {"machine": MACHINE, "problems": {first: measured}}
    alone = grid_tables.tables(found)
    found["problems"][second] = {"gaussmix": measured["gaussmix"]}
    assert grid_tables.tables(found) == alone
    found["problems"][second] = measured
    assert grid_tables.tables(found) != alone


def test_the_document_is_what_the_measurements_render_to(tmp_path):
    copy = tmp_path / "benchmarks.md"
    copy.write_text(DOCUMENT.read_text())
    grid_tables.render(copy, json.loads(RESULTS.read_text()))
    assert copy.read_text() == DOCUMENT.read_text()
    with pytest.raises(ValueError, match="expected one <!-- grid: begin -->"):
        copy.write_text("nothing")
        grid_tables.render(copy, json.loads(RESULTS.read_text()))


def test_every_row_of_the_table_is_of_a_problem_and_whole():
    found = json.loads(RESULTS.read_text())["problems"]
    measured = problems.named(list(found))
    assert len(measured) >= 10
    for problem in measured:
        assert set(found[problem.name]) == set(grid.RIVALS)
        assert found[problem.name]["gaussmix"]["status"] == "ok"


@pytest.mark.slow
def test_a_problem_is_measured_in_processes_of_its_own(tmp_path):
    output = tmp_path / "g.json"
    command = [sys.executable, "-m", "benchmarks.grid", "run", "--problem", problems.PROBLEMS[0].name]
    for again in ([], ["--again", "--rival", "gaussmix"]):
        subprocess.run([*command, "-o", output, *again], cwd=ROOT, check=True, capture_output=True)
    (measured,) = json.loads(output.read_text())["problems"].values()
    assert set(measured) == set(grid.RIVALS)
    assert len(measured["scikit-learn"]["fits"]) == grid.RESTARTS
    assert grid_tables.lead(measured, "scikit-learn", 500) >= -grid_tables.NEAR


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_component_too_small_for_the_sample_is_found_among_all_rows(seed):
    # A hundred rows of ten thousand are twenty of the row sample, fewer than their covariance has parameters.
    problem = problems.Problem(10_000, 8, 8, "small", "unequal", seed)
    x, truth = problem.rows(), problem.mixture()
    found = gm.fit(x, 8, "VVV")
    best = gm.fit(x, 8, "VVV", start=gm.Mixture(*truth))
    assert not found.degenerate
    assert found.log_likelihood >= best.log_likelihood - 1e-6 * len(x)
