"""A Dask cluster gives the numbers of one process, the same bits for any number of workers, and outlives deaths."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import gaussmix as gm
from gaussmix.cli.main import main
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.expectation import Expectation
from gaussmix.errors import ClusterError, MissingValuesError, NotNumericError, ShapeError, WeightError
from gaussmix.testing import check_engine, check_source

da = pytest.importorskip("dask.array", reason="Dask is not installed")
dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
distributed = pytest.importorskip("distributed", reason="Dask is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own are about its own

PASS = 1e-12  # relative, one pass from the same mixture: sums of the same terms in another order
FIT = 1e-9  # relative, of the log-likelihood of a whole fit
LOOSE = 1e-5  # ends a fit early, in one process and on a cluster at the same pass
LONGEST = 120.0  # seconds that a test may take before it counts as hanging
ROWS, CHUNK = 34_000, 4_500


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """End a test that hangs."""

    def ended(number, frame):
        raise AssertionError(f"still waiting after {LONGEST:.0f} seconds")

    before = signal.signal(signal.SIGALRM, ended)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as made:
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.permutation(np.concatenate([rng.normal(size=(ROWS // 2, 3)), rng.normal(size=(ROWS // 2, 3)) + 2.0]))


@pytest.fixture(scope="module")
def path(tmp_path_factory, x) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    for part in range(3):
        table = pa.table({name: x[part::3, j] for j, name in enumerate("abc")})
        parquet.write_table(table, folder / f"part-{part}.parquet")
    return folder


def bits(result: gm.FitResult) -> list[bytes]:
    mixture = result.mixture
    arrays = (mixture.weights, mixture.centres, mixture.spread.arrays, np.array(result.trace))
    return [array.tobytes() for array in arrays] + [result.log_likelihood.hex().encode()]


def workers(cluster, client, number: int) -> None:
    cluster.scale(number)
    while len(client.scheduler_info(n_workers=-1)["workers"]) != number:
        time.sleep(0.05)


# The same numbers


@pytest.mark.parametrize("structure", ["EII", "VVI", "EEE", "VVE", "VVV"])
def test_one_pass_agrees_with_one_process(structure, client, x):
    data = da.from_array(x, chunks=(CHUNK, 3))
    near = Evaluator.open(open_source(x), gm.LocalEngine(1))
    far = Evaluator.open(open_source(data), gm.DaskEngine(client))
    np.testing.assert_allclose(near.summary.squares, far.summary.squares, rtol=PASS)
    assert np.array_equal(near.summary.sample, far.summary.sample), "the sample is drawn by position"
    made = family(structure, 3)
    start = gm.fit(x[:500], 2, structure, max_passes=3).mixture
    request = Expectation(start, made.moment, 1e-9, made.axis_equivariant, anchored=True)
    for one, other in zip(near.answer([request, Appraise(start)]), far.answer([request, Appraise(start)]), strict=True):
        assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=PASS)
        np.testing.assert_allclose(other.mass, one.mass, rtol=PASS)
    one, other = (each.answer([request])[0].means() for each in (near, far))
    np.testing.assert_allclose(one, other, atol=10 * PASS * np.abs(one).max())


SOURCES = {
    "array": lambda x, path, client: da.from_array(x, chunks=(CHUNK, 2)),
    "persisted array": lambda x, path, client: da.from_array(x, chunks=(CHUNK, 3)).persist(),
    "dataframe": lambda x, path, client: dd.from_pandas(pd.DataFrame(x, columns=list("abc")), npartitions=7),
    "Parquet dataframe": lambda x, path, client: dd.read_parquet(path),
    "unknown lengths": lambda x, path, client: dd.from_pandas(pd.DataFrame(x), npartitions=4).to_dask_array(),
    "path": lambda x, path, client: path,
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_fit_agrees_with_one_process(name, client, x, path):
    data = SOURCES[name](x, path, client)
    engine = gm.DaskEngine(client) if name == "path" else None
    rows = np.concatenate([x[part::3] for part in range(3)]) if name in ("path", "Parquet dataframe") else x
    near, far = gm.fit(rows, 2, n_starts=1, tol=LOOSE), gm.fit(data, 2, n_starts=1, tol=LOOSE, engine=engine)
    assert far.log_likelihood == pytest.approx(near.log_likelihood, rel=FIT)
    assert far.n_rows == ROWS
    assert far.converged


def written(x: np.ndarray, folder: Path, kind: str) -> Path:
    """The rows as a file that has parts."""
    path = folder / f"x.{kind}"
    if kind == "npy":
        np.save(path, x)
        return path
    table = pa.table({name: x[:, j] for j, name in enumerate("abc")})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3001)
    return path


@pytest.mark.parametrize("kind", ["npy", "arrow"])
def test_files_that_are_mapped_have_parts_that_travel_as_paths(kind, x, tmp_path, monkeypatch):
    monkeypatch.setattr("gaussmix.data.array.PART_ROWS", 5000)
    monkeypatch.setattr("gaussmix.data.ipc.PART_ROWS", 5000)
    source = open_source(written(x, tmp_path, kind))
    check_source(source)
    parts = source.partitions()
    assert parts is not None
    assert len(parts) > 5
    assert sum(part.n_rows for part in parts) == len(x)
    sent = [pickle.dumps(part.source) for part in parts]
    assert max(map(len, sent)) < 5000, "a path, not its rows"
    chunks = [chunk for part in sent for chunk in pickle.loads(part).chunks()]
    assert np.array_equal(np.concatenate([chunk.x for chunk in chunks]), x)
    assert [chunk.start for chunk in chunks] == list(np.cumsum([0] + [len(chunk.x) for chunk in chunks])[:-1])


@pytest.mark.parametrize("kind", ["npy", "arrow"])
def test_a_fit_of_a_mapped_file_agrees_with_one_process(kind, client, x, tmp_path):
    path = written(x, tmp_path, kind)
    near = gm.fit(x, 2, n_starts=1, tol=LOOSE)
    far = gm.fit(path, 2, n_starts=1, tol=LOOSE, engine=gm.DaskEngine(client))
    assert far.log_likelihood == pytest.approx(near.log_likelihood, rel=FIT)


def test_a_nested_sample_is_that_of_one_process(client, x):
    rows, weights = da.from_array(x, chunks=(CHUNK, 3)), np.where(np.arange(len(x)) % 3 == 0, 0.0, 2.0)
    near = gm.LocalEngine(1).sample(open_source(x, weights=weights), 0.25, 7)
    far = gm.DaskEngine(client).sample(open_source(rows, weights=weights), 0.25, 7)
    for name in ("x", "weights"):
        one, other = (np.concatenate([getattr(c, name) for c in source.chunks()]) for source in (near, far))
        assert np.array_equal(one, other)


def test_what_has_no_parts_is_refused_with_the_cure(client, x, tmp_path):
    pd.DataFrame(x[:100], columns=list("abc")).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ClusterError, match=r"x\.csv can be read by this process only.*read_csv"):
        gm.fit(tmp_path / "x.csv", 2, engine=gm.DaskEngine(client))


@pytest.mark.parametrize("name", ["array", "dataframe"])
def test_collections_are_sources(name, x, path):
    source = open_source(SOURCES[name](x[:2000], path, None))
    check_source(source)
    assert np.array_equal(np.concatenate([chunk.x for chunk in source.chunks()]), x[:2000])


def test_the_engine_conforms(client, x, path):
    for data in (path, da.from_array(x, chunks=(CHUNK, 3))):
        check_engine(gm.DaskEngine(client), open_source(data))


def test_weights_masks_and_columns_go_along(client, x):
    w = 1.0 + np.arange(ROWS) % 3
    holed = np.where((np.arange(ROWS) % 1000 == 0)[:, None], np.nan, x)
    options = {"missing": "drop", "n_starts": 1, "tol": LOOSE}
    near = gm.fit(holed, 2, weights=w, features=[2, 0], **options)
    frame = pd.DataFrame(holed, columns=list("abc")).assign(w=w, word="u")
    array, collection = da.from_array(holed, chunks=(CHUNK, 3)), dd.from_pandas(frame, npartitions=5)
    far = [
        gm.fit(array, 2, weights=da.from_array(w, chunks=777), features=[2, 0], **options),
        gm.fit(array, 2, weights=w, features=[2, 0], **options),
        gm.fit(collection, 2, weights="w", features=["c", "a"], **options),
        gm.fit(collection[["a", "b", "c"]], 2, weights=collection["w"], features=["c", "a"], **options),
    ]
    for each in far:
        assert each.log_likelihood == pytest.approx(near.log_likelihood, rel=FIT)
        assert each.weight == near.weight
    assert far[2].mixture.feature_names == ("c", "a")


@pytest.mark.parametrize("criterion", ["bic", "heldout"])
def test_a_search_agrees_with_one_process(criterion, client, x):
    options = {
        "n_components": [1, 2],
        "covariance": ["VVV", "EEE"],
        "criterion": criterion,
        "n_starts": 1,
        "tol": LOOSE,
    }
    near, far = gm.select(x, **options), gm.select(da.from_array(x, chunks=(CHUNK, 3)).persist(), **options)
    assert far.best.mixture.structure == near.best.mixture.structure
    assert far.best.bic == pytest.approx(near.best.bic, rel=FIT)


def test_answers_have_the_same_bits_for_any_number_of_workers(cluster, client, x):
    data = da.from_array(x, chunks=(CHUNK, 3)).persist()
    found = []
    for number in (2, 3, 1):
        workers(cluster, client, number)
        found += [bits(gm.fit(data, 2, structure, max_passes=6, n_starts=1)) for structure in ("VVV", "EEE")]
        found += [bits(gm.fit(data, 2, "VVI", algorithm="sem", max_passes=8, n_starts=1))]
    workers(cluster, client, 2)
    assert found[:3] == found[3:6] == found[6:]


# Predictions


def test_predictions_are_lazy_and_those_of_one_process(client, x):
    x = x[:3000].copy()
    array_model, frame = gm.fit(x, 2, n_starts=1), pd.DataFrame(x, columns=list("abc"), index=range(50, 3050))
    frame_model = gm.fit(frame, 2, n_starts=1)
    cases = [
        (array_model, x, da.from_array(x, chunks=(700, 2))),
        (frame_model, frame, dd.from_pandas(frame[["c", "b", "a"]].assign(more="u"), npartitions=4)),
    ]
    for model, rows, collection in cases:
        near, far = gm.predict(model, rows), gm.predict(model, collection)
        for one, other in zip(near, far, strict=True):
            assert hasattr(other, "__dask_graph__"), "nothing is computed yet"
            assert np.array_equal(one, np.asarray(other.compute()))
    assert list(far.labels.compute().index) == list(range(50, 3050))
    with pytest.raises(gm.errors.ColumnError):
        gm.predict(frame_model, collection[["a", "b"]]).labels.compute()
    assert gm.score(array_model, da.from_array(x, chunks=(700, 3))) == pytest.approx(gm.score(array_model, x), rel=PASS)


# Deaths


def killed(cluster, client, data, seed: int, expected: list[bytes], passes: int) -> None:
    """Fit while a worker is killed in a random pass, at a random instant of it."""
    rng = random.Random(seed)
    at, seen, victims = rng.randrange(1, passes), [0], []

    def kill() -> None:
        pid = rng.choice(sorted(client.run(os.getpid, on_error="ignore").values()))
        os.kill(pid, signal.SIGKILL)
        victims.append(pid)

    def watch(progress) -> None:
        seen[0] += 1
        if seen[0] == at:
            threading.Timer(rng.uniform(0.0, 0.05), kill).start()

    assert bits(gm.fit(data, 2, max_passes=12, n_starts=2, watch=watch)) == expected
    while not victims:
        time.sleep(0.01)
    restored(cluster, client)


def restored(cluster, client) -> None:
    """Wait until there are two workers again; where the dead one's keeper gave up too, there is to be another."""
    for number in range(2, 9):
        cluster.scale(number)
        until = time.monotonic() + 15.0
        while time.monotonic() < until:
            if len(client.scheduler_info(n_workers=-1)["workers"]) >= 2:
                return
            time.sleep(0.05)
    raise AssertionError("the cluster of this test does not start workers any more")


def survive(cluster, client, x, seeds: range) -> None:
    data = da.from_array(x, chunks=(CHUNK, 3)).persist()
    counted = [0]

    def count(progress) -> None:
        counted[0] += 1

    expected = bits(gm.fit(data, 2, max_passes=12, n_starts=2, watch=count))
    for seed in seeds:
        killed(cluster, client, data, seed, expected, counted[0])


def test_a_fit_outlives_the_death_of_a_worker(cluster, client, x):
    survive(cluster, client, x, range(2))


@pytest.mark.slow
def test_a_fit_outlives_twenty_deaths(cluster, client, x):
    signal.setitimer(signal.ITIMER_REAL, 5 * LONGEST)
    survive(cluster, client, x, range(100, 120))


ALONE = """
import sys, time
import distributed
if __name__ == "__main__":
    with distributed.LocalCluster(n_workers=1, dashboard_address=None, silence_logs=50) as cluster:
        print(cluster.scheduler_address, flush=True)
        time.sleep(100)
"""


@pytest.fixture
def alone(tmp_path) -> Iterator[tuple[str, int]]:
    """A cluster in a process of its own: its address, and the process that the scheduler lives in."""
    (tmp_path / "alone.py").write_text(ALONE)
    with subprocess.Popen([sys.executable, tmp_path / "alone.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
        process.kill()


def test_a_scheduler_that_dies_is_named_within_seconds(alone, path, monkeypatch):
    monkeypatch.setattr("gaussmix.engine.executors.dask._CONNECTING", 2.0)
    address, pid = alone
    engine = gm.DaskEngine(address)
    seen = [0]

    def watch(progress) -> None:
        seen[0] += 1
        if seen[0] == 3:
            os.kill(pid, signal.SIGKILL)

    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:\d+ does not answer any more"):
        gm.fit(path, 2, engine=engine, watch=watch, tol=1e-15)
    assert time.monotonic() - began < 60.0
    engine.client.close(timeout=1)


def test_an_address_where_nobody_answers_is_named(monkeypatch, capsys, path):
    monkeypatch.setattr("gaussmix.engine.executors.dask._CONNECTING", 1.0)
    with pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        gm.DaskEngine("tcp://127.0.0.1:9")
    assert main(["fit", str(path), "-k", "2", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert "no scheduler answers" in capsys.readouterr().err


def test_a_cluster_without_workers_is_named(x):
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ClusterError, match="no workers for 1 seconds"),
    ):
        gm.fit(da.from_array(x, chunks=(CHUNK, 3)), 2, engine=gm.DaskEngine(client, patience=1.0))


# What is wrong with rows is told as in one process


def test_what_is_wrong_is_told_by_name(client, x, path, tmp_path):
    engine = gm.DaskEngine(client)
    with pytest.raises(ClusterError, match=r"this process only.*from_array"):
        gm.fit(x, 2, engine=engine)
    holed = x.copy()
    holed[30_000, 1] = np.nan
    with pytest.raises(MissingValuesError, match=r"x2 .*first in row 30000"):
        gm.fit(da.from_array(holed, chunks=(CHUNK, 3)), 2)
    with pytest.raises(NotNumericError, match="'word'"):
        gm.fit(dd.from_pandas(pd.DataFrame({"a": [1.0], "word": ["u"]}), npartitions=1), 2)
    with pytest.raises(NotNumericError, match="complex"):
        gm.fit(da.ones((5, 2), dtype=complex), 2)
    with pytest.raises(ShapeError, match="3 dimensions"):
        gm.fit(da.ones((5, 2, 2)), 2)
    with pytest.raises(ShapeError, match="one weight per row"):
        gm.fit(da.ones((5, 2)), 2, weights=da.ones(4))
    with pytest.raises(WeightError, match="beside a dataframe"):
        gm.fit(dd.from_pandas(pd.DataFrame({"a": [1.0]}), npartitions=1), 2, weights=da.ones(1))
    changed = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": x[:, 0]}), changed)
    source = open_source(changed)
    parquet.write_table(pa.table({"a": x[:-1, 0]}), changed)
    with pytest.raises(gm.errors.SourceError, match=r"x\.parquet was changed"):
        Evaluator.open(source, engine)


def test_a_checkpoint_goes_on_on_a_cluster(client, path, tmp_path):
    engine = gm.DaskEngine(client)
    seen = [0]

    def watch(progress) -> None:
        seen[0] += 1
        if seen[0] == 12:
            signal.raise_signal(signal.SIGINT)

    whole = gm.fit(path, 2, n_starts=1, max_passes=12, engine=engine)
    cut = gm.fit(path, 2, n_starts=1, max_passes=12, engine=engine, checkpoint=tmp_path / "c", watch=watch)
    assert cut.reason == "interrupted"
    assert bits(gm.resume(tmp_path / "c", engine=engine)) == bits(whole)


def test_the_command_line_computes_on_a_cluster(client, cluster, path, tmp_path, capsys):
    options = ["fit", str(path), "-k", "2", "--covariance", "VVV", "--starts", "1", "-o"]
    assert main([*options, str(tmp_path / "far.gmx"), "--scheduler", cluster.scheduler_address]) == 0
    assert main([*options, str(tmp_path / "near.gmx")]) == 0
    near, far = (gm.load(tmp_path / f"{name}.gmx") for name in ("near", "far"))
    np.testing.assert_allclose(near.means, far.means, atol=1e-6)
