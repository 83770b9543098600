"""How good the optimum is that one call comes to: `python -m benchmarks.grid {list,run,render}`.

Every rival fits every problem in a process of its own. What it hands back is judged by one judge: the log-likelihood by
`gaussmix.Mixture.log_prob`, and the marks of degenerate components by `gaussmix.fit` from the given mixture, which
stops after the pass that it looks at it with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import grid_tables, machine, problems
from benchmarks.environments import absence
from benchmarks.problems import Problem
from benchmarks.rivals import mclust
from benchmarks.simulation import ROOT, Array, Parameters

RIVALS = ("gaussmix", "scikit-learn", "mclust")
RESTARTS, TOL, MOST_PASSES = 10, 1e-6, 1000
"""Of scikit-learn; its own limit of 100 passes would end some of them before that tolerance."""
HIERARCHY_ROWS, MCLUST_ROWS = 2000, 20_000
"""Rows of which mclust builds its hierarchy, and rows up to which it is asked at all."""
_REPEATS, _ENOUGH = 5, 1.0  # of gaussmix: most measurements, and seconds after which none begins
_TIMEOUT = 900.0

Fits = list[Parameters]


def gaussmix_fits(x: Array, k: int, budget: float) -> tuple[Fits, dict[str, Any]]:
    """Fit by the defaults; the first call, which loads compiled code, is told apart."""
    import gaussmix as gm

    times: list[float] = []
    while len(times) < 2 or (len(times) <= _REPEATS and sum(times[1:]) < _ENOUGH):
        before = time.perf_counter()
        result = gm.fit(x, k, covariance="full")
        times.append(time.perf_counter() - before)
    m = result.mixture
    facts = {"passes": result.passes, "reason": result.reason, "certificate": result.certificate.sentence()}
    found = [Parameters(m.weights, m.means, m.covariances)]
    return found, {"seconds": float(np.median(times[1:])), "first_s": times[0], "asked": 1, **facts}


def scikit_learn_fits(x: Array, k: int, budget: float) -> tuple[Fits, dict[str, Any]]:
    """Make the restarts of `n_init=10` one by one, to see them all: they draw from one generator there, too.

    None begins after the budget is spent. What is added to variances is what gaussmix's penalty comes to.
    """
    from sklearn.mixture import GaussianMixture

    lots = np.random.RandomState(0)
    added = 1e-6 * float(x.var(axis=0).mean()) * k / len(x)
    fits: Fits = []
    converged, began = 0, time.perf_counter()
    while len(fits) < RESTARTS and (not fits or time.perf_counter() - began < budget):
        model: Any = GaussianMixture(k, tol=TOL, reg_covar=added, max_iter=MOST_PASSES, random_state=lots)
        model.fit(x)
        converged += model.converged_
        fits.append(Parameters(model.weights_, model.means_, model.covariances_))
    return fits, {"seconds": time.perf_counter() - began, "asked": RESTARTS, "converged": converged}


PYTHON: dict[str, Callable[[Array, int, float], tuple[Fits, dict[str, Any]]]] = {
    "gaussmix": gaussmix_fits,
    "scikit-learn": scikit_learn_fits,
}


def judged(x: Array, found: Parameters) -> dict[str, Any]:
    """Return the log-likelihood of a mixture, and what our own rules say of its components."""
    import gaussmix as gm

    mixture = gm.Mixture(*found)
    result = gm.fit(x, len(found.weights), "VVV", start=mixture, max_passes=1)
    marks = [each for each in result.warnings if not each.startswith("not converged")]
    return {"log_likelihood": float(mixture.log_prob(x).sum()), "marked": result.degenerate, "marks": marks}


def child(name: str, rival: str, budget: float) -> dict[str, Any]:
    """Measure one rival on one problem, in this process."""
    warnings.simplefilter("ignore")
    (problem,) = problems.named([name])
    x = problem.rows()
    if rival == "mclust":
        fits, facts = _mclust_fits(x, problem.n_components)
    else:
        fits, facts = PYTHON[rival](x, problem.n_components, budget)
        facts["versions"] = {rival: version(rival)}
    return {"status": "ok", **facts, "fits": [judged(x, each) for each in fits]}


def _mclust_fits(x: Array, k: int) -> tuple[Fits, dict[str, Any]]:
    d = x.shape[1]
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data.bin", Path(folder) / "answer.json"
        data.write_bytes(x.tobytes())
        numbers = [str(each) for each in (*x.shape, k, HIERARCHY_ROWS)]
        command = ["Rscript", "--vanilla", str(ROOT / "benchmarks" / "grid.R"), str(data), *numbers, str(out)]
        subprocess.run(command, capture_output=True, check=True)
        answer = json.loads(out.read_text())
    fits = [
        Parameters(
            np.array(each["weights"]),
            np.reshape(each["means"], (d, k), order="F").T.copy(),
            np.moveaxis(np.reshape(each["covariances"], (d, d, k), order="F"), 2, 0).copy(),
        )
        for each in answer.pop("fits")
    ]
    return fits, {**answer, "asked": 1}


def measured(problem: Problem, rival: str, budget: float) -> dict[str, Any]:
    """Return what a process of its own has measured, or why there is nothing."""
    if rival == "mclust":
        reason = absence(mclust.RIVAL, Path())
        if problem.n_rows > MCLUST_ROWS:
            reason = f"not asked above {MCLUST_ROWS:,} rows"
        if reason:
            return {"status": "absent", "reason": reason}
    busy = machine.busy()
    command = [sys.executable, "-m", "benchmarks.grid", "child", problem.name, rival, "--budget", str(budget)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        return {"status": "failed", "reason": f"nothing after {_TIMEOUT:.0f} s"}
    if done.returncode:
        return {"status": "failed", "reason": done.stderr.strip().splitlines()[-1][:200]}
    return {**json.loads(done.stdout.splitlines()[-1]), "busy_before": busy}


def run(chosen: list[Problem], rivals: list[str], settings: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Measure what the file lacks, and what is wanted again; write the file after every problem."""
    output: Path = settings.output
    found: dict[str, Any] = json.loads(output.read_text()) if output.exists() else {"problems": {}}
    found = {"machine": machine.facts(settings.threads), "problems": found["problems"]}
    for problem in chosen:
        known: dict[str, Any] = found["problems"].setdefault(problem.name, {})
        for rival in rivals:
            if rival in known and not settings.again:
                continue
            known[rival] = measured(problem, rival, settings.budget)
            say(f"{problem.name}: {rival}: {_brief(known[rival])}")
        output.write_text(json.dumps(found, indent=1) + "\n")


def _brief(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return row["reason"]
    best = max((fit["log_likelihood"] for fit in row["fits"] if not fit["marked"]), default=float("nan"))
    return f"{best:.4f} in {row['seconds']:.3g} s, {sum(fit['marked'] for fit in row['fits'])} marked"


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid")
    actions = parser.add_subparsers(required=True, dest="action")
    actions.add_parser("list", help="name the problems")
    measure = actions.add_parser("run", help="measure what the file lacks")
    measure.add_argument("--problem", action="append", default=[], help="all by default; may be repeated")
    measure.add_argument("--rival", action="append", choices=RIVALS, default=[], help="all by default")
    measure.add_argument("--again", action="store_true", help="measure the chosen ones again where the file has them")
    measure.add_argument("--budget", type=float, default=45.0, help="seconds after which no restart begins")
    measure.add_argument("--threads", type=int, default=2)
    measure.add_argument("-o", "--output", type=Path, required=True)
    render = actions.add_parser("render", help="turn JSON into the table of a document")
    render.add_argument("results", type=Path)
    render.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    one = actions.add_parser("child")
    one.add_argument("problem")
    one.add_argument("rival", choices=RIVALS)
    one.add_argument("--budget", type=float, required=True)
    a = parser.parse_args()
    if a.action == "list":
        print("\n".join(problem.name for problem in problems.PROBLEMS))
    elif a.action == "child":
        print(json.dumps(child(a.problem, a.rival, a.budget)))
    elif a.action == "run":
        rivals = [rival for rival in RIVALS if not a.rival or rival in a.rival]
        run(problems.named(a.problem), rivals, a, lambda words: print(words, file=sys.stderr, flush=True))
    else:
        grid_tables.render(a.document, json.loads(a.results.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
