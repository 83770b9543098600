"""Laws: Parquet files give the same bits in the same stretches, whoever wrote them, and however."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussmix.data import open_source
from gaussmix.data import parquet as parquet_module
from gaussmix.data.parquet import ParquetTable
from gaussmix.errors import SourceError

ROWS = 1000


@pytest.fixture(autouse=True)
def _small_stretches(monkeypatch):
    monkeypatch.setattr(parquet_module, "ROWS_HANDED_OUT", 64)
    monkeypatch.setattr(parquet_module, "ROWS_DECODED", 50)


def read(path: Path, columns: list[str] | None = None, weights: str | None = None) -> np.ndarray:
    chunks = list(open_source(path, features=columns, weights=weights, budget=0).chunks())
    assert all(len(chunk.x) == 64 for chunk in chunks[:-1])
    rows = np.concatenate([chunk.x for chunk in chunks])
    return rows if weights is None else np.column_stack([rows, np.concatenate([chunk.weights for chunk in chunks])])


def numbers(n_rows: int = ROWS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n_rows)


columns = st.sampled_from(["different", "repeated", "missing", "single", "whole", "constant", "special"])


def column(kind: str, seed: int) -> pa.Array:
    values = numbers(seed=seed)
    if kind == "repeated":
        values = np.round(values, 1)
    if kind == "constant":
        values[:] = 1.5
    if kind == "special":
        values[::7], values[1::7], values[2::7] = np.nan, np.inf, -0.0
    if kind == "whole":
        return pa.array((100 * values).astype(np.int64))
    if kind == "single":
        return pa.array(values.astype(np.float32))
    return pa.array(values, mask=values > 2.0 if kind == "missing" else None)


@given(
    kinds_of_columns=st.lists(columns, min_size=1, max_size=4),
    seed=st.integers(0, 5),
    nullable=st.booleans(),
    group=st.sampled_from([70, 333, ROWS]),
    options=st.fixed_dictionaries(
        {
            "compression": st.sampled_from(["snappy", "none", "zstd", "gzip"]),
            "use_dictionary": st.booleans(),
            "data_page_size": st.sampled_from([100, 500, 1 << 20]),
            "dictionary_pagesize_limit": st.sampled_from([64, 800, 1 << 20]),
            "data_page_version": st.sampled_from(["1.0", "1.0", "2.0"]),
            "write_batch_size": st.sampled_from([10, 1024]),
            "write_page_checksum": st.booleans(),
            "write_statistics": st.sampled_from([True, True, False]),
        }
    ),
)
@settings(max_examples=120, deadline=None)
def test_every_way_to_write_gives_the_rows_that_pyarrow_reads(
    kinds_of_columns, seed, nullable, group, options, tmp_path_factory
):
    path = tmp_path_factory.mktemp("pages") / "x.parquet"
    arrays = [column(kind, seed + i) for i, kind in enumerate(kinds_of_columns)]
    arrays.append(pa.array(np.abs(numbers(seed=99))))
    names = [*(f"c{i}" for i in range(len(kinds_of_columns))), "w"]
    required = {name for name, array in zip(names, arrays, strict=True) if not nullable and not array.null_count}
    fields = [pa.field(name, array.type, name not in required) for name, array in zip(names, arrays, strict=True)]
    parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path, row_group_size=group, **options)

    expected = [array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for array in arrays]
    found = read(path, names[:-1], "w")
    assert found.astype(np.float64).tobytes() == np.column_stack(expected).tobytes()
    backwards = read(path, names[-2::-1])
    assert backwards.astype(np.float64).tobytes() == np.column_stack(expected[-2::-1]).tobytes()


@pytest.mark.parametrize("writer", ["duckdb", "polars", "pandas"])
def test_files_of_other_writers_are_read(writer, tmp_path):
    path = tmp_path / "x.parquet"
    frame = pl.DataFrame({"a": numbers(), "b": np.round(numbers(seed=1), 1), "c": numbers(seed=2).astype(np.float32)})
    if writer == "duckdb":
        duckdb.sql(f"copy frame to '{path}' (format parquet, row_group_size 2048)")
    elif writer == "polars":
        frame.write_parquet(path, row_group_size=400)
    else:
        frame.to_pandas().to_parquet(path)
    expected = np.column_stack([frame[name].to_numpy().astype(np.float64) for name in "abc"])
    assert read(path, ["a", "b", "c"]).tobytes() == expected.tobytes()


def test_row_groups_may_be_empty(tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table({"a": numbers()})
    with parquet.ParquetWriter(path, table.schema) as writer:
        for part in (table[:0], table[:500], table[:0], table[500:510], table[:0], table[510:], table[:0]):
            writer.write_table(part)
    assert read(path)[:, 0].tobytes() == numbers().tobytes()


@pytest.mark.parametrize(("size", "damaged", "told"), [(500, 1, "row groups 0 to 1"), (10, 9, "row groups 0 to 11")])
def test_a_damaged_page_is_told_with_its_row_group(size, damaged, told, tmp_path):
    """Small row groups are read together, up to 64 rows here."""
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": numbers()}), path, use_dictionary=False, row_group_size=size)
    place = parquet.read_metadata(path).row_group(damaged).column(0).data_page_offset
    whole = bytearray(path.read_bytes())
    whole[place : place + 20] = bytes(20)
    path.write_bytes(bytes(whole))
    with pytest.raises(SourceError, match=rf"x\.parquet cannot be read from row \d+ on, in {told}"):
        read(path)


def test_a_file_that_ends_early_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": numbers()}), path)
    table = ParquetTable(path)
    parquet.write_table(pa.table({"a": numbers(600)}), path)
    with pytest.raises(SourceError, match=r"from row 600 on, in row group 0: it ends after 600 of 1000 rows"):
        list(table.read([0], None))


def test_a_file_cut_while_it_is_read_is_refused_and_kills_nobody(tmp_path):
    path = tmp_path / "x.parquet"
    n_rows = 100_000  # of 800 kB, far more than is read ahead
    parquet.write_table(pa.table({"a": numbers(n_rows)}), path, row_group_size=n_rows // 4)
    chunks = open_source(path, budget=0).chunks()
    next(chunks)
    os.truncate(path, 4096)
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read from row \d+ on, in row group"):
        list(chunks)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed by Linux")
def test_a_reading_that_is_left_in_the_middle_keeps_no_file_open(tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": numbers()}), path)
    chunks = open_source(path, budget=0).chunks()
    next(chunks)
    assert path.resolve() in opened()
    chunks.close()
    assert path.resolve() not in opened()


def opened() -> set[Path]:
    return {each.resolve() for each in Path("/proc/self/fd").iterdir()}


def written(path: Path, sizes: list[int], seed: int = 0) -> np.ndarray:
    """Write row groups of some sizes; return the rows and, last, their weights."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(sum(sizes), 2)), rng.uniform(0.5, 2.0, sum(sizes))])
    with parquet.ParquetWriter(path, pa.schema([(name, pa.float64()) for name in "abw"])) as writer:
        for part in np.split(x, np.cumsum(sizes)[:-1]):
            writer.write_table(pa.table([*part.T], names=["a", "b", "w"]))
    return x


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=8).filter(any), place=st.floats(0.0, 1.0))
@settings(max_examples=30)
def test_reading_begins_where_a_row_group_does(sizes, place, tmp_path_factory):
    path = tmp_path_factory.mktemp("after") / "x.parquet"
    x = written(path, sizes)
    row = min(int(place * len(x)), len(x) - 1)
    begins = [end for end in np.cumsum([0, *sizes]).tolist() if end <= row]
    left = ParquetTable(path).after(row)
    assert (left is None) == (row - begins[-1] >= 64)
    if left is not None:
        found = list(left.read([1], 2))
        assert left.n_rows == len(x) - row
        assert all(len(part) == 64 for part, _ in found[:-1])
        assert np.concatenate([part for part, _ in found])[:, 0].tobytes() == x[row:, 1].tobytes()
        assert np.concatenate([weights for _, weights in found]).tobytes() == x[row:, 2].tobytes()
        parts = left.parts([1])
        assert sum(part.n_rows for part in parts) == len(x) - row
        again = [rows for part in parts for rows, _ in part.table.read([1], None)]
        assert np.concatenate(again)[:, 0].tobytes() == x[row:, 1].tobytes()
        assert f"row {row} " in left.place(0)


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=8), budget=st.integers(0, 40_000))
@settings(max_examples=40)
def test_the_first_rows_stay_in_memory_and_the_rest_is_read(sizes, budget, tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "x.parquet"
    x = written(path, sizes)
    source = open_source(path, weights="w", budget=budget)
    kept, lengths = source.kept_bytes, []
    for _ in range(3):
        chunks = list(source.chunks())
        assert np.concatenate([chunk.x for chunk in chunks]).tobytes() == x[:, :2].tobytes()
        assert np.concatenate([chunk.weights for chunk in chunks]).tobytes() == x[:, 2].tobytes()
        assert [chunk.start for chunk in chunks] == [0, *np.cumsum([len(chunk.x) for chunk in chunks])[:-1]]
        lengths.append([len(chunk.x) for chunk in chunks])
    assert lengths[1] == lengths[2] == lengths[0], "stretches begin where they did, so that none is put together anew"
    assert source.kept_bytes in np.cumsum([0, *(24 * length for length in lengths[0])])
    assert source.kept_bytes <= kept <= budget
    if budget >= 24 * len(x):
        assert source.kept_bytes == 24 * len(x)


def test_what_stays_in_memory_is_not_read_again(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    x = written(path, [200] * 10)
    decoded: list[int] = []
    iterate = parquet.ParquetFile.iter_batches

    def counted(self, *args, row_groups, **kwargs):
        decoded.extend(row_groups)
        return iterate(self, *args, row_groups=row_groups, **kwargs)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counted)
    source = open_source(path, features=["a", "b"], budget=16 * 900)
    for expected in (range(10), range(4, 10)):
        decoded.clear()
        assert np.concatenate([chunk.x for chunk in source.chunks()]).tobytes() == x[:, :2].tobytes()
        assert decoded == list(expected)


@pytest.mark.parametrize("budget", [8 * 500, 8 * 1500])
def test_a_file_that_changed_is_refused_though_its_rows_are_known(budget, tmp_path):
    files = [tmp_path / f"{i}.parquet" for i in range(3)]
    for path in files:
        written(path, [200] * 5)
    for changed in files:
        source = open_source(tmp_path, features=["a"], budget=budget)
        list(source.chunks())
        list(source.chunks())
        assert source.kept_bytes > budget // 2
        written(changed, [200] * 5, seed=1)
        with pytest.raises(SourceError, match=rf"{changed.name} was changed or removed since it was opened"):
            list(source.chunks())


@given(budget=st.integers(0, 40_000))
@settings(max_examples=20)
def test_of_a_folder_with_keys_the_first_rows_stay_in_memory(budget, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hive")
    expected = []
    for year, names in ((1, "abw"), (2, "wba"), (3, "bwa")):  # columns in another order in every file
        (folder / f"year={year}").mkdir()
        path = folder / f"year={year}" / "x.parquet"
        x = written(path, [150, 90, 130], seed=year)
        table = parquet.read_table(path, partitioning=None)
        parquet.write_table(table.select(list(names)), path, row_group_size=100)
        expected.append(np.column_stack([x[:, :2], np.full(len(x), float(year)), x[:, 2]]))
    source = open_source(folder, features=["a", "b", "year"], weights="w", budget=budget)
    for _ in range(3):
        chunks = list(source.chunks())
        found = [np.column_stack([chunk.x, chunk.weights]) for chunk in chunks]
        assert np.concatenate(found).tobytes() == np.concatenate(expected).tobytes()
    assert budget // 2 - 32 * 100 <= source.kept_bytes <= budget


def test_a_damaged_page_after_the_rows_in_memory_is_told_with_its_place_in_the_file(tmp_path):
    path = tmp_path / "x.parquet"
    written(path, [200] * 5)
    source = open_source(path, features=["a"], budget=8 * 450)
    list(source.chunks())
    place, state = parquet.read_metadata(path).row_group(3).column(0).data_page_offset, path.stat()
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(20))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read from row (5|6)\d\d on, in row group"):
        list(source.chunks())
