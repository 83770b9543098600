"""How long a process takes to begin: imports, the command line, the first fit with and without compiled code."""

from __future__ import annotations

import fcntl
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

from benchmarks.environments import absence, command
from benchmarks.rivals import Rival
from benchmarks.simulation import ROOT

_WARM, _COLD = 7, 2
_ROWS = "import numpy as np; x = np.random.default_rng(0).standard_normal"
_SMALL, _LARGE = f"{_ROWS}((150, 4)); ", f"{_ROWS}((100_000, 8)); "


@dataclass(frozen=True)
class Start:
    """One thing that begins: by a rival's interpreter, or by the `gaussmix` command."""

    what: str
    rival: str
    arguments: tuple[str, ...]
    by_command: bool = False
    cold: bool = False


def _both(what: str, arguments: tuple[str, ...], by_command: bool = False) -> list[Start]:
    return [
        Start(f"{what}, nothing compiled yet", "gaussmix", arguments, by_command, cold=True),
        Start(f"{what}, compiled before", "gaussmix", arguments, by_command),
    ]


STARTS = (
    Start("import", "gaussmix", ("-c", "import gaussmix")),
    Start("import", "scikit-learn", ("-c", "from sklearn.mixture import GaussianMixture")),
    Start("import", "onedal", ("-c", "import daal4py")),
    Start("import", "mlpack", ("-c", "import mlpack")),
    Start("import", "pomegranate", ("-c", "import pomegranate.gmm")),
    Start("import", "tgmm", ("-c", "import tgmm")),
    Start("import", "gmmx", ("-c", "import gmmx")),
    Start("import", "mclust", ("-e", "suppressMessages(library(mclust))")),
    Start("gaussmix --help", "gaussmix", ("--help",), by_command=True),
    *_both("gaussmix fit examples/faithful.csv", ("fit", "examples/faithful.csv"), by_command=True),
    *_both("import and fit 150 x 4, K = 3", ("-c", f"{_SMALL}import gaussmix as gm; gm.fit(x, 3)")),
    Start(
        "import and fit 150 x 4, K = 3",
        "scikit-learn",
        ("-c", f"{_SMALL}from sklearn.mixture import GaussianMixture as G; G(3).fit(x)"),
    ),
    *_both(
        "import and 5 passes on 100,000 x 8, K = 4",
        (
            "-c",
            f"{_LARGE}import gaussmix as gm; "
            "gm.fit(x, 4, start=gm.Mixture([0.25] * 4, x[:4], [np.eye(8)] * 4), max_passes=5)",
        ),
    ),
    Start(
        "import and 5 passes on 100,000 x 8, K = 4",
        "scikit-learn",
        (
            "-c",
            f"{_LARGE}from sklearn.mixture import GaussianMixture as G; "
            "G(4, max_iter=5, tol=0, init_params='random_from_data').fit(x)",
        ),
    ),
)


def measure(rivals: Sequence[Rival], home: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return one row per start of the rivals wanted: whole processes, by the clock."""
    wanted = {rival.name: rival for rival in rivals}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        if "gaussmix" in wanted:
            subprocess.run([sys.executable, "-m", "gaussmix.precompile"], env=_environment(cache), check=True)
        for start in STARTS:
            if start.rival not in wanted:
                continue
            rival = wanted[start.rival]
            row = {"what": start.what, "rival": rival.name, "remark": "", "status": "ok", "reason": ""}
            missing = absence(rival, home)
            rows.append(
                row | ({"status": "absent", "reason": missing} if missing else _times(start, rival, home, cache))
            )
            say(f"startup, {start.what}, {rival.name}: done")
    return rows


def _times(start: Start, rival: Rival, home: Path, cache: str) -> dict[str, Any]:
    program = [str(Path(sys.executable).parent / "gaussmix")] if start.by_command else command(rival, home)
    times: list[float] = []
    # The first warm start fills the system's own caches and is not counted.
    for number in range(_COLD if start.cold else _WARM + 1):
        with tempfile.TemporaryDirectory() as empty:
            environment = _environment(empty if start.cold else cache)
            before = time.perf_counter()
            done = subprocess.run(
                [*program, *start.arguments], cwd=ROOT, env=environment, capture_output=True, text=True
            )
            if start.cold or number:
                times.append(time.perf_counter() - before)
            _await_background(empty)
        if done.returncode:
            words = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
            return {"status": "failed", "reason": words[-1][:200]}
    return {"best_s": min(times), "median_s": statistics.median(times), "samples": len(times)}


def _environment(compiled: str) -> dict[str, str]:
    """Return what a user's environment would be, but for the folder of compiled code."""
    usual = {name: value for name, value in os.environ.items() if name != "GAUSSMIX_KERNEL"}
    return usual | {"NUMBA_CACHE_DIR": compiled, "PYTHONWARNINGS": "ignore"}


def _await_background(compiled: str) -> None:
    """Wait for the process that compiles for later calls, which would take part in the next measurement."""
    for path in Path(compiled).rglob("*.lock"):
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
