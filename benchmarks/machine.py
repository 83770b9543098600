"""What the numbers were measured on, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

_SIZE = 2048
_BUSY_SAMPLE = 0.5  # seconds


def facts(threads: int) -> dict[str, Any]:
    """Return processor, cores, memory and versions; nothing that names the machine or its folders."""
    blas = [f"{each['internal_api']} {each['version']}" for each in threadpool_info() if each["user_api"] == "blas"]
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(float((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": sorted(set(blas)),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def product_speed(seconds: float = 1.0) -> float:
    """Return the best speed of a 2048 x 2048 float64 product by NumPy's BLAS, in operations per second."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((_SIZE, _SIZE)) for _ in range(2))
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < seconds:
        before = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - before)
    return 2.0 * _SIZE**3 / best


def busy() -> float:
    """Return the share of the processors' time that is taken by others, over half a second; NaN where unknown."""
    before = _ticks()
    time.sleep(_BUSY_SAMPLE)
    after = _ticks()
    if before is None or after is None:
        return float("nan")
    total = after[0] - before[0]
    return 1.0 - (after[1] - before[1]) / total if total else 0.0


def ahead_of_others() -> bool:
    """Return whether this process has the processors whenever it wants them (`chrt -r 1`), others or not."""
    return hasattr(os, "SCHED_RR") and os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)


def wait_for_quiet(patience: float, most: float = 0.15) -> float:
    """Wait until at most a share `most` of the machine is taken, `patience` seconds at most; return the share."""
    began = time.monotonic()
    while (taken := busy()) > most and time.monotonic() - began < patience:
        time.sleep(1.0)
    return taken


def _ticks() -> tuple[int, int] | None:
    """Return all clock ticks so far, and the idle ones."""
    try:
        numbers = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return None
    return sum(numbers), numbers[3] + numbers[4]


def _field(file: str, name: str) -> str | None:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
