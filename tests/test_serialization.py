"""Model files: bits come back, hostile bytes are refused by name, and a failed write leaves the old file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaussmix.errors import FileWriteError, ModelFileError, ParameterError
from gaussmix.serialization import read, write

ARRAYS = {
    "means": np.array([[0.0, -0.0], [5e-324, -np.inf]]),
    "counts": np.array([-(2**63), 2**63 - 1, 0]),
    "scale": np.array(3.5),
    "nothing": np.empty((2, 0)),
}
HEADER = {
    "structure": "VVV",
    "features": ["größe", "\ud800"],
    "score": -1.25e-300,
    "nested": {"a": [None, True]},
}


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "old.gaussmix"
    write(path, ARRAYS, HEADER, kind="model")
    return path


# Laws


def any_arrays() -> st.SearchStrategy[dict[str, np.ndarray]]:
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    names = st.text(max_size=8).filter(lambda name: name.isprintable() and name != "__metadata__")
    return st.dictionaries(names, hnp.arrays(st.sampled_from([np.float64, np.int64]), shapes), max_size=4)


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3), max_leaves=6
    )


@given(arrays=any_arrays(), value=json_values())
def test_arrays_and_header_come_back_to_the_bit(tmp_path_factory, arrays, value):
    path = tmp_path_factory.getbasetemp() / "roundtrip"
    write(path, arrays, {"value": value}, kind="statistics")
    back, header = read(path, kind="statistics")
    assert set(back) == set(arrays)
    assert all(same_bits(back[name], arrays[name]) for name in arrays)
    assert header == {"format": "gaussmix", "format_version": 1, "kind": "statistics", "value": value}


@given(data=st.data())
@settings(max_examples=300)
def test_damaged_bytes_raise_nothing_but_a_model_file_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    write(path, ARRAYS, HEADER, kind="model")
    content = bytearray(path.read_bytes())
    del content[data.draw(st.integers(0, len(content)) | st.just(len(content))) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            # Half of the flips hit the length and the JSON, where the decisions are made.
            position = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(60, len(content) - 1)))
            content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        arrays, header = read(path, kind="model")
    except ModelFileError as error:
        assert str(path) in str(error)
    else:
        assert sum(array.nbytes for array in arrays.values()) <= len(content)
        assert all(array.dtype in (np.float64, np.int64) and array.ndim <= 4 for array in arrays.values())
        assert (header["format"], header["format_version"], header["kind"]) == ("gaussmix", 1, "model")


@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_model_file_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        read(path, kind="model")


def test_every_truncation_is_refused(model: Path):
    content = model.read_bytes()
    for length in range(len(content)):
        model.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            read(model, kind="model")


# Hostile files, byte by byte

GOOD = json.dumps({"format": "gaussmix", "format_version": 1, "kind": "model"})


def framed(text: str | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + body


def labelled(header: Any) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return framed(json.dumps({"__metadata__": {"gaussmix": text}}))


def holding(entry: Any, body: int = 16, **more: Any) -> bytes:
    return framed(json.dumps({"__metadata__": {"gaussmix": GOOD}, "a": entry, **more}), bytes(body))


def entry(dtype: Any = "F64", shape: Any = (2,), data_offsets: Any = (0, 16), **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets, **more}


def own(**changes: Any) -> dict[str, Any]:
    return {**json.loads(GOOD), **changes}


HOSTILE = {
    "empty": (b"", "only 0 bytes"),
    "seven bytes": (b"\x00" * 7, "only 7 bytes"),
    "no header": (framed(""), "not JSON"),
    "text file": (b"name,weight\n1,2\n", "not a safetensors file"),
    "pickle": (b"\x80\x04\x95" + bytes(40), "not a safetensors file|not JSON"),
    "absurd length": (framed("{}", length=2**64 - 1), "not a safetensors file"),
    "length over the limit": (framed("{}", length=100_000_001), "not a safetensors file"),
    "length over the file": (framed("{}", length=3), "truncated"),
    "header not UTF-8": (framed(b'{"\xff": 1}'), "not text"),
    "header in UTF-16": (framed("{}".encode("utf-16")), "not text"),
    "header not JSON": (framed("{oops}"), "not JSON"),
    "header a list": (framed("[]"), "JSON object was expected"),
    "header deeply nested": (framed("[" * 200_000), "not JSON"),
    "number of 5000 digits": (framed("9" * 5000), "not JSON"),
    "NaN": (framed('{"a": NaN}'), "NaN is not"),
    "repeated name": (framed('{"a": 1, "a": 2}'), "repeated"),
    "repeated field": (holding(entry()).replace(b'"shape"', b'"dtype"'), "repeated"),
    "no metadata": (framed("{}"), "not one of gaussmix"),
    "metadata null": (framed('{"__metadata__": null}'), "not one of gaussmix"),
    "metadata a list": (framed('{"__metadata__": [1]}'), "JSON object was expected"),
    "someone else's metadata": (framed('{"__metadata__": {"format": "pt"}}'), "not one of gaussmix"),
    "own header a number": (framed('{"__metadata__": {"gaussmix": 7}}'), "text was expected"),
    "own header not JSON": (labelled("{"), "not JSON"),
    "own header a string": (labelled('"model"'), "JSON object was expected"),
    "own header repeats a key": (labelled(GOOD[:-1] + ', "kind": "model"}'), "repeated"),
    "own header with Infinity": (labelled(GOOD[:-1] + ', "score": Infinity}'), "Infinity is not"),
    "own header empty": (labelled({}), "'format' is missing"),
    "format a number": (labelled(own(format=1)), "'format' is 1 where a JSON string"),
    "other format": (labelled(own(format="other")), "format 'other'"),
    "version a string": (labelled(own(format_version="1")), "JSON integer was expected"),
    "version a boolean": (labelled(own(format_version=True)), "JSON integer was expected"),
    "version a fraction": (labelled(own(format_version=1.0)), "JSON integer was expected"),
    "version zero": (labelled(own(format_version=0)), "version 0"),
    "newer version": (labelled(own(format_version=2)), "upgrade gaussmix"),
    "kind a list": (labelled(own(kind=["model"])), "'kind' is"),
    "other kind": (labelled(own(kind="checkpoint")), "holds a 'checkpoint', not a 'model'"),
    "entry a list": (holding([]), "JSON object was expected"),
    "entry without shape": (holding({"dtype": "F64", "data_offsets": [0, 16]}), "not by dtype, shape"),
    "entry with more": (holding(entry(code="x")), "not by dtype, shape"),
    "dtype unknown": (holding(entry("PICKLE")), "F64 or I64"),
    "dtype not accepted": (holding(entry("F32", (4,))), "F64 or I64"),
    "dtype a list": (holding(entry(["F64"])), "F64 or I64"),
    "shape negative": (holding(entry(shape=(-1, -2))), "sizes that fit"),
    "shape of fractions": (holding(entry(shape=(2.0,))), "sizes that fit"),
    "shape of booleans": (holding(entry(shape=(True, 2))), "sizes that fit"),
    "shape huge": (holding(entry(shape=(10**18, 10**18))), "sizes that fit"),
    "shape huge without elements": (
        holding(entry(shape=(0, 2**61), data_offsets=(0, 0)), 0),
        "sizes that fit",
    ),
    "five dimensions": (holding(entry(shape=(1, 1, 1, 1, 2))), "at most 4"),
    "shape against offsets": (holding(entry(shape=(3,))), "24 bytes were expected"),
    "shape beyond the file": (holding(entry(shape=(2**40,), data_offsets=(0, 2**43))), "truncated"),
    "offsets negative": (holding(entry(data_offsets=(-16, 0))), "16 bytes were expected"),
    "offsets reversed": (holding(entry(data_offsets=(16, 0))), "16 bytes were expected"),
    "three offsets": (holding(entry(data_offsets=(0, 16, 32))), "16 bytes were expected"),
    "offsets of booleans": (
        holding(entry(shape=(0,), data_offsets=(False, False)), 0),
        "0 bytes were expected",
    ),
    "hole before": (holding(entry(data_offsets=(8, 24)), 24), "hole"),
    "overlap": (holding(entry(), 24, b=entry(data_offsets=(8, 24))), "overlap"),
    "same place twice": (holding(entry(), 16, b=entry()), "overlap"),
    "bytes missing": (holding(entry(), 15), "truncated"),
    "bytes left over": (holding(entry(), 17), "1 bytes follow"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_by_name(name: str, tmp_path: Path):
    content, message = HOSTILE[name]
    path = tmp_path / "hostile"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        read(path, kind="model")
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_the_frame_of_the_hostile_files_is_itself_readable(tmp_path: Path):
    path = tmp_path / "good"
    path.write_bytes(holding(entry()))
    arrays, _ = read(path, kind="model")
    assert same_bits(arrays["a"], np.zeros(2))


def test_a_lone_surrogate_that_only_the_library_refuses(tmp_path: Path):
    path = tmp_path / "surrogate"
    path.write_bytes(holding(entry(), **{"\ud800": entry(shape=(0,), data_offsets=(16, 16))}))
    with pytest.raises(ModelFileError, match="library refuses"):
        read(path, kind="model")


# Reading: examples


def test_arrays_are_read_only(model: Path):
    arrays, _ = read(model, kind="model")
    assert not any(array.flags.writeable for array in arrays.values())


def test_views_are_written_as_they_look(tmp_path: Path):
    table = np.arange(24.0).reshape(4, 6)
    views = {
        "transposed": table.T,
        "reversed": table[::-1],
        "strided": table[:, ::2],
        "one": np.broadcast_to(1.0, (3, 2)),
    }
    write(tmp_path / "views", views, {}, kind="model")
    back, _ = read(tmp_path / "views", kind="model")
    assert all(np.array_equal(back[name], views[name]) for name in views)


def test_a_missing_file_suggests_close_names(model: Path):
    with pytest.raises(ModelFileError, match=r"did you mean old\.gaussmix\?"):
        read(model.with_name("odl.gaussmix"), kind="model")


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"no folder .*nowhere"):
        read(tmp_path / "nowhere" / "model", kind="model")


def test_folders_and_pipes_are_refused(tmp_path: Path):
    with pytest.raises(ModelFileError, match="is a folder"):
        read(tmp_path, kind="model")
    with pytest.raises(ModelFileError, match="no file name"):
        read("nul\0byte", kind="model")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ModelFileError, match="not a regular file"):
            read(tmp_path / "pipe", kind="model")


# Writing: atomicity


def broken(error: BaseException):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupt"]
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(model: Path, monkeypatch, step: str, error: BaseException):
    before = model.read_bytes()
    expected = FileWriteError if isinstance(error, OSError) else KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(os, step, broken(error))
        with pytest.raises(expected):
            write(model, {"means": np.ones(3)}, {}, kind="model")
    assert model.read_bytes() == before
    assert list(model.parent.iterdir()) == [model]


def test_the_file_and_its_folder_are_forced_to_the_disk_around_the_replacement(model: Path, monkeypatch):
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(*names: Any) -> None:
        events.append("replace")
        replace(*names)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write(model, {}, {}, kind="model")
    assert events == ["file", "replace"] + ["folder"] * (os.name == "posix")


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced there")
@pytest.mark.parametrize(("number", "fails"), [(22, False), (5, True)], ids=["not supported", "disk error"])
def test_a_folder_that_cannot_be_synced(model: Path, monkeypatch, number: int, fails: bool):
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "refused")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if fails:
        with pytest.raises(FileWriteError, match="may not survive a crash"):
            write(model, {}, {}, kind="model")
    else:
        write(model, {}, {}, kind="model")
    assert read(model, kind="model")[0] == {}


@pytest.mark.skipif(os.name != "posix", reason="no permission bits there")
def test_the_mode_follows_the_umask(tmp_path: Path):
    previous = os.umask(0o027)
    try:
        write(tmp_path / "model", {}, {}, kind="model")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(model: Path):
    link = model.with_name("link")
    link.symlink_to(model.name)
    write(link, {}, {}, kind="checkpoint")
    assert link.is_symlink()
    assert read(model, kind="checkpoint")[0] == {}


def test_places_that_cannot_be_written_to(model: Path):
    with pytest.raises(FileWriteError, match=r"no folder .*nowhere; create it"):
        write(model.parent / "nowhere" / "model", {}, {}, kind="model")
    with pytest.raises(FileWriteError, match="is a folder"):
        write(model.parent, {}, {}, kind="model")
    with pytest.raises(FileWriteError, match="no folder"):
        write(model / "model", {}, {}, kind="model")


def test_a_folder_without_permission_is_named(model: Path, monkeypatch):
    monkeypatch.setattr(os, "open", broken(PermissionError(13, "Permission denied")))
    with pytest.raises(OSError, match="not writable; choose another"):
        write(model, {}, {}, kind="model")


@pytest.mark.parametrize(
    ("arrays", "header", "message"),
    [
        ({"a": np.ones(2, np.float32)}, {}, "float32"),
        ({"a": np.ones(2, ">f8")}, {}, "float64 and int64"),
        ({"a": np.array([None])}, {}, "object"),
        ({"a": np.ones((1,) * 5)}, {}, "5 dimensions"),
        ({"__metadata__": np.ones(1)}, {}, "rename"),
        ({}, {"kind": "x"}, "other names"),
        ({}, {"score": float("nan")}, "finite numbers"),
        ({}, {"score": np.float32(1.0)}, "finite numbers"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_writing(tmp_path: Path, arrays, header, message):
    with pytest.raises(ParameterError, match=message):
        write(tmp_path / "model", arrays, header, kind="model")
    assert not list(tmp_path.iterdir())
