"""A fit that is broken off, at whatever instant, goes on and ends with the bits of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import gaussmix as gm
from gaussmix.checkpoints import call_of
from gaussmix.cli.main import main
from gaussmix.covariance import Moment
from gaussmix.data import open_source
from gaussmix.data.table import TableSource
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.expectation import Expectation
from gaussmix.engine.records import digest, pack, unpack
from gaussmix.errors import CheckpointError
from gaussmix.journal import Journal

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")


def bits(result: gm.FitResult | gm.Selection) -> list[bytes]:
    best = result.best if isinstance(result, gm.Selection) else result
    mixture = best.mixture
    arrays = [mixture.weights, mixture.centres, mixture.spread.arrays, np.array(best.trace), best.effective_rows]
    return [array.tobytes() for array in arrays] + [repr((best.log_likelihood, best.bic, best.starts)).encode()]


def overlapping(n_rows: int, seed: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n_rows // 2, 3)), rng.normal(size=(n_rows - n_rows // 2, 3)) + 1.9])


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "x.parquet"
    x = overlapping(40_000)
    parquet.write_table(pa.table({f"c{j}": x[:, j] for j in range(3)}), path)
    return path


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Readings of files."""
    made: list[str] = []
    chunks = TableSource.chunks

    def counted(self):
        if self.description.endswith(".parquet"):
            made.append(self.description)
        return chunks(self)

    monkeypatch.setattr(TableSource, "chunks", counted)
    monkeypatch.setattr("gaussmix.data.remember.BUDGET", 0)
    monkeypatch.setattr("gaussmix.engine.executors.local.BUDGET", 0)
    return made


CALLS = {
    "fit": lambda path, **more: gm.fit(path, 2, "VVV", n_starts=2, **more),
    "EEE": lambda path, **more: gm.fit(path, 2, "EEE", n_starts=2, **more),
    "stochastic EM": lambda path, **more: gm.fit(path, 2, "VVI", algorithm="sem", max_passes=20, n_starts=2, **more),
    "importance weights": lambda path, **more: gm.fit(
        path, 2, weights="c0w", weight_kind="importance", n_starts=1, **more
    ),
    "select": lambda path, **more: gm.select(path, [1, 2], ["VVV", "EEE"], n_starts=1, **more),
    "held out": lambda path, **more: gm.select(path, [1, 2], ["VVV"], criterion="heldout", n_starts=1, **more),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_finished_checkpoint_is_not_read_again_and_gives_the_same_bits(name, rows, tmp_path, reads):
    path = rows
    if name == "importance weights":
        path = tmp_path / "weighted.parquet"
        table = parquet.read_table(rows)
        parquet.write_table(table.append_column("c0w", pa.array(1.0 + np.arange(len(table)) % 3)), path)
    call = CALLS[name]
    undisturbed = call(path)
    without = len(reads)
    first = call(path, checkpoint=tmp_path / "c")
    assert len(reads) == 2 * without, "writing costs no read"
    assert without > 5, "a fit that reads as often as this one is worth a checkpoint"
    again = call(path, checkpoint=tmp_path / "c")
    assert len(reads) == 2 * without, "nothing is read again"
    resumed = gm.resume(tmp_path / "c", engine=LocalEngine(1))
    assert len(reads) == 2 * without
    assert bits(undisturbed) == bits(first) == bits(again) == bits(resumed)


def test_what_is_cheap_to_make_again_is_not_kept(tmp_path):
    x = overlapping(500)
    result = gm.fit(x, 2, checkpoint=tmp_path / "c")
    size = (tmp_path / "c").stat().st_size
    assert size < 3000, "a header, and who the rows are"
    assert bits(gm.fit(x, 2, checkpoint=tmp_path / "c")) == bits(result)
    assert (tmp_path / "c").stat().st_size == size


@pytest.mark.parametrize("after", [1, 2, 5, 9])
def test_an_interrupted_fit_goes_on(rows, tmp_path, after, reads):
    seen: list[object] = []

    def watch(progress):
        seen.append(progress)
        if len(seen) == after:
            signal.raise_signal(signal.SIGINT)

    undisturbed = gm.fit(rows, 2, n_starts=2)
    without = len(reads)
    reads.clear()
    cut = gm.fit(rows, 2, n_starts=2, checkpoint=tmp_path / "c", watch=watch)
    assert cut.reason == "interrupted"
    assert bits(gm.fit(rows, 2, n_starts=2, checkpoint=tmp_path / "c")) == bits(undisturbed)
    assert without <= len(reads) <= without + 2, "a read under way is lost, and what an interrupt wants to know"


# Other calls, other data


def test_a_checkpoint_of_another_call_is_refused_with_what_differs(rows, tmp_path):
    gm.fit(rows, 2, checkpoint=tmp_path / "c", max_passes=2)
    with pytest.raises(CheckpointError, match="max_passes was 2, is 3"):
        gm.fit(rows, 2, checkpoint=tmp_path / "c", max_passes=3)
    with pytest.raises(CheckpointError, match=r"of gaussmix\.fit; this is select"):
        gm.select(rows, 2, "VVV", checkpoint=tmp_path / "c")
    header = Journal(tmp_path / "c").header
    Journal.create(tmp_path / "old", {**header, "gaussmix": "0.0.1"}).__exit__()
    with pytest.raises(CheckpointError, match=r"gaussmix 0\.0\.1"):
        gm.fit(rows, 2, checkpoint=tmp_path / "old", max_passes=2)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    x = overlapping(20_000)
    gm.fit(x, 2, checkpoint=tmp_path / "c", max_passes=2)
    changed = x.copy()
    changed[17, 1] += 1e-9
    for other in (changed, x[:-1], x[::-1]):
        with pytest.raises(CheckpointError, match="other rows"):
            gm.fit(other, 2, checkpoint=tmp_path / "c", max_passes=2)
    path = tmp_path / "x.npy"
    np.save(path, x)
    gm.fit(path, 2, checkpoint=tmp_path / "d", max_passes=2)
    np.save(path, changed)
    os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match=r"other rows: .*x\.npy"):
        gm.fit(path, 2, checkpoint=tmp_path / "d", max_passes=2)


def test_arrays_among_the_arguments_are_compared_and_cannot_be_resumed_without_them(tmp_path):
    x = overlapping(20_000)
    start = gm.Mixture([0.5, 0.5], [[0.0] * 3, [1.0] * 3], [np.eye(3)] * 2)
    options = {"start": start, "weights": np.ones(20_000), "max_passes": 2}
    gm.fit(x, 2, checkpoint=tmp_path / "c", **options)
    gm.fit(x, 2, checkpoint=tmp_path / "c", **options)
    with pytest.raises(CheckpointError, match="weights was"):
        gm.fit(x, 2, checkpoint=tmp_path / "c", **{**options, "weights": np.full(20_000, 2.0)})
    other = gm.Mixture([0.5, 0.5], [[0.0] * 3, [1.1] * 3], [np.eye(3)] * 2)
    with pytest.raises(CheckpointError, match="start was"):
        gm.fit(x, 2, checkpoint=tmp_path / "c", **{**options, "start": other})
    with pytest.raises(CheckpointError, match="does not hold weights, start, data"):
        gm.resume(tmp_path / "c")


def test_what_a_checkpoint_was_begun_with_can_be_read(rows, tmp_path):
    gm.select(rows, range(1, 3), ("VVV", "EEE"), checkpoint=tmp_path / "c", max_passes=2)
    verb, call = call_of(tmp_path / "c")
    assert verb == "select"
    assert (call["data"], call["n_components"], call["covariance"]) == (str(rows), [1, 2], ["VVV", "EEE"])


# What is written


def test_results_come_back_to_the_bit():
    x = overlapping(3000)
    evaluator = Evaluator.open(open_source(x), LocalEngine(1))
    mixture = gm.Mixture([0.5, 0.5], [[0.0] * 3, [1.0] * 3], [np.eye(3)] * 2)
    requests = [Expectation(mixture, moment, 1e-9, True) for moment in Moment] + [Appraise(mixture)]
    for result in [evaluator.summary, np.eye(3), *evaluator.answer(requests)]:
        again = unpack(*pack(result))
        assert digest(result) == digest(again)
        assert type(result) is type(again)


def test_the_digest_tells_apart_what_differs():
    asked = [(1,), (1.0,), (True,), ("1",), (None,), ((1,),), (np.ones(2),), (np.ones((1, 2)),), (np.ones(2, int),), ()]
    assert len({digest(each) for each in asked}) == len(asked)
    assert digest(Moment.FULL) != digest(Moment.TRACE)


# Killed

HARNESS = """
import json, os, random, signal, sys, time, warnings
import numpy as np
import gaussmix as gm
from gaussmix.journal import Journal
warnings.simplefilter("ignore")
path, folder, instants, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
engine = gm.LocalEngine(1)

def fit(checkpoint):
    result = gm.fit(path, 2, "VVV", max_passes=30, n_starts=2, engine=engine, checkpoint=checkpoint)
    mixture = result.mixture
    arrays = [mixture.weights, mixture.centres, mixture.spread.arrays, np.array(result.trace)]
    return [array.tobytes().hex() for array in arrays] + [result.log_likelihood.hex()]

expected = fit(None)
began = time.monotonic()
assert fit(f"{folder}/whole") == expected
length = time.monotonic() - began
random.seed(seed)
kept = []
for number in range(instants):
    checkpoint = f"{folder}/{number}"
    child = os.fork()
    if child == 0:
        try:
            fit(checkpoint)
        finally:
            os._exit(0)
    time.sleep(random.uniform(0.0, length))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if os.path.exists(checkpoint):
        with Journal(checkpoint) as journal:
            kept.append(len(journal))
    else:
        kept.append(0)
    assert fit(checkpoint) == expected, f"other bits after instant {number}"
    os.unlink(checkpoint)
with Journal(f"{folder}/whole") as journal:
    print(json.dumps({"kept": kept, "whole": len(journal)}))
"""


def killed(rows: Path, folder: Path, instants: int, seed: int) -> dict[str, object]:
    arguments = [sys.executable, "-c", HARNESS, rows, folder, str(instants), str(seed)]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the children are forked, so as not to be loaded anew")
def test_a_fit_that_is_killed_at_a_few_instants_ends_with_the_same_bits(rows, tmp_path):
    found = killed(rows, tmp_path, 6, 1)
    assert len(found["kept"]) == 6
    assert found["whole"] > 10


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the children are forked, so as not to be loaded anew")
def test_a_fit_that_is_killed_at_fifty_instants_ends_with_the_same_bits(rows, tmp_path):
    found = killed(rows, tmp_path, 50, 2)
    assert len(found["kept"]) == 50


# The command line


def test_the_command_line_goes_on_from_a_checkpoint(rows, tmp_path, capsys):
    whole, cut, again = (tmp_path / f"{name}.gmx" for name in ("whole", "cut", "again"))
    options = ["fit", str(rows), "-k", "2", "--covariance", "VVV", "--starts", "2"]
    assert main([*options, "-o", str(whole)]) == 0
    assert main([*options, "-o", str(cut), "--checkpoint", str(tmp_path / "c")]) == 0
    assert main(["fit", "--resume", str(tmp_path / "c"), "-o", str(again), "--threads", "1"]) == 0
    assert whole.read_bytes() == cut.read_bytes() == again.read_bytes()
    capsys.readouterr()
    assert main(["fit", "--resume", str(tmp_path / "c"), "-k", "3", "--seed", "1"]) == 2
    assert "leave out --components, --seed" in capsys.readouterr().err
    assert main(["fit", "--resume", str(tmp_path / "nothing")]) == 3
    assert "No such file" in capsys.readouterr().err
    assert main(["fit"]) == 2
    assert "DATA" in capsys.readouterr().err


ENDED = """
import os, signal, sys
import gaussmix.fitting.drive as drive
from gaussmix.cli.main import main
advance, seen = drive.Driver._advance, []
def counted(self, *arguments):
    advance(self, *arguments)
    seen.append(1)
    if len(seen) == 20:
        os.kill(os.getpid(), signal.SIGTERM)
drive.Driver._advance = counted
sys.exit(main(sys.argv[1:]))
"""


def test_sigterm_saves_and_what_it_cut_goes_on(rows, tmp_path):
    model, checkpoint = tmp_path / "m.gmx", tmp_path / "c"
    options = ["fit", rows, "-k", "2", "--covariance", "VVV", "--starts", "2", "-o", model, "--checkpoint", checkpoint]
    ended = subprocess.run([sys.executable, "-c", ENDED, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 130, ended.stderr
    assert f"gaussmix fit --resume {checkpoint} goes on" in ended.stderr
    assert gm.load(model).n_components == 2
    undisturbed = gm.fit(rows, 2, n_starts=2)
    assert bits(gm.resume(checkpoint)) == bits(undisturbed)
