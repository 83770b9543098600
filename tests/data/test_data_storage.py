"""Laws: whatever rows are stored in, the same float64 rows come out, in the same order, at every reading."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaussmix.data import Source, columns_for, open_source
from gaussmix.data import table as table_module
from gaussmix.data.remember import Remembered

Store = Callable[[np.ndarray, tuple[str, ...], Path], Any]


def rows_of(source: Source) -> np.ndarray:
    chunks = list(source.chunks())
    stops = [0, *(chunk.stop for chunk in chunks)]
    assert [chunk.start for chunk in chunks] == stops[:-1]
    assert all(chunk.x.shape[0] > 0 for chunk in chunks)
    return np.concatenate([chunk.x for chunk in chunks])


def cell(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))


def write_csv(x: np.ndarray, names: tuple[str, ...], path: Path, mark: str = ",") -> Path:
    # A lone empty cell is a blank line, which CSV readers skip: quoted it is a missing value.
    lines = [mark.join(cell(value) or '""' for value in row) for row in x]
    path.write_text("\n".join([mark.join(f'"{name}"' for name in names), *lines, "", ""]))
    return path


def frame(x: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(x, columns=list(names))


def write_parquet(x: np.ndarray, names: tuple[str, ...], path: Path) -> Path:
    parquet.write_table(pa.table(dict(zip(names, x.T, strict=True))), path, row_group_size=3)
    return path


def write_folder(x: np.ndarray, names: tuple[str, ...], path: Path) -> Path:
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    half = x.shape[0] // 2
    write_parquet(x[:half], names, path / "part-0.parquet")
    write_parquet(x[half:][:, ::-1], names[::-1], path / "part-1.parquet")  # columns are found by name
    return path


def write_ipc(x: np.ndarray, names: tuple[str, ...], path: Path, stream: bool = False) -> Path:
    table = pa.table(dict(zip(names, x.T, strict=True)))
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def write_npy(x: np.ndarray, names: tuple[str, ...], path: Path) -> Path:
    np.save(path, x)
    return path


STORES: dict[str, Store] = {
    "array": lambda x, names, to: x,
    "fortran": lambda x, names, to: np.asfortranarray(x),
    "list": lambda x, names, to: x.tolist(),
    "big endian": lambda x, names, to: x.astype(">f8"),
    "masked": lambda x, names, to: np.ma.masked_array(np.where(np.isnan(x), 7.0, x), np.isnan(x)),
    "npy": lambda x, names, to: write_npy(x, names, to / "x.npy"),
    "csv": lambda x, names, to: write_csv(x, names, to / "x.csv"),
    "tsv": lambda x, names, to: write_csv(x, names, to / "x.tsv", "\t"),
    "semicolons": lambda x, names, to: write_csv(x, names, to / "x.txt", ";"),
    "parquet": lambda x, names, to: write_parquet(x, names, to / "x.parquet"),
    "folder": lambda x, names, to: write_folder(x, names, to / "folder"),
    "glob": lambda x, names, to: str(write_folder(x, names, to / "folder") / "*.parquet"),
    "arrow file": lambda x, names, to: write_ipc(x, names, to / "x.arrow"),
    "arrow stream": lambda x, names, to: write_ipc(x, names, to / "x.ipc", stream=True),
    "arrow table": lambda x, names, to: pa.table(dict(zip(names, x.T, strict=True))),
    "arrow batch": lambda x, names, to: pa.record_batch(dict(zip(names, x.T, strict=True))),
    "pandas": lambda x, names, to: frame(x, names),
    "pandas nullable": lambda x, names, to: frame(x, names).astype("Float64"),
    "pandas on arrow": lambda x, names, to: frame(x, names).astype("float64[pyarrow]"),
    "polars": lambda x, names, to: pl.DataFrame(x, schema=list(names)).fill_nan(None),
}
NAMELESS = {"array", "fortran", "list", "big endian", "masked", "npy"}

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 9), st.integers(1, 4)),
    elements=st.floats(allow_infinity=False, allow_nan=True),
)


@pytest.mark.parametrize("store", STORES)
@given(x=tables, order=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_every_storage_gives_the_same_rows(store, x, order, tmp_path_factory):
    names = tuple(f"name {i}" for i in range(x.shape[1]))
    data = STORES[store](x, names, tmp_path_factory.mktemp("store"))

    source = open_source(data)
    assert source.feature_names == (None if store in NAMELESS else names)
    assert source.n_rows in (None, x.shape[0])
    assert source.n_features == x.shape[1]
    for _ in range(2):
        np.testing.assert_array_equal(rows_of(source), x)

    columns = order.sample(range(x.shape[1]), order.randint(1, x.shape[1]))
    np.testing.assert_array_equal(rows_of(open_source(data, features=columns)), x[:, columns])
    if store not in NAMELESS:
        chosen = [names[i] for i in columns]
        np.testing.assert_array_equal(rows_of(open_source(data, features=chosen)), x[:, columns])
        np.testing.assert_array_equal(rows_of(columns_for(data, chosen)), x[:, columns])


@pytest.mark.parametrize("store", sorted(set(STORES) - NAMELESS))
def test_a_weight_column_is_no_feature(store, tmp_path):
    x = np.column_stack([np.arange(6.0), np.array([1, 0, 2.5, 3, 0, 1]), -np.arange(6.0)])
    x[1, 0] = np.nan  # the row's weight is zero
    source = open_source(STORES[store](x, ("a", "w", "b"), tmp_path), weights="w")
    assert source.feature_names == ("a", "b")
    weights = np.concatenate([chunk.weights for chunk in source.chunks()])
    np.testing.assert_array_equal(weights, x[:, 1])
    expected = x[:, [0, 2]]
    expected[1] = 0.0
    np.testing.assert_array_equal(rows_of(source), expected)


@pytest.mark.parametrize("store", ["array", "pandas", "polars", "arrow table", "parquet", "arrow file"])
def test_chunks_are_cut_at_the_rows_per_read(store, tmp_path, monkeypatch):
    for module in ("array", "frame", "arrow"):
        monkeypatch.setattr(f"gaussmix.data.{module}.ROWS_PER_READ", 4)
    x = np.arange(22).reshape(11, 2)
    source = open_source(STORES[store](x, ("a", "b"), tmp_path))
    assert max(chunk.x.shape[0] for chunk in source.chunks()) <= 4
    np.testing.assert_array_equal(rows_of(source), x)
    assert table_module.ROWS_PER_READ == 65_536


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.longdouble, ">f4"])
def test_other_numbers_become_float64(dtype):
    x = np.array([[0, 1], [1, 1], [1, 0]]).astype(dtype)
    (chunk,) = open_source(x).chunks()
    assert chunk.x.dtype == np.dtype(np.float64)
    np.testing.assert_array_equal(chunk.x, x.astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_float_arrays_are_not_copied(dtype):
    x = np.arange(12, dtype=dtype).reshape(4, 3)
    for features, expected in ((None, x), ([1, 2], x[:, 1:])):
        (chunk,) = open_source(x, features=features).chunks()
        assert chunk.x.dtype == dtype
        assert np.shares_memory(chunk.x, x)
        np.testing.assert_array_equal(chunk.x, expected)


def test_a_vector_is_one_feature():
    for data in (np.arange(5.0), [0, 1, 2, 3, 4], pd.Series(range(5), name="a"), pl.Series("a", range(5))):
        np.testing.assert_array_equal(rows_of(open_source(data)), np.arange(5.0)[:, None])
    assert open_source(pd.Series(range(5), name="a")).feature_names == ("a",)


def test_a_npy_file_is_mapped_not_read(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((3, 2)))
    (chunk,) = open_source(path).chunks()
    assert isinstance(chunk.x.base, np.memmap) or isinstance(chunk.x.base.base, np.memmap)


def test_float32_survives_where_all_columns_are_float32(tmp_path):
    columns = {"a": np.arange(4, dtype=np.float32), "b": np.arange(4, dtype=np.float32)}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    mixed = {**columns, "c": np.arange(4)}
    for data in (pd.DataFrame(columns), pl.DataFrame(columns), pa.table(columns), tmp_path / "x.parquet"):
        assert next(open_source(data).chunks()).x.dtype == np.float32
    for data in (pd.DataFrame(mixed), pl.DataFrame(mixed), pa.table(mixed)):
        assert next(open_source(data).chunks()).x.dtype == np.float64
        assert next(open_source(data, features=["a", "b"]).chunks()).x.dtype == np.float32


def test_every_numeric_column_type_is_read():
    columns = {
        "int": [1, None, 3],
        "flag": [True, None, False],
        "decimal": [Decimal("1.5"), None, Decimal("2.5")],
        "nothing": [None, None, None],
    }
    nan = np.nan
    expected = np.array([[1, 1, 1.5, nan], [nan, nan, nan, nan], [3, 0, 2.5, nan]])
    table = pa.table(columns)
    nullable = pd.DataFrame({k: pd.array(columns[k], t) for k, t in [("int", "Int64"), ("flag", "boolean")]})
    np.testing.assert_array_equal(rows_of(open_source(table)), expected)
    np.testing.assert_array_equal(rows_of(open_source(pl.DataFrame(columns))), expected)
    np.testing.assert_array_equal(rows_of(open_source(nullable)), expected[:, :2])
    by_dictionary = pa.table({"a": pa.array([2.5, None, 2.5]).dictionary_encode()})
    np.testing.assert_array_equal(rows_of(open_source(by_dictionary)), [[2.5], [nan], [2.5]])


def test_labels_that_are_all_numbers_are_no_names():
    assert open_source(pd.DataFrame(np.zeros((2, 2)))).feature_names is None
    assert open_source(pd.DataFrame(np.zeros((2, 2)), columns=["a", 1])).feature_names == ("a", "1")


def test_anything_that_exports_arrow_or_arrays_is_read():
    class Exporter:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table({"a": [1.0, 2.0]}).__arrow_c_stream__(requested_schema)

    class ArrayLike:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0], [2.0]])

    assert open_source(Exporter()).feature_names == ("a",)
    for data in (Exporter(), ArrayLike()):
        np.testing.assert_array_equal(rows_of(open_source(data)), [[1.0], [2.0]])


def test_several_files_are_one_table(tmp_path):
    for i in range(3):
        write_csv(np.full((2, 2), float(i)), ("a", "b"), tmp_path / f"{i}.csv")
    expected = np.repeat(np.arange(3.0), 2)[:, None] * np.ones(2)
    np.testing.assert_array_equal(rows_of(open_source(tmp_path / "*.csv")), expected)
    backwards = [tmp_path / f"{i}.csv" for i in (2, 1, 0)]
    np.testing.assert_array_equal(rows_of(open_source(backwards)), expected[::-1])


def test_a_folder_may_nest_and_hide_files(tmp_path):
    (tmp_path / "year=2020").mkdir()
    write_parquet(np.ones((2, 1)), ("a",), tmp_path / "year=2020" / "x.parquet")
    (tmp_path / "_metadata.parquet").write_bytes(b"no rows in here")
    np.testing.assert_array_equal(rows_of(open_source(tmp_path)), np.ones((2, 1)))


class Counting(Source):
    """Rows in chunks of three that count how often they are read."""

    def __init__(self, x):
        self.x, self.readings = x, 0

    n_features = property(lambda self: self.x.shape[1])
    feature_names = property(lambda self: None)
    description = property(lambda self: "counting")

    def chunks(self):
        self.readings += 1
        yield from (table_module.Chunk(self.x[i : i + 3], None, i) for i in range(0, len(self.x), 3))


@pytest.mark.parametrize(("budget", "readings"), [(10 * 16, 1), (10 * 16 - 1, 3), (100, 3), (0, 3)])
def test_only_rows_within_the_budget_are_remembered(budget, readings):
    counting = Counting(np.arange(20.0).reshape(10, 2))
    source = Remembered(counting, budget)
    next(source.chunks())  # given up before its end, a reading leaves nothing behind
    counting.readings = 0
    for _ in range(3):
        np.testing.assert_array_equal(rows_of(source), counting.x)
    assert counting.readings == readings
