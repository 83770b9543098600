"""A zoo of bad inputs: each is refused by name, and the message says what to do."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from scipy import sparse

from gaussmix.data import open_source
from gaussmix.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    GaussmixError,
    NotNumericError,
    ParameterError,
    ShapeError,
    SourceError,
    WeightError,
)


@dataclass
class Case:
    """`make` builds the data in a folder; `error` and `says` are what opening or reading it must raise."""

    name: str
    make: Callable[[Path], Any]
    error: type[GaussmixError]
    says: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


def file(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def saved(array: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.save(folder / "x.npy", array, allow_pickle=True)
        return folder / "x.npy"

    return make


def stored(name: str, **columns: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        parquet.write_table(pa.table(columns), folder / name)
        return folder / name

    return make


def folder_of(*makers: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for maker in makers:
            maker(folder)
        return folder

    return make


def cut(maker: Callable[[Path], Path], keep: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = maker(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content))])
        return path

    return make


def scrambled_parquet(folder: Path) -> Path:
    path = stored("x.parquet", a=np.random.default_rng(0).normal(size=5000))(folder)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)  # the foot is sound, the pages are not
    path.write_bytes(content)
    return path


def spoilt_npy(folder: Path) -> Path:
    path = saved(np.zeros((5, 2)))(folder)
    path.write_bytes(path.read_bytes().replace(b"}", b"(", 1))  # an unfinished expression
    return path


def spoilt_gzip(folder: Path) -> Path:
    content = bytearray(gzip.compress("".join(f"{i},{i / 7}\n" for i in range(500)).encode()))
    content[40:60] = bytes(20)
    return file("x.csv.gz", bytes(content))(folder)


def arrow_file(folder: Path) -> Path:
    table = pa.table({"a": np.arange(5000.0)})
    with pa.ipc.new_file(folder / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    return folder / "x.arrow"


def rowless_arrow(folder: Path) -> Path:
    with pa.ipc.new_file(folder / "x.arrow", pa.schema([("a", pa.float64())])):
        return folder / "x.arrow"


def spoilt_arrow(folder: Path) -> Path:
    with pa.ipc.new_file(folder / "x.arrow", pa.schema([("column", pa.float64())])) as writer:
        writer.write_table(pa.table({"column": [1.0]}))
    path = folder / "x.arrow"
    path.write_bytes(path.read_bytes().replace(b"column", b"\xfe\xfe\xfe\xfe\xfe\xfe"))
    return path


def of(data: Any) -> Callable[[Path], Any]:
    return lambda folder: data


PENGUINS = {"species": ["Adelie", "Gentoo"], "bill": [39.1, 46.1], "depth": [18.7, 13.2]}
LATE_TEXT = "a,b\n" + "1,2\n" * 500 + "\n3,oops\n" + "4,5\n" * 500
LATE_RAGGED = "a,b\n" + "1,2\n" * 500 + "\n3,4,5\n"
HINT = ("'species'", "for example 'Adelie'", "features=['bill', 'depth']", "--features bill,depth")
TWO = np.ones((3, 2))

ARRAYS = [
    Case("no rows", of(np.zeros((0, 3))), EmptyDataError, ("(0, 3)",)),
    Case("no columns", of(np.zeros((3, 0))), EmptyDataError, ("(3, 0)",)),
    Case("empty list", of([]), EmptyDataError, ("list is empty",)),
    Case("a number", of(np.float64(3)), ShapeError, ("0 dimensions",)),
    Case("three dimensions", of(np.zeros((2, 2, 2))), ShapeError, ("(2, 2, 2)", "Reshape")),
    Case("complex", of(np.ones(3, dtype=complex)), NotNumericError, ("complex128", "real and imaginary")),
    Case("objects", of(np.array([[1, None]], dtype=object)), NotNumericError, ("row 0, column 1", "'None'")),
    Case("text", of([[1, "x"], [2, 3]]), NotNumericError, ("row 0, column 1", "'x'")),
    Case("dates", of(np.array(["2020-01-01"], dtype="M8[D]")), NotNumericError, ("datetime64",)),
    Case("fields", of(np.zeros(3, dtype=[("p", float), ("q", int)])), NotNumericError, ("p, q", "DataFrame")),
    Case("ragged list", of([[1, 2], [3, 4], [5]]), ShapeError, ("row 2", "1 values where row 0 has 2")),
    Case("dictionary", of({"a": [1]}), SourceError, ("from a dict", "dataframe")),
    Case("nothing", of(None), SourceError, ("from a NoneType",)),
    Case("generator", of(iter([[1.0]])), SourceError, ("only once",)),
    Case("sparse", of(sparse.eye(3).tocsr()), SourceError, ("toarray()",)),
    Case("pickled npy", saved(np.array([{}, []], dtype=object)), SourceError, (".npy", "numpy.save")),
    Case("cut npy", cut(saved(np.zeros((50, 4))), 0.7), SourceError, ("not a usable .npy",)),
    Case("garbage npy", file("x.npy", b"garbage " * 50), SourceError, ("not a usable .npy",)),
    Case("scrambled npy", spoilt_npy, SourceError, ("not a usable .npy",)),
    Case("empty npy", saved(np.zeros((0, 2))), EmptyDataError, ("x.npy is empty",)),
    Case("complex npy", saved(np.ones((2, 2), dtype=complex)), NotNumericError, ("x.npy", "complex128")),
]

FRAMES = [
    Case("pandas text", of(pd.DataFrame(PENGUINS)), NotNumericError, HINT),
    Case("polars text", of(pl.DataFrame(PENGUINS)), NotNumericError, HINT),
    Case("Arrow text", of(pa.table(PENGUINS)), NotNumericError, HINT),
    Case("category", of(pd.DataFrame({"a": pd.Categorical(["u"])})), NotNumericError, ("categorical", "'u'")),
    Case("objects in pandas", of(pd.DataFrame({"a": [1, object()]})), NotNumericError, ("'a' (object",)),
    Case("dates in polars", of(pl.DataFrame({"a": [date(2020, 1, 1)]})), NotNumericError, ("'a' (date",)),
    Case(
        "text among those asked for",
        of(pd.DataFrame(PENGUINS)),
        NotNumericError,
        ("features=['bill']",),
        {"features": ["species", "bill"]},
    ),
    Case("lazy", of(pl.LazyFrame({"a": [1.0]})), SourceError, ("LazyFrame", "data.collect()")),
    Case("pandas without rows", of(pd.DataFrame({"a": []})), EmptyDataError, ("0 rows and 1 columns",)),
    Case("pandas without columns", of(pd.DataFrame(index=[1, 2])), EmptyDataError, ("0 columns",)),
    Case("Arrow without rows", of(pa.table({"a": pa.array([], pa.float64())})), EmptyDataError, ("0 rows",)),
    Case("twice the same name", of(pd.DataFrame(TWO, columns=["a", "a"])), ColumnError, ("called 'a'",)),
    Case(
        "twice the same name in Arrow",
        of(pa.table([[1.0], [2.0]], names=["a", "a"])),
        ColumnError,
        ("called 'a'", "features="),
    ),
]

TEXTS = [
    Case("0 bytes", file("x.csv", ""), EmptyDataError, ("0 bytes",)),
    Case("only blank lines", file("x.csv", "\n\n"), EmptyDataError, ("x.csv is empty",)),
    Case("only a header", file("x.csv", "a,b\n"), EmptyDataError, ("a header and no rows",)),
    Case("text column", file("x.csv", "species,bill,depth\nAdelie,1,2\n"), NotNumericError, HINT),
    Case("late text", file("x.csv", LATE_TEXT), NotNumericError, ("line 503", "column 'b'", "'oops'")),
    Case(
        "late text under a weight",
        file("x.csv", LATE_TEXT),
        NotNumericError,
        ("line 503", "'oops'"),
        {"features": ["a"], "weights": "b"},
    ),
    Case("ragged", file("x.csv", "a,b\n1,2\n\n3\n"), SourceError, ("line 4", "1 cells", "has 2")),
    Case("late ragged", file("x.csv", LATE_RAGGED), SourceError, ("line 503", "3 cells")),
    Case("UTF-16", file("x.csv", "a,b\n1,2\n".encode("utf-16")), SourceError, ("UTF-8",)),
    Case("binary", file("x.csv", bytes(100)), SourceError, ("UTF-8",)),
    Case(
        "cut gzip",
        cut(file("x.csv.gz", gzip.compress(b"a\n1\n" * 99)), 0.6),
        SourceError,
        ("cannot be read",),
    ),
    Case("scrambled gzip", spoilt_gzip, SourceError, ("cannot be read",)),
    Case("no gzip at all", file("x.csv.gz", "a,b\n1,2\n"), SourceError, ("cannot be read",)),
]

FILES = [
    Case("absent", of("nowhere.csv"), SourceError, ("there is no file", "Check the path")),
    Case(
        "misspelt",
        lambda folder: file("penguins.csv", "a\n1\n")(folder).with_name("pengiuns.csv"),
        SourceError,
        ("Did you mean penguins.csv?",),
    ),
    Case("absent folder", lambda f: f / "no" / "x.csv", SourceError, ("does not exist",)),
    Case("remote", of("s3://bucket/x.parquet"), SourceError, ("s3://bucket", "Download")),
    Case("unknown kind", file("x.xlsx", b"PK"), SourceError, (".xlsx", ".parquet")),
    Case("no kind", file("x", b"PK"), SourceError, (".parquet",)),
    Case("glob without match", lambda f: f / "*.csv", SourceError, ("no file matches",)),
    Case("empty folder", lambda f: f, SourceError, ("without Parquet files",)),
    Case("folder of CSV", folder_of(file("x.csv", "a\n1\n")), SourceError, ("*.csv",)),
    Case("garbage Parquet", file("x.parquet", b"garbage" * 99), SourceError, ("x.parquet cannot be read",)),
    Case("cut Parquet", cut(stored("x.parquet", a=np.zeros(999)), 0.8), SourceError, ("cannot be read",)),
    Case("scrambled Parquet", scrambled_parquet, SourceError, ("x.parquet cannot be read",)),
    Case("Parquet without rows", stored("x.parquet", a=np.zeros(0)), EmptyDataError, ("0 rows",)),
    Case("text in Parquet", stored("x.parquet", **PENGUINS), NotNumericError, HINT),
    Case("garbage Arrow", file("x.arrow", b"garbage" * 99), SourceError, ("x.arrow cannot be read",)),
    Case("cut Arrow", cut(arrow_file, 0.5), SourceError, ("x.arrow cannot be read",)),
    Case("Arrow with a scrambled name", spoilt_arrow, SourceError, ("x.arrow cannot be read",)),
    Case("Arrow file without rows", rowless_arrow, EmptyDataError, ("x.arrow holds no rows",)),
    Case("old Feather", file("x.feather", b"FEA1" + bytes(50)), SourceError, ("write_feather",)),
    Case(
        "a column lacks in one file",
        folder_of(stored("1.parquet", a=[1.0], b=[1.0]), stored("2.parquet", a=[1.0])),
        ColumnError,
        ("2.parquet has no column 'b'", "features="),
    ),
    Case(
        "a column is text in one file",
        folder_of(stored("1.parquet", a=[1.0], b=[1.0]), stored("2.parquet", a=[1.0], b=["u"])),
        NotNumericError,
        ("'b'", "2.parquet", "'u'", "features=['a']"),
    ),
    Case(
        "arrays of different widths",
        lambda f: [saved(TWO)(f).rename(f / "y.npy"), saved(TWO[:, :1])(f)],
        ShapeError,
        ("x.npy has 1 columns", "y.npy 2"),
    ),
]

CALLS = [
    Case(
        "unknown name",
        of(pd.DataFrame(PENGUINS)),
        ColumnError,
        ("'bil'", "Did you mean 'bill'"),
        {"features": "bil"},
    ),
    Case("far name", of(pd.DataFrame(PENGUINS)), ColumnError, ("There are: 'species'",), {"features": ["zzz"]}),
    Case("name in an array", of(TWO), ColumnError, ("no column names", "positions"), {"features": ["a"]}),
    Case("position too large", of(TWO), ColumnError, ("no column 2", "0 to 1"), {"features": [0, 2]}),
    Case("negative position", of(TWO), ColumnError, ("no column -1",), {"features": [-1]}),
    Case("neither name nor position", of(TWO), ColumnError, ("1.5 (float)",), {"features": [1.5]}),
    Case("truth values", of(TWO), ColumnError, ("True (bool)",), {"features": [True, False]}),
    Case("twice", of(TWO), ColumnError, ("column 1 more than once",), {"features": [1, 1]}),
    Case("no feature", of(TWO), ColumnError, ("features is empty",), {"features": []}),
    Case("missing mistyped", of(TWO), ParameterError, ('"error" or "drop"',), {"missing": "ignore"}),
    Case("few weights", of(TWO), ShapeError, ("2 weights for 3 rows",), {"weights": [1, 1]}),
    Case("many weights", of(TWO), ShapeError, ("4 weights for 3 rows",), {"weights": [1, 1, 1, 1]}),
    Case("weights in two dimensions", of(TWO), ShapeError, ("(3, 1)", "ravel"), {"weights": np.ones((3, 1))}),
    Case("negative weight", of(TWO), WeightError, ("row 1", "-2.0"), {"weights": [1, -2, -3]}),
    Case("weight NaN", of(TWO), WeightError, ("row 2", "nan"), {"weights": [1, 1, np.nan]}),
    Case("weight infinite", of(TWO), WeightError, ("row 0", "inf"), {"weights": [np.inf, 1, 1]}),
    Case("weights zero", of(TWO), WeightError, ("all zero",), {"weights": [0, 0, 0]}),
    Case("weights huge", of(TWO), WeightError, ("too large",), {"weights": [1e308] * 3}),
    Case("weights text", of(TWO), WeightError, ("cannot be read as numbers",), {"weights": ["a", "b", "c"]}),
    Case("weights named in an array", of(TWO), ColumnError, ("no column names",), {"weights": "w"}),
    Case(
        "weight is a feature",
        of(pd.DataFrame({"a": [1.0], "w": [1.0]})),
        ColumnError,
        ("'w' holds the weights",),
        {"features": ["a", "w"], "weights": "w"},
    ),
    Case(
        "nothing but weights",
        of(pd.DataFrame({"w": [1.0]})),
        EmptyDataError,
        ("no feature columns",),
        {"weights": "w"},
    ),
    Case(
        "text weights",
        of(pd.DataFrame(PENGUINS)),
        NotNumericError,
        ("'species'", "Weights must be numbers"),
        {"features": ["bill"], "weights": "species"},
    ),
    Case(
        "negative weight in a column",
        file("x.csv", "a,w\n1,1\n2,1\n3,-4\n"),
        WeightError,
        ("x.csv", "row 2", "-4.0"),
        {"weights": "w"},
    ),
    Case(
        "missing weight in a column",
        of(pl.DataFrame({"a": [1.0, 2.0], "w": [1.0, None]})),
        WeightError,
        ("row 1", "nan"),
        {"weights": "w"},
    ),
    Case(
        "zero weights in a column",
        of(pd.DataFrame({"a": [1.0], "w": [0.0]})),
        WeightError,
        ("all zero",),
        {"weights": "w"},
    ),
    Case(
        "weights named in a source",
        lambda f: open_source(TWO),
        ParameterError,
        ("Give an array",),
        {"weights": "w"},
    ),
]


ZOO = [*ARRAYS, *FRAMES, *TEXTS, *FILES, *CALLS]


@pytest.mark.parametrize("case", ZOO, ids=lambda case: case.name)
def test_bad_input_is_refused_by_name(case, tmp_path):
    data = case.make(tmp_path)
    with pytest.raises(case.error) as caught:
        list(open_source(data, **case.options).chunks())
    assert type(caught.value) is case.error
    message = str(caught.value)
    assert [fragment for fragment in case.says if fragment not in message] == [], message
    assert re.search(r"[.;:] .*[.?)]$", message), message  # what was found, and then what to do


def test_every_refusal_is_an_error_about_data_or_the_call():
    assert all(issubclass(case.error, DataError | ParameterError) for case in ZOO)
