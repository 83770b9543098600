"""The dialects in which people write tables as text."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest

from gaussmix.data import delimited, open_source
from gaussmix.errors import DataWarning, SourceError

NAN = np.nan
PLAIN = [[1.0, 2.5], [-3.0, 4e5]]

DIALECTS = {
    "plain": (b"a,b\n1,2.5\n-3,4e5\n", PLAIN),
    "no newline at the end": (b"a,b\n1,2.5\n-3,4e5", PLAIN),
    "CRLF and a byte-order mark": (b"\xef\xbb\xbfa,b\r\n1,2.5\r\n-3,4e5\r\n", PLAIN),
    "quoted": (b'"a","b"\n"1","2.5"\n-3,"4e5"\n', PLAIN),
    "blank lines anywhere": (b"\n\na,b\n\n1,2.5\n\n-3,4e5\n\n\n", PLAIN),
    "spaces around": (b" a , b \n 1, 2.5\n -3 , 4e5\n", PLAIN),
    "semicolons": (b"a;b\n1;2.5\n-3;4e5\n", PLAIN),
    "semicolons and decimal commas": (b"a;b\n1;2,5\n-3;4e5\n", PLAIN),
    "tabs": (b"a\tb\n1\t2.5\n-3\t4e5\n", PLAIN),
    "tabs and decimal commas": (b"a\tb\n1\t2,5\n-3\t4e5\n", PLAIN),
    "spaces": (b"a b\n1 2.5\n-3 4e5\n", PLAIN),
    "old Macintosh line ends": (b"a,b\r1,2.5\r-3,4e5\r", PLAIN),
    "plus signs and bare points": (b"a,b\n+1,2.5\n-3.,+4.E+5\n", PLAIN),
    "infinities": (b"a,b\ninf,-Inf\nINFINITY,1\n", [[np.inf, -np.inf], [np.inf, 1.0]]),
}


@pytest.mark.parametrize("text, expected", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_dialects_mean_the_same_rows(text, expected, compressed, tmp_path):
    path = tmp_path / ("x.csv.gz" if compressed else "x.csv")
    path.write_bytes(gzip.compress(text) if compressed else text)
    source = open_source(path)
    assert source.feature_names == ("a", "b")
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([c.x for c in source.chunks()]), expected)


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "nan", "null", "NULL", "?", "N/A", " NA", "NA ", '""', '"NA"', " "])
def test_words_for_nothing_are_missing_values(cell, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"a,b\n1,2\n{cell},3\n4,{cell}\n")
    (chunk,) = open_source(path).chunks()
    np.testing.assert_array_equal(chunk.x, [[1, 2], [NAN, 3], [4, NAN]])


def test_text_in_other_columns_is_never_looked_at(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'note,a\n"two\nlines, and a comma",1\n"caf\xe9 in Latin-1",2\n')
    (chunk,) = open_source(path, features=["a"]).chunks()
    np.testing.assert_array_equal(chunk.x, [[1], [2]])


def test_repeated_names_can_be_told_apart_by_position(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,a,b\n1,2,3\n")
    (chunk,) = open_source(path, features=[1, 2]).chunks()
    np.testing.assert_array_equal(chunk.x, [[2, 3]])


def test_a_file_without_a_header_says_so_and_keeps_its_first_row(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1.5,2\n3,\n")
    with pytest.warns(DataWarning, match="no header; its columns are called column_1 to column_2"):
        source = open_source(path)
    assert source.feature_names == ("column_1", "column_2")
    (chunk,) = source.chunks()
    np.testing.assert_array_equal(chunk.x, [[1.5, 2], [3, NAN]])


@pytest.mark.parametrize(
    "header, names",
    [("0,1,2", ("0", "1", "2")), (",0,1", ("column_1", "0", "1")), ("a,,2", ("a", "column_2", "2"))],
)
def test_headers_that_look_like_numbers(header, names, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n7,8,9\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = open_source(path)
    assert source.feature_names == names
    (chunk,) = source.chunks()
    np.testing.assert_array_equal(chunk.x, [[7, 8, 9]])


def test_blocks_of_text_cut_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    x = np.random.default_rng(0).normal(size=(200, 2))
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{p!r},{q!r}\n" for p, q in x.tolist()))
    chunks = list(open_source(path).chunks())
    assert len(chunks) > 50
    np.testing.assert_array_equal(np.concatenate([chunk.x for chunk in chunks]), x)


def test_a_file_that_changes_between_two_readings_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    source = open_source(path)
    path.write_text("a\n1\n2\n")
    with pytest.raises(SourceError, match="was changed or removed"):
        list(source.chunks())


def test_long_text_and_wide_rows_do_not_matter(tmp_path, monkeypatch):
    path = tmp_path / "text.csv"
    review = '"a, quoted\n' + "long review " * 1000 + '"'
    path.write_text("review,a\n" + "".join(f"{review},{i}\n" for i in range(300)))
    rows = np.concatenate([chunk.x for chunk in open_source(path, features=["a"]).chunks()])
    np.testing.assert_array_equal(rows, np.arange(300.0)[:, None])

    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    wide = np.arange(1000.0).reshape(2, 500) + 1 / 3
    lines = [",".join(f"c{i}" for i in range(500)), *(",".join(map(repr, row)) for row in wide.tolist())]
    path.write_text("\n".join(lines))
    rows = np.concatenate([chunk.x for chunk in open_source(path).chunks()])
    np.testing.assert_array_equal(rows, wide)
