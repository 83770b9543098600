"""Laws: pages that are read as they lie give the bits that pyarrow's decoder gives, whoever wrote them, and however."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussmix.data import open_source, pages, thrift
from gaussmix.data import parquet as parquet_module
from gaussmix.errors import SourceError

ROWS = 1000


@pytest.fixture(autouse=True)
def _small_groups_count(monkeypatch):
    monkeypatch.setattr(parquet_module, "ROWS_HANDED_OUT", 64)
    monkeypatch.setattr(parquet_module, "ROWS_DECODED", 50)


def read(path: Path, columns: list[str] | None = None, weights: str | None = None) -> np.ndarray:
    chunks = list(open_source(path, features=columns, weights=weights, budget=0).chunks())
    assert all(len(chunk.x) == 64 for chunk in chunks[:-1])
    rows = np.concatenate([chunk.x for chunk in chunks])
    return rows if weights is None else np.column_stack([rows, np.concatenate([chunk.weights for chunk in chunks])])


def kinds(path: Path) -> list[list[int | None]]:
    """From which row on each column is read as it lies, by row group; None where it is decoded as a whole."""
    foot = parquet.read_metadata(path)
    found = []
    with path.open("rb", buffering=0) as file:
        for group in range(foot.num_row_groups):
            each = [pages._plain_column(file, foot, group, i) for i in range(foot.num_columns)]
            found.append([None if column is None else column.first for column in each])
    return found


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


def test_what_does_not_repeat_is_read_as_it_lies(tmp_path):
    path = tmp_path / "x.parquet"
    rare = numbers()
    rare[300] = rare[0]  # in the dictionary of the first row group
    table = pa.table({"different": numbers(), "repeated": np.round(numbers(), 1), "rare": rare})
    sizes = {"row_group_size": 700, "dictionary_pagesize_limit": 4000, "write_batch_size": 10, "data_page_size": 800}
    parquet.write_table(table, path, **sizes)
    first, second = kinds(path)
    assert first[0] == 0, "a dictionary without repetitions is a page of values"
    assert first[1] is None
    assert first[2] is not None and 500 < first[2] < 700, "plain pages follow where the dictionary was full"
    assert second == [0, None, 0]
    assert read(path).tobytes() == np.column_stack([table[name] for name in table.column_names]).tobytes()


def test_a_dictionary_in_another_order_is_no_page_of_values():
    assert pages._counts_up(bytes([2, 0b11, 0b11100100, 0b11100100]), 0, 4)
    assert not pages._counts_up(bytes([2, 0b11, 0b11100001, 0b11100100]), 0, 4)
    assert not pages._counts_up(bytes([2, 0b11, 0b11100100, 0b11100100]), 0, 5), "the fifth is 0 again"
    assert not pages._counts_up(bytes([2, 0b110, 0]), 0, 3), "a run of three zeros"
    assert pages._counts_up(bytes([2, 0b10, 0, 0b10, 1]), 0, 2), "two runs of one"


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


def written(path: Path, **options: Any) -> pages.PlainColumn:
    """A file of one column, and its pages."""
    small = {"data_page_size": 800, "write_batch_size": 10}
    parquet.write_table(pa.table({"a": numbers()}), path, use_dictionary=False, **small, **options)
    with path.open("rb", buffering=0) as file:
        found = pages._plain_column(file, parquet.read_metadata(path), 0, 0)
    assert found is not None and len(found.pages) > 3
    return found


@pytest.mark.parametrize("compression", ["none", "snappy"])
@pytest.mark.parametrize(("field", "by"), [("place", 10**9), ("place", -3), ("size", -8), ("full", -8), ("stop", 1)])
def test_a_page_that_is_not_as_expected_is_left_to_pyarrow(compression, field, by, tmp_path, monkeypatch):
    """What was found of a file holds no longer: its values are those that pyarrow reads, or an error says where."""
    path = tmp_path / "x.parquet"
    found = written(path, compression=compression)
    found.pages[2, pages._Page._fields.index(field)] += by
    monkeypatch.setattr(pages, "_plain_column", lambda *_: found)
    pages.plain_pages.cache_clear()
    np.testing.assert_array_equal(read(path)[:, 0], numbers())


def test_a_damaged_page_is_told_with_its_row_group(tmp_path):
    path = tmp_path / "x.parquet"
    found = written(path, compression="snappy")
    place, size = (int(n) for n in found.pages[2, 2:4])
    whole = bytearray(path.read_bytes())
    whole[place : place + size] = bytes(size)
    path.write_bytes(bytes(whole))
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read from row \d+ on, in row group 0"):
        read(path)


def test_a_page_that_is_shorter_than_its_header_says_is_not_believed(tmp_path):
    """Snappy says for itself how much it holds; in room for more, the rest would be anything."""
    path = tmp_path / "x.parquet"
    place = int(written(path, compression="snappy").pages[1, 2])
    whole = bytearray(path.read_bytes())
    length = thrift.unsigned(bytes(whole[place : place + 5]), 0)[0]
    assert length >= 128, "the lower seven bits of a length in two bytes are changed"
    whole[place] -= 8
    path.write_bytes(bytes(whole))
    with path.open("rb", buffering=0) as file:
        assert pages._plain_column(file, parquet.read_metadata(path), 0, 0) is None
    with pytest.raises(SourceError, match="row group 0"):
        read(path)


def test_structures_are_read_field_by_field():
    # fields 1 (zigzag -3), 2 (true), 17 (in long form: binary of 2 bytes), 18 (double), 19 (structure of field 4: 7)
    data = bytes([0x15, 5, 0x11, 0x08, 34, 2, 0xFF, 0xFF, 0x17, *struct.pack("<d", 1.5), 0x1C, 0x46, 14, 0, 0, 99])
    fields, end = thrift.structure(data)
    assert fields == {1: -3, 2: True, 17: None, 18: None, 19: {4: 7}}
    assert data[end] == 99
    assert thrift.unsigned(bytes([0xAC, 0x02]), 0) == (300, 2)
    for cut in range(end):
        with pytest.raises(thrift.MalformedError):
            thrift.structure(data[:cut])
    with pytest.raises(thrift.MalformedError):
        thrift.structure(bytes([0x19, 0x15]))  # a list
