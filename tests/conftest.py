"""Settings of every test: examples that are the same at every run, and few enough for a suite of minutes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Tests are of compiled code, and wait for it; those of what is done while there is none say so.
os.environ.setdefault("GAUSSMIX_KERNEL", "numba")

# What a shell runs in the background is told to ignore Ctrl-C, which some tests are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "gaussmix",
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    # A folder made for a test function is shared by its examples, which overwrite their own files.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("gaussmix")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def oracle_data() -> Path:
    """Folder of the reference data sets."""
    return Path(__file__).parent / "oracles" / "data"
