"""What is compiled beforehand is what fits load: no fit of any structure compiles small climbs again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FIT = """
import numpy as np
import gaussmix as gm
from gaussmix.engine.kernels import small, small_expectation, small_families
gm.select(np.random.default_rng(1).standard_normal((80, 3)), range(1, 4), prune=False)
units = [small.climb, small_expectation.expectation]
units += [small_families.estimate(shape, orientation) for shape, orientation in ((0, 0), (2, 2), (2, 1), (1, 2))]
print(*(sum(unit.compiled.stats.cache_misses.values()) for unit in units))
"""


def run(*arguments: str, cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_fits_load_what_was_compiled_beforehand(tmp_path: Path) -> None:
    assert run("-c", _FIT, cache=tmp_path).split() == ["1"] * 6, "an empty cache has nothing to load"
    run("-m", "gaussmix.precompile", cache=tmp_path / "other")
    assert run("-c", _FIT, cache=tmp_path / "other").split() == ["0"] * 6
