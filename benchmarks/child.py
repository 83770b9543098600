"""One measurement of one rival, in a process of its own: `python -m benchmarks.child job.json`.

It runs in the rival's environment and needs nothing but NumPy and the rival. The parent reads `answer.json`, and
`model.npz` where there is a model.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Job = dict[str, Any]
_FIRST_ROWS, _FIRST_NUMBERS = 4_000, 1 << 20  # rows of a first use, and numbers in them: more than a small problem has


def main(path: str) -> None:
    """Carry out the job in a file."""
    job = json.loads(Path(path).read_text())
    _confine(job)
    import numpy as np

    from benchmarks.rivals import adapter
    from benchmarks.simulation import Parameters

    module, folder = adapter(job["rival"]), Path(job["folder"])
    x = np.load(job["data"])
    start = None
    if job["start"]:
        with np.load(job["start"]) as stored:
            start = Parameters(*(stored[name] for name in Parameters._fields))
    imported, _ = _timed(lambda: [import_module(name) for name in module.RIVAL.imports])
    _use_first(job, module, x, start)
    before = _peak(since_now=True)
    answer = TASKS[job["task"]](job, module, x, start, folder)
    answer["imported"] = imported
    answer["memory"] = _peak() - before
    answer["versions"] = _versions(module.RIVAL.packages)
    (folder / "answer.json").write_text(json.dumps(answer))


def _passes(job: Job, module: Any, x: Any, start: Any, folder: Path) -> Job:
    """Time two runs that differ in their number of passes only, in turn, after one that is not counted."""
    import numpy as np

    low, high = job["passes"]

    def run(passes: int) -> Any:
        return module.fit(x, start, job["structure"], passes)

    first, _ = _timed(lambda: run(low))
    if module.RIVAL.compiles:
        run(high)
    lows, highs, began = [], [], time.perf_counter()
    for number in range(job["repeats"]):
        # To a run that is longer than the whole budget, being the first makes no difference that matters.
        known = number == 0 and first > job["budget"] and not module.RIVAL.compiles
        lows.append(first if known else _timed(lambda: run(low))[0])
        seconds, found = _timed(lambda: run(high))
        highs.append(seconds)
        if time.perf_counter() - began > job["budget"]:
            break
    np.savez(folder / "model.npz", **found._asdict())
    return {"first": first, "low": lows, "high": highs}


def _predict(job: Job, module: Any, x: Any, start: Any, folder: Path) -> Job:
    import numpy as np

    first, found = _timed(lambda: module.responsibilities(x, start, job["structure"]))
    np.save(folder / "shares.npy", found[: job["judged"]])
    del found
    times, began = [], time.perf_counter()
    for _ in range(job["repeats"]):
        times.append(_timed(lambda: module.responsibilities(x, start, job["structure"]))[0])
        if time.perf_counter() - began > job["budget"]:
            break
    return {"first": first, "times": times}


def _select(job: Job, module: Any, x: Any, start: Any, folder: Path) -> Job:
    first, _ = _timed(lambda: module.select(x))
    times: list[float] = []
    found: Job = {}
    began = time.perf_counter()
    for _ in range(job["repeats"]):
        seconds, found = _timed(lambda: module.select(x))
        times.append(seconds)
        if time.perf_counter() - began > job["budget"]:
            break
    return {"first": first, "times": times, **found}


TASKS: dict[str, Callable[..., Job]] = {"passes": _passes, "predict": _predict, "select": _select}


def _use_first(job: Job, module: Any, x: Any, start: Any) -> None:
    """Let a rival work on some of the rows, that what it loads on first use, compilers and all, counts as loaded."""
    some = x[: max(_FIRST_ROWS, _FIRST_NUMBERS // x.shape[1])]
    with suppress(Exception):  # what is wrong with it will be seen with all rows
        if job["task"] == "passes":
            module.fit(some, start, job["structure"], 1)
        elif job["task"] == "predict":
            module.responsibilities(some, start, job["structure"])


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    before = time.perf_counter()
    result = work()
    return time.perf_counter() - before, result


def _confine(job: Job) -> None:
    """Use as many processors as threads, and no more memory than allowed: a rival may fail, but not the machine."""
    processors = sorted(os.sched_getaffinity(0))[: job["threads"]]
    os.sched_setaffinity(0, processors)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))


def _peak(since_now: bool = False) -> int:
    """Return the most memory that this program has held, ever or since it was asked last to begin anew, in bytes.

    What `getrusage` knows begins with the parent's memory at the fork, which may hide all that follows.
    """
    if since_now:
        gc.collect()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main(sys.argv[1])
