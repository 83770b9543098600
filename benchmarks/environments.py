"""A virtual environment for every rival, made by one command."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.rivals import Rival

_LONGEST = 200  # characters of a reason that are worth keeping


def default_home() -> Path:
    """Return the folder of the environments unless another is given: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gaussmix-benchmarks"


def command(rival: Rival, home: Path) -> list[str]:
    """Return the command that starts a rival's interpreter."""
    if rival.home == "R":
        return ["Rscript", "--vanilla"]
    return [sys.executable if rival.home == "here" else str(home / rival.name / "bin" / "python")]


def absence(rival: Rival, home: Path) -> str:
    """Say why a rival cannot be started, or nothing if it can."""
    if rival.home == "here":
        return ""
    if rival.home == "R":
        return "" if _works(["Rscript", "-e", "library(mclust)"]) else "R with mclust is not installed"
    if (home / rival.name / "installed").exists():
        return ""
    failed = home / rival.name / "failed"
    return f"could not be installed: {failed.read_text()}" if failed.exists() else "not installed"


def install(rival: Rival, home: Path) -> str:
    """Make a rival's environment, unless it is there; return what is wrong with it, or nothing."""
    if rival.home == "R":
        return absence(rival, home) and "install R and mclust: apt-get install r-cran-mclust"
    if not absence(rival, home):
        return ""
    folder = home / rival.name
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *rival.requirements], capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = errors[-1].removeprefix("ERROR: ")[:_LONGEST] if errors else f"pip ended with {done.returncode}"
        (folder / "failed").write_text(reason)
        return reason
    (folder / "installed").write_text(" ".join(rival.requirements))
    return ""


def _works(arguments: list[str]) -> bool:
    try:
        return subprocess.run(arguments, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
