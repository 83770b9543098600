"""Nobody waits for a compiler: where nothing has been compiled small calls are NumPy's, and one process compiles."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gaussmix as gm
from gaussmix import LocalEngine
from gaussmix.engine.kernels import ahead
from gaussmix.engine.kernels import choose as choosing
from gaussmix.engine.kernels.numba import NumbaKernel
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.fitting.starts import hierarchical

SAME = 1e-8
"""Relative difference of two log-likelihoods of one optimum, each reached by the default tolerance."""


def rows(n_rows: int = 600, n_features: int = 3) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    centres = rng.normal(scale=6.0, size=(3, n_features))
    return centres[rng.integers(3, size=n_rows)] + rng.normal(size=(n_rows, n_features))


@pytest.fixture
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have it look as if nothing were compiled and another process were at it; return what was asked about that."""
    asked: list[str] = []
    monkeypatch.delenv("GAUSSMIX_KERNEL")
    monkeypatch.setattr(ahead, "ready", lambda: bool(asked.append("ready")))
    monkeypatch.setattr(ahead, "under_way", lambda: not asked.append("under way"))
    return asked


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where compiled code is asked for."""

    def refuse() -> None:
        raise AssertionError("somebody would have waited for a compiler")

    monkeypatch.setattr(choosing, "choose", refuse)


class Counted:
    """Which kernels have added up segments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        for kind in (NumpyKernel, NumbaKernel):
            self._count(kind, monkeypatch)

    def _count(self, kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        original = kind.accumulate

        def accumulate(kernel: Any, *arguments: Any) -> None:
            self.names.append(kind.__name__)
            original(kernel, *arguments)

        monkeypatch.setattr(kind, "accumulate", accumulate)


def fingerprint(result: gm.FitResult) -> str:
    mixture = result.mixture
    parts = (mixture.weights, mixture.means, mixture.covariances, np.array(result.trace), np.array(result.entropy))
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


@pytest.mark.usefixtures("nothing_compiled", "no_compiler")
def test_verbs_on_few_rows_ask_for_no_compiled_code() -> None:
    x = rows()
    result = gm.fit(x, 3)
    assert result.facts["kernel"] == "numpy"
    assert gm.select(x, range(1, 4)).best.facts["kernel"] == "numpy"
    assert gm.predict(result, x).labels.shape == (600,)
    assert np.isfinite(gm.score(result, x))
    assert gm.GaussianMixture(3).fit(x).predict(x).shape == (600,)


def test_the_answer_is_that_of_compiled_code(nothing_compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows()
    early = gm.fit(x, 3)
    assert nothing_compiled == ["ready", "under way"], "one call settles it once"
    monkeypatch.setenv("GAUSSMIX_KERNEL", "numba")
    late = gm.fit(x, 3)
    assert (early.facts["kernel"], late.facts["kernel"]) == ("numpy", "numba")
    assert early.log_likelihood == pytest.approx(late.log_likelihood, rel=SAME)
    assert (gm.predict(early, x).labels == gm.predict(late, x).labels).all()


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("work", [1e10, 1e6])
def test_bits_do_not_depend_on_threads_or_storage(work: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "_MOST_WORK", work)
    x = rows(5000, 2)
    np.save(tmp_path / "x.npy", x)
    header = "a,b\n"
    (tmp_path / "x.csv").write_text(header + "".join(f"{float(a)!r},{float(b)!r}\n" for a, b in x))
    made_by = Counted(monkeypatch)
    found = {
        fingerprint(gm.fit(data, 3, n_starts=2, tol=1e-4, engine=LocalEngine(threads)))
        for threads in (1, 2, 3)
        for data in (x, np.asfortranarray(x), tmp_path / "x.npy", tmp_path / "x.csv")
    }
    assert len(found) == 1
    # Where there is much to do compiled code takes over, after as many passes at every call.
    assert set(made_by.names) == ({"NumpyKernel"} if work > 1e6 else {"NumpyKernel", "NumbaKernel"})


@pytest.mark.usefixtures("nothing_compiled")
def test_many_numbers_are_worth_waiting_for(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows()
    monkeypatch.setattr(choosing, "_MOST_NUMBERS", x.size - 1)
    made_by = Counted(monkeypatch)
    gm.fit(x, 3, n_starts=1)
    assert set(made_by.names) == {"NumbaKernel"}
    # A search over them amounts to so many fits that what is not a pass is worth it too.
    assert gm.select(x, range(1, 4), "VVV", prune=False).best.facts["kernel"] == "numba"


@pytest.mark.usefixtures("nothing_compiled")
def test_a_hierarchy_of_wide_rows_is_worth_waiting_for() -> None:
    with choosing.prompt():
        choosing.sized(2000 * 64)
        assert hierarchical.fastest(2000, 8) is hierarchical.join_all
        assert hierarchical.fastest(1000, 64) is not hierarchical.join_all, "it would take the interpreter a minute"
        assert not choosing.compiled()


def test_a_call_within_another_does_what_that_one_does(
    nothing_compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with choosing.prompt():
        first = gm.fit(rows(), 3)
        monkeypatch.setattr(ahead, "ready", lambda: True)
        second = gm.fit(rows(), 3)
    assert fingerprint(first) == fingerprint(second)
    assert gm.fit(rows(), 3).facts["kernel"] == "numba", "the next call uses what is there"


def test_a_checkpoint_waits_so_that_it_can_be_gone_on_with(nothing_compiled: list[str], tmp_path: Path) -> None:
    assert gm.fit(rows(), 3, checkpoint=tmp_path / "fit").facts["kernel"] == "numba"
    assert not nothing_compiled


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
def test_whoever_names_a_kernel_gets_it_and_nothing_is_started(
    kernel: str, nothing_compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    choosing.choose.cache_clear()
    monkeypatch.setenv("GAUSSMIX_KERNEL", kernel)
    try:
        assert gm.fit(rows(), 3).facts["kernel"] == kernel
    finally:
        choosing.choose.cache_clear()
    assert not nothing_compiled


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an empty folder of compiled code; return the locks that processes would have been started with."""
    locks: list[int] = []
    monkeypatch.setattr(ahead, "stamp", lambda: tmp_path / "gaussmix-machine-sources.ready")
    monkeypatch.setattr(ahead, "_started", lambda lock: not locks.append(lock))
    return locks


def test_what_does_not_succeed_is_not_tried_for_ever(started: list[int]) -> None:
    assert not ahead.ready()
    assert [ahead.under_way() for _ in range(5)] == [True] * 3 + [False] * 2
    assert len(started) == 3


def test_only_one_process_compiles(started: list[int], tmp_path: Path) -> None:
    with (tmp_path / "gaussmix-machine-sources.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ahead.under_way()
    assert not started
    assert ahead.under_way()
    assert len(started) == 1


def test_workers_start_nothing(started: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert not ahead.under_way()
    assert not started


def test_where_nothing_can_be_written_nothing_is_started(
    started: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "stamp", lambda: tmp_path / "missing" / "x.ready")
    assert not ahead.under_way()
    assert not started


def test_another_source_or_processor_has_another_stamp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stamps = [ahead.stamp()]
    monkeypatch.setattr(ahead.numba, "__version__", "0.0")
    ahead.stamp.cache_clear()
    stamps.append(ahead.stamp())
    ahead.stamp.cache_clear()
    monkeypatch.undo()
    machine, _, sources = stamps[0].stem.rpartition("-")
    assert stamps[1].stem.rpartition("-")[::2] != (machine, sources)
    assert stamps[1].stem.endswith(sources)
    mine = tmp_path / stamps[0].name
    (tmp_path / f"{machine}-000000000000.ready").touch()
    (tmp_path / stamps[1].name).touch()
    monkeypatch.setattr(ahead, "stamp", lambda: mine)
    ahead.note_ready()
    assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / stamps[1].name])


_FIT = """
import json, sys
import numpy as np
import gaussmix as gm
x = np.load(sys.argv[1])
result = gm.fit(x, 3)
print(json.dumps([result.facts["kernel"], result.log_likelihood, gm.predict(result, x).labels.tolist()]))
"""


@pytest.fixture
def fit_anew(tmp_path: Path) -> Iterator[Any]:
    np.save(tmp_path / "x.npy", rows())

    def fit(**more: str) -> list[Any]:
        environment = {name: value for name, value in os.environ.items() if name != "GAUSSMIX_KERNEL"}
        environment |= {"NUMBA_CACHE_DIR": str(tmp_path / "compiled"), **more}
        command = [sys.executable, "-c", _FIT, str(tmp_path / "x.npy")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return json.loads(done.stdout)

    return fit


@pytest.mark.slow
def test_the_first_fit_ever_starts_the_compiler_and_later_ones_use_what_it_made(fit_anew: Any, tmp_path: Path) -> None:
    first, second = fit_anew(), fit_anew()
    (lock,) = (tmp_path / "compiled").rglob("*.lock")
    assert lock.stat().st_size == 1, "the second found somebody at work"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the process in the background has ended
    assert len(list((tmp_path / "compiled").rglob("*.ready"))) == 1
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "compiled").rglob("*.nbi")}
    third = fit_anew()
    assert [first[0], second[0], third[0]] == ["numpy", "numpy", "numba"]
    assert first == second
    assert third[1] == pytest.approx(first[1], rel=SAME)
    assert third[2] == first[2]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "compiled").rglob("*.nbi")}
    assert after == before, "nothing was left to be compiled"


@pytest.mark.slow
def test_whoever_asks_for_numpy_leaves_nothing_behind(fit_anew: Any, tmp_path: Path) -> None:
    assert fit_anew(GAUSSMIX_KERNEL="numpy")[0] == "numpy"
    assert not (tmp_path / "compiled").exists()
