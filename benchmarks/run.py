"""Measure cases: rivals in turn, each in a process of its own, round after round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import judge, machine, simulation, startup
from benchmarks.cases import Case
from benchmarks.environments import absence, command
from benchmarks.results import find_target
from benchmarks.rivals import Rival

Row = dict[str, Any]
_JUDGED = 20_000  # rows whose responsibilities are checked
_ENOUGH = 20.0  # seconds measured, after which one round is enough


@dataclass(frozen=True)
class Settings:
    """How hard to measure.

    Parameters
    ----------
    home : Path
        Folder of the rivals' environments.
    threads : int
        For everybody.
    rounds, repeats : int
        Processes per rival, and most measurements in each.
    budget : float
        Seconds after which a process begins no further measurement.
    timeout : float
        Seconds after which a process is ended.
    memory : int
        Bytes of address space that a process may have.
    patience : float
        Seconds to wait for others to leave the machine alone.
    say : callable
        Told what is going on.
    """

    home: Path
    threads: int = 2
    rounds: int = 2
    repeats: int = 9
    budget: float = 4.0
    timeout: float = 600.0
    memory: int = 14 << 30
    patience: float = 0.0
    say: Callable[[str], None] = print


def measure(case: Case, rivals: Sequence[Rival], settings: Settings) -> dict[str, Any]:
    """Return the record of one case: what it is, how the machine was, and a row per rival."""
    record = {
        "name": case.name,
        "kind": case.kind,
        "n_rows": case.n_rows,
        "n_features": case.n_features,
        "n_components": case.n_components,
        "structure": case.structure,
        "passes": case.passes,
        "condition": case.condition,
        "seed": case.seed,
    }
    if case.kind == "startup":
        return record | {"rows": startup.measure(rivals, settings.home, settings.say)}
    competitors = [rival for rival in rivals if _competes(rival, case)]
    with tempfile.TemporaryDirectory() as folder:
        return record | _Bench(case, settings, Path(folder)).compare(competitors)


def _competes(rival: Rival, case: Case) -> bool:
    if case.kind == "passes":
        return bool(rival.structures)
    return rival.predicts if case.kind == "predict" else rival.selects


class _Bench:
    """One case, its rows and its start on disk."""

    def __init__(self, case: Case, settings: Settings, folder: Path) -> None:
        self.case, self.settings, self.folder = case, settings, folder
        data = simulation.rows(case)
        self.x = data.x
        np.save(folder / "rows.npy", self.x)
        self.x.tofile(folder / "rows.bin")
        self.start = None
        if case.kind != "select":
            self.start = simulation.start(case, data)
            np.savez(folder / "start.npz", **self.start._asdict())
            np.concatenate([each.ravel() for each in self.start]).tofile(folder / "start.bin")

    def compare(self, rivals: Sequence[Rival]) -> dict[str, Any]:
        """Return a row per rival, from as many rounds as wanted."""
        rows = {rival.name: self._excused(rival) for rival in rivals}
        answers: dict[str, list[Row]] = {rival.name: [] for rival in rivals}
        speeds, busy = [machine.product_speed()], []
        for number in range(self.settings.rounds):
            for rival in rivals:
                if rows[rival.name]["status"] != "ok" or _measured(answers[rival.name]) > _ENOUGH:
                    continue
                busy.append(machine.wait_for_quiet(self.settings.patience))
                rows[rival.name]["busy_before"] = busy[-1]
                answer, wrong = self._ask(rival)
                self.settings.say(f"{self.case.name}, round {number + 1}, {rival.name}: {wrong or 'done'}")
                if wrong:
                    rows[rival.name] |= {"status": "failed", "reason": wrong}
                else:
                    answers[rival.name].append(answer)
            speeds.append(machine.product_speed())
        for rival in rivals:
            if rows[rival.name]["status"] == "ok":
                passes = rows[rival.name]["passes"]
                rows[rival.name] |= self._summary(answers[rival.name], passes, max(speeds))
        found = list(rows.values())
        self._finish(found)
        return {"product_gflops": max(speeds) / 1e9, "busy_before": statistics.median(busy or [0.0]), "rows": found}

    def _excused(self, rival: Rival) -> Row:
        """Return the beginning of a rival's row, and why there is no more of it where that is known."""
        row: Row = {
            "rival": rival.name,
            "remark": rival.remark,
            "passes": min(self.case.passes, rival.most_passes),
            "apart": self.case.kind == "passes" and rival.most_passes < self.case.passes,
            "given_start": rival.given_start,
            "status": "ok",
            "reason": "",
        }
        if self.case.kind == "passes" and self.case.structure not in rival.structures:
            return row | {"status": "unsupported", "reason": f"has no {self.case.structure} covariances"}
        missing = absence(rival, self.settings.home)
        return row | ({"status": "absent", "reason": missing} if missing else {})

    def _ask(self, rival: Rival) -> tuple[Row, str]:
        """Let a rival measure itself; return its answer, or what went wrong."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                [*command(rival, self.settings.home), *self._arguments(rival)],
                cwd=simulation.ROOT,
                env=self._environment(rival),
                capture_output=True,
                text=True,
                timeout=self.settings.timeout,
            )
        except subprocess.TimeoutExpired:
            return {}, f"took more than {self.settings.timeout:.0f} s{self._for_what(rival)}"
        if done.returncode or not answer.exists():
            return {}, _last_words(done)
        found = json.loads(answer.read_text())
        return found | self._judged(rival, found), ""

    def _arguments(self, rival: Rival) -> list[str]:
        case, settings, folder = self.case, self.settings, self.folder
        passes = (1, min(case.passes, rival.most_passes))
        if rival.home == "R":
            script = Path(__file__).parent / "rivals" / "mclust.R"
            numbers = (*passes, settings.repeats, settings.budget)
            shape = [str(each) for each in self.x.shape]
            start = [str(folder / "start.bin"), str(case.n_components), case.structure]
            output = str(folder / "answer.json")
            return [str(script), case.kind, str(folder / "rows.bin"), *shape, *start, *map(str, numbers), output]
        job = {
            "task": case.kind,
            "rival": rival.name,
            "folder": str(folder),
            "data": str(folder / "rows.npy"),
            "start": str(folder / "start.npz") if self.start else "",
            "structure": case.structure,
            "passes": passes,
            "repeats": settings.repeats,
            "budget": settings.budget,
            "threads": settings.threads,
            "memory": settings.memory,
            "judged": _JUDGED,
        }
        path = folder / "job.json"
        path.write_text(json.dumps(job))
        return ["-m", "benchmarks.child", str(path)]

    def _environment(self, rival: Rival) -> dict[str, str]:
        threads = str(self.settings.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GAUSSMIX_THREADS")
        return os.environ | dict.fromkeys(names, threads) | {"PYTHONWARNINGS": "ignore"} | rival.environment

    def _for_what(self, rival: Rival) -> str:
        """Return how much was asked for, for those who did not do it in time."""
        high = min(self.case.passes, rival.most_passes)
        return f" for a run of one M-step and one of {high}" if self.case.kind == "passes" else ""

    def _judged(self, rival: Rival, found: Row) -> Row:
        """Return what the judge says of a model or of responsibilities."""
        if self.case.kind == "select":
            return {}
        if self.case.kind == "predict":
            assert self.start is not None
            shares = np.load(self.folder / "shares.npy")
            return {"error": judge.largest_difference(self.start, self.x, shares)}
        if rival.home == "R":
            k, d = self.case.n_components, self.case.n_features
            shapes = {"weights": (k,), "means": (k, d), "covariances": (k, d, d)}
            model = simulation.Parameters(*(np.reshape(found.pop(name), shape) for name, shape in shapes.items()))
        else:
            with np.load(self.folder / "model.npz") as stored:
                model = simulation.Parameters(*(stored[name] for name in simulation.Parameters._fields))
        try:
            return {"score": judge.mean_log_likelihood(model, self.x)}
        except ValueError as error:  # what was fitted is no mixture
            return {"score": None, "invalid": str(error)}

    def _summary(self, answers: Sequence[Row], passes: int, speed: float) -> Row:
        """Return one row of all rounds."""
        last = answers[-1]
        row: Row = {
            "versions": last["versions"],
            "memory_mb": round(max(each["memory"] for each in answers) / 2**20, 1),
            "first_s": answers[0]["first"],
            "imported_s": min(each["imported"] for each in answers),
        }
        if self.case.kind == "passes":
            row |= {"score": last["score"], "invalid": last.get("invalid", "")}
            return row | self._per_pass(answers, passes, speed)
        times = [seconds for each in answers for seconds in each["times"]]
        row |= {"best_s": min(times), "median_s": statistics.median(times), "samples": len(times)}
        names = ("error",) if self.case.kind == "predict" else ("best", "bic", "degenerate", "cells")
        return row | {name: last[name] for name in names}

    def _per_pass(self, answers: Sequence[Row], passes: int, speed: float) -> Row:
        """Return seconds per pass by differences, which cancel what does not depend on the number of passes."""
        lows = [seconds for each in answers for seconds in each["low"]]
        highs = [seconds for each in answers for seconds in each["high"]]
        more = passes - 1
        best = (min(highs) - min(lows)) / more
        # Runs that followed each other had the same neighbours on the machine; so their difference is less disturbed.
        pairs = [high - low for low, high in zip(lows, highs, strict=True)]
        return {
            "pass_best_s": best,
            "pass_median_s": statistics.median(pairs) / more,
            "samples": len(highs),
            "setup_s": min(lows) - best,
            "total_s": min(highs),
            "share_of_product": self.case.flops / best / speed if best > 0.0 else None,
        }

    def _finish(self, rows: list[Row]) -> None:
        """Add what only all rows together tell: who reached the target, and how cells compare."""
        if self.case.kind == "passes":
            find_target(rows, self.case.passes)
        theirs = next((row["cells"] for row in rows if row["rival"] == "mclust" and "cells" in row), None)
        for row in rows:
            cells = row.pop("cells", None)
            if cells and theirs is not None and row["rival"] != "mclust":
                row["against_mclust"] = judge.compare_cells(cells, theirs)


def _measured(answers: Sequence[Row]) -> float:
    """Return how many seconds have been measured."""
    return sum(sum(each.get(name, ())) for each in answers for name in ("low", "high", "times"))


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of what a process complained about, without folders."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    words = lines[-1] if lines else f"ended with status {done.returncode}"
    if done.returncode < 0:
        words = f"ended by signal {-done.returncode}"
    return " ".join(word for word in words.split() if not word.strip("'\"").startswith("/"))[:200]


def results(cases: Sequence[Case], rivals: Sequence[Rival], settings: Settings, *, quick: bool) -> dict[str, Any]:
    """Return everything measured, ready for a JSON file."""
    if quick:
        cases = [case.quick() for case in cases]
    facts = machine.facts(settings.threads)
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    return {
        "schema": 1,
        "quick": quick,
        "machine": facts,
        "cases": [_dated(measure(case, rivals, settings), facts["date"], began) for case in cases],
    }


def _dated(case: dict[str, Any], date: str, run: str) -> dict[str, Any]:
    """Return a case with the day on which it was measured, and with the run that every row is of."""
    return case | {"date": date, "rows": [row | {"run": run} for row in case["rows"]]}


if __name__ == "__main__":
    sys.exit("run `python -m benchmarks run`")
