"""Streams, functions that make batches, compressed text, keyed folders: the same rows each time, or a refusal."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.data import Source, open_source
from gaussmix.data.spool import Spool
from gaussmix.data.steady import bit_sum
from gaussmix.errors import (
    ColumnError,
    DataWarning,
    EmptyDataError,
    NotNumericError,
    ParameterError,
    SourceError,
)
from gaussmix.testing import check_source


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.normal(size=(700, 2)), rng.normal(size=(800, 2)) + 5.0])


@pytest.fixture
def table(x: np.ndarray) -> pa.Table:
    return pa.table({"a": x[:, 0], "word": ["u"] * len(x), "b": x[:, 1]})


def rows_of(source: Source) -> np.ndarray:
    return np.concatenate([chunk.x for chunk in source.chunks()])


def opened(data: object, budget: int) -> Source:
    return open_source(data, features=["b", "a"], budget=budget)


STREAMS = {
    "record-batch reader": lambda table: table.to_reader(max_chunksize=100),
    "DuckDB relation": lambda table: duckdb.from_arrow(table),
    "DuckDB result": lambda table: duckdb.from_arrow(table).query("t", "select a, b from t").to_arrow_reader(64),
}


@pytest.mark.parametrize("budget", [1_000_000, 1000], ids=["in memory", "spooled"])
@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
@pytest.mark.filterwarnings("ignore::gaussmix.errors.DataWarning")
def test_a_stream_is_read_once_and_then_as_often_as_it_takes(make, budget, table, x):
    source = opened(make(table), budget)
    check_source(source)
    assert np.array_equal(rows_of(source), x[:, ::-1])


def test_what_does_not_fit_into_memory_is_spooled_and_told_with_its_size(table, x, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = open_source(table.to_reader(), features=["a"], weights="b", budget=100)
    with pytest.raises(gm.errors.WeightError):  # on the way into the spool as anywhere else
        list(source.chunks())
    positive = table.set_column(2, "b", [x[:, 1] ** 2])
    source = open_source(positive.to_reader(), features=["a"], weights="b", budget=100)
    with pytest.warns(DataWarning, match=r"temporary Arrow file of 0\.0 MB.*Parquet"):
        first = list(source.chunks())
    (spool,) = [path for path in tmp_path.iterdir() if path.stat().st_size > 8 * len(x)]
    again = list(source.chunks())
    for name in ("x", "weights"):
        one, two = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for chunks in (first, again))
        assert np.array_equal(one, two)
    assert source.n_bytes == spool.stat().st_size
    del source, first, again
    gc.collect()
    assert not spool.exists(), "the file goes with the source"


LEFT_BEHIND = """
import sys, time
import numpy as np
from gaussmix.data.source import Chunk
from gaussmix.data.spool import Spool
spool = Spool("rows")
spool.write(Chunk(np.zeros((10, 2)), None, 0))
spool.close()
print(spool.path, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_spool_of_a_process_that_was_killed_is_removed_and_one_in_use_is_not(tmp_path, monkeypatch):
    settings = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", LEFT_BEHIND], stdout=subprocess.PIPE, text=True, env=settings) as run:
        assert run.stdout is not None
        path = Path(run.stdout.readline().strip())
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        Spool("other rows").remove()
        assert path.exists()
        assert path.stat().st_size > 0
        run.kill()  # SIGKILL: nothing can be tidied up
    assert path.exists()
    strange = [tmp_path / name for name in ("gaussmix-notes.txt", "gaussmix-results.arrow", ".gaussmix-spool-notes")]
    for file in strange:
        file.write_text("not a spool")
    own = Spool("more rows")
    assert not path.exists()
    assert own.path.exists()
    Spool("still more rows").remove()
    assert own.path.exists()
    assert all(file.exists() for file in strange)


def test_a_spool_without_room_says_what_to_do(table, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    with pytest.raises(SourceError, match="TMPDIR"):
        list(opened(table.to_reader(), 100).chunks())


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst", "tsv.zst"])
@pytest.mark.parametrize("budget", [10**6, 1000])
@pytest.mark.filterwarnings("ignore::gaussmix.errors.DataWarning")
def test_text_is_read_compressed_or_not_in_memory_or_spooled(suffix, budget, x, tmp_path):
    path = tmp_path / f"x.{suffix}"
    mark = "\t" if suffix.startswith("tsv") else ","
    pd.DataFrame(x, columns=["a", "b"]).to_csv(path.with_suffix("") if "zst" in suffix else path, index=False, sep=mark)
    if "zst" in suffix:
        content = path.with_suffix("").read_bytes()
        with pa.CompressedOutputStream(str(path), "zstd") as file:
            file.write(content)
    source = open_source(path, budget=budget)
    check_source(source)
    assert np.allclose(rows_of(source), x, rtol=1e-15)


def test_a_damaged_zst_is_refused_by_name(tmp_path):
    (tmp_path / "x.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(60)))
    with pytest.raises(SourceError, match=r"x\.csv\.zst"):
        open_source(tmp_path / "x.csv.zst")


def test_a_function_is_asked_for_its_batches_at_every_reading(x):
    calls: list[int] = []

    def batches():
        calls.append(1)
        for start in range(0, len(x), 250):
            part = x[start : start + 250]
            yield (
                pd.DataFrame({"b": part[:, 1], "a": part[:, 0]})
                if start
                else pa.table({"a": part[:, 0], "b": part[:, 1]})
            )
        yield np.empty((0, 2))

    source = open_source(batches, budget=0)
    opening = len(calls)
    check_source(source)
    assert np.array_equal(rows_of(source), x)
    assert len(calls) == opening + 5
    by_function, by_array = gm.fit(batches, 2), gm.fit(pd.DataFrame(x, columns=["a", "b"]), 2)
    assert by_function.log_likelihood == by_array.log_likelihood
    assert np.array_equal(by_function.mixture.means, by_array.mixture.means)


def test_batches_that_lack_a_column_are_named():
    def batches():
        yield pa.table({"a": [1.0], "b": [2.0]})
        yield pa.table({"a": [1.0], "c": [2.0]})

    with pytest.raises(ColumnError, match=r"batch 1 of batches\(\) has no column 'b'"):
        list(open_source(batches).chunks())


ONCE = iter([np.ones((3, 2))])
NO_FACTORIES = {
    "one iterator again and again": (lambda: ONCE, SourceError, "same list_iterator"),
    "an array": (lambda: np.ones((3, 2)), SourceError, "returned a ndarray"),
    "nothing": (lambda: [], EmptyDataError, "makes no batches"),
    "text": (lambda: "rows.csv", SourceError, "returned a str"),
}


@pytest.mark.parametrize(("make", "error", "says"), NO_FACTORIES.values(), ids=NO_FACTORIES)
def test_functions_that_make_no_batches_are_refused(make, error, says):
    with pytest.raises(error, match=says):
        open_source(make)


def test_an_iterator_is_refused_with_a_cure():
    with pytest.raises(SourceError, match=r"read only once.*function"):
        open_source(iter([np.ones((3, 2))]))


def test_a_stream_broken_off_is_not_taken_for_the_whole(table):
    source = opened(table.to_reader(max_chunksize=10), 10**6)
    reading = source.chunks()
    next(reading)
    reading.close()
    with pytest.raises(SourceError, match=r"only once.*broken"):
        list(source.chunks())


def test_a_stream_that_was_read_before_is_refused(table):
    reader = table.to_reader()
    reader.read_all()
    with pytest.raises((SourceError, EmptyDataError), match="RecordBatchReader"):
        list(opened(reader, 10**6).chunks())


def test_text_in_a_stream_is_refused_before_it_is_read(table):
    reader = table.to_reader()
    with pytest.raises(NotNumericError, match="'word'"):
        open_source(reader)


def test_a_pyarrow_dataset_is_read_anew_at_every_pass(table, x, tmp_path):
    parquet.write_table(table, tmp_path / "x.parquet")
    source = opened(dataset.dataset(tmp_path), 0)
    check_source(source)
    assert np.array_equal(rows_of(source), x[:, ::-1])


# Rows that change between two readings


class Growing(Source):
    """A source written by somebody else, which does not keep its promise."""

    n_features = 2
    feature_names = None
    description = "my own source"

    def __init__(self, change):
        self.reading, self.change = 0, change

    def chunks(self):
        self.reading += 1
        x = np.arange(40.0).reshape(20, 2)
        yield from open_source(self.change(x, self.reading)).chunks()


CHANGES = {
    "more rows": (lambda x, n: np.vstack([x] * n), "gave 20 rows when it was read first, and 40 now"),
    "another value": (lambda x, n: x + (n > 1) * np.eye(20, 2), "other values"),
    "another order": (lambda x, n: x[:: 1 if n == 1 else -1], "other values"),
}


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES)
def test_a_source_that_changes_between_passes_is_refused(change, says):
    source = open_source(Growing(change))
    list(source.chunks())
    with pytest.raises(SourceError, match=says):
        list(source.chunks())

    calls = [0]

    def batches():
        calls[0] += 1
        yield change(np.arange(40.0).reshape(20, 2), max(1, calls[0] - 3))

    with pytest.raises(SourceError, match=says):
        for source in [open_source(batches, budget=0)] * 5:
            list(source.chunks())


def test_a_file_that_changes_while_it_is_read_is_refused(table, tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path)
    source = opened(path, 0)
    reading = source.chunks()
    next(reading)
    parquet.write_table(table.slice(0, 1000), path)
    with pytest.raises(SourceError, match=r"x\.parquet"):
        list(reading)


@given(cuts=st.lists(st.integers(1, 19), max_size=4), weighted=st.booleans())
def test_the_sum_of_bits_does_not_depend_on_how_rows_are_cut(cuts, weighted):
    x = np.random.default_rng(1).normal(size=(20, 3))
    w = np.arange(1.0, 21.0) if weighted else None
    (whole,) = open_source(x, weights=w).chunks()
    bounds = sorted({0, 20, *cuts})
    parts = [
        bit_sum(type(whole)(x[low:high], None if w is None else w[low:high], low)) for low, high in pairwise(bounds)
    ]
    assert sum(parts) % 2**64 == bit_sum(whole)


# Folders that say what their rows have in common


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for year in (2023, 2024):
        for land in ("DE", "FR"):
            place = tmp_path / "rows" / f"year={year}" / f"land={land}"
            place.mkdir(parents=True)
            parquet.write_table(pa.table({"a": [float(year), 1.0], "b": [2.0, 3.0]}), place / "part-0.parquet")
    return tmp_path / "rows"


def test_the_keys_of_folders_can_be_named_and_are_left_aside_otherwise(folder):
    plain = open_source(folder)
    assert plain.feature_names == ("a", "b")
    named = open_source(folder, features=["year", "b"])
    check_source(named)
    assert np.array_equal(rows_of(named)[:, 0], np.repeat([2023.0, 2024.0], 4))
    weighted = open_source(folder, weights="year")
    assert np.concatenate([c.weights for c in weighted.chunks()]).sum() == 4 * (2023 + 2024)
    alone = open_source(folder, features=["year"])
    assert np.array_equal(rows_of(alone)[:, 0], np.repeat([2023.0, 2024.0], 4))
    with pytest.raises(NotNumericError, match=r"land.*folder's name.*'DE'"):
        open_source(folder, features=["a", "land"])


def test_partitions_are_the_rows_in_order(folder):
    for options in ({}, {"features": ["year", "b"]}, {"weights": np.arange(1.0, 9.0)}, {"missing": "drop"}):
        source = open_source(folder, **options)
        parts = source.partitions()
        assert parts is not None
        chunks = [chunk for part in parts for chunk in part.source.chunks()]
        assert np.array_equal(np.concatenate([c.x for c in chunks]), rows_of(source))
        assert [c.start for c in chunks] == [0, 2, 4, 6]
        assert [p.n_rows for p in parts] == [2, 2, 2, 2]
        if "weights" in options:
            assert np.array_equal(np.concatenate([c.weights for c in chunks]), options["weights"])


# Where something is wrong


def test_a_gap_far_down_is_told_with_file_row_group_and_row(tmp_path, rng):
    for part in range(3):
        x = rng.normal(size=(400_000, 1))
        if part == 2:
            x[200_000] = np.nan
        parquet.write_table(pa.table({"a": x[:, 0]}), tmp_path / f"part-{part}.parquet", row_group_size=150_000)
    with pytest.raises(gm.errors.MissingValuesError) as caught:
        gm.fit(tmp_path, 2)
    assert "a (1) of 1200000 rows" in str(caught.value)
    assert f"row 200000 (counting from 0) of {tmp_path / 'part-2.parquet'}, row group 1" in str(caught.value)


def test_the_millionth_row_of_a_function(rng):
    def batches():
        for start in range(0, 1_200_000, 100_000):
            x = np.random.default_rng(start).normal(size=(100_000, 2))
            if start == 1_000_000 - 100_000:
                x[-1, 1] = np.inf
            yield x

    with pytest.raises(gm.errors.MissingValuesError, match=r"infinite values in x2.*first in row 999999"):
        gm.fit(batches, 2)


def test_a_column_missing_in_the_37th_file_is_told_at_once(tmp_path):
    for part in range(40):
        names = {"a": [1.0], "b" if part != 36 else "B": [2.0]}
        parquet.write_table(pa.table(names), tmp_path / f"part-{part:02}.parquet")
    with pytest.raises(ColumnError, match=r"part-36\.parquet has no column 'b'"):
        open_source(tmp_path)


def test_a_truncated_file_is_told_by_name_and_a_damaged_one_by_row_group(tmp_path, rng):
    path = tmp_path / "x.parquet"
    x = rng.normal(size=300_000)
    parquet.write_table(pa.table({"a": x}), path, row_group_size=100_000, compression="zstd")
    whole = path.read_bytes()
    at = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    path.write_bytes(whole[: at + 10] + bytes(5000) + whole[at + 5010 :])
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read from row 98304 on, in row groups 0 to 1"):
        gm.fit(path, 2)
    path.write_bytes(whole[:-400])
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read"):
        gm.fit(path, 2)


# Memory


@pytest.mark.parametrize("wrong", ["much", "1 MB", -1, True, "10 parsecs"])
def test_memory_limits_that_are_none_are_refused(wrong):
    with pytest.raises(ParameterError, match="memory_limit"):
        gm.LocalEngine(memory_limit=wrong)


@pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")
def test_answers_do_not_depend_on_the_memory_limit(tmp_path, rng):
    x = np.concatenate([rng.normal(size=(60_000, 8)) + k for k in (0.0, 4.0, 8.0)])
    path = tmp_path / "x.csv"
    pa.csv.write_csv(pa.table({f"c{j}": x[:, j] for j in range(8)}), path)
    options = {"n_components": [2, 3], "covariance": ["VVV", "EEE"], "max_passes": 5}
    plain = gm.select(path, engine=gm.LocalEngine(2), **options)
    tight = gm.select(path, engine=gm.LocalEngine(2, memory_limit="16MB"), **options)
    assert plain.best.log_likelihood == tight.best.log_likelihood
    assert np.array_equal(plain.best.mixture.covariances, tight.best.mixture.covariances)


def test_a_limit_spreads_what_is_asked_over_several_reads(monkeypatch, rng):
    from gaussmix.engine.summary import SummaryFold

    reads: list[int] = []
    source = Growing(lambda x, n: x)
    monkeypatch.setattr(source, "chunks", lambda: reads.append(1) or open_source(np.ones((50, 2))).chunks())
    folds = [SummaryFold(0, 2048)] * 4
    for limit, expected in ((None, 1), ("2GB", 1), ("16MB", 4)):
        reads.clear()
        found = gm.LocalEngine(1, memory_limit=limit).reduce(folds, source, 50)
        assert len(reads) == expected
        assert [each.n_rows for each in found] == [50] * 4
