"""Laws of the journal: what was put is there for ever, whatever is cut off or damaged behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.errors import CheckpointError, FileWriteError
from gaussmix.journal import KEY_BYTES, Journal, read_header

records = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


def key(i: int) -> bytes:
    return bytes([i]) * KEY_BYTES


def written(path: Path, contents: list[bytes]) -> list[int]:
    """Write a journal; return its size after the header and after every record."""
    sizes = []
    path.unlink(missing_ok=True)
    with Journal.create(path, {"call": "this"}) as journal:
        sizes.append(path.stat().st_size)
        for i, content in enumerate(contents):
            journal.put(key(i), content)
            sizes.append(path.stat().st_size)
    return sizes


@given(contents=records)
def test_what_was_put_is_found_again(tmp_path, contents):
    path = tmp_path / "j"
    written(path, contents)
    with Journal(path) as journal:
        assert len(journal) == len(contents)
        assert [journal.get(key(i)) for i in range(len(contents))] == contents
        assert journal.get(key(99)) is None
        assert journal.header == read_header(path) == {"call": "this"}


@given(contents=records, data=st.data())
def test_a_file_cut_short_anywhere_keeps_every_whole_record_and_goes_on(tmp_path, contents, data):
    path = tmp_path / "j"
    sizes = written(path, contents)
    cut = data.draw(st.integers(sizes[0], sizes[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    whole = sum(size <= cut for size in sizes[1:])
    with Journal(path) as journal:
        assert [journal.get(key(i)) for i in range(len(contents))] == contents[:whole] + [None] * (
            len(contents) - whole
        )
        journal.put(key(77), b"later")
    with Journal(path) as journal:
        assert journal.get(key(77)) == b"later"
        assert len(journal) == whole + 1


@given(contents=records, data=st.data())
def test_a_damaged_byte_never_comes_out_as_a_record(tmp_path, contents, data):
    path = tmp_path / "j"
    sizes = written(path, contents)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    if place < sizes[0]:
        with pytest.raises(CheckpointError, match="checkpoint"):
            Journal(path)
        return
    with Journal(path) as journal:
        before = sum(size <= place for size in sizes[1:])
        assert len(journal) == before
        assert [journal.get(key(i)) for i in range(before)] == contents[:before]


def test_a_journal_in_use_is_refused(tmp_path):
    with Journal.create(tmp_path / "j", {}), pytest.raises(CheckpointError, match="another process"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").__exit__()


def test_what_is_no_journal_is_refused_by_name(tmp_path):
    (tmp_path / "x").write_bytes(b"something else")
    for read in (Journal, read_header):
        with pytest.raises(CheckpointError, match="no gaussmix checkpoint"):
            read(tmp_path / "x")
    with pytest.raises(CheckpointError, match="No such file"):
        read_header(tmp_path / "y")
    with pytest.raises(FileWriteError, match="no folder"):
        Journal.create(tmp_path / "no" / "folder", {})
