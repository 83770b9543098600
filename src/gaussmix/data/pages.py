"""Pages of Parquet files whose values lie as they are: read without a decoder, which would copy them twice more.

Numbers that hardly repeat are written so, but for the first million bytes of a row group, where most writers try a
dictionary. If nothing repeats there, that dictionary has the values as they are, one after the other. What is of
another kind, or not as expected, is left to pyarrow, which also says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.thrift import MalformedError, structure, unsigned

Values = NDArray[np.floating]

_COMPRESSIONS = ("UNCOMPRESSED", "SNAPPY")
_TYPES = {"DOUBLE": np.dtype("<f8"), "FLOAT": np.dtype("<f4")}
_HEADER = 256  # bytes that hold a page's header, and a few more
# Numbers in Parquet's definition, of kinds of pages and of encodings.
_DATA, _DICTIONARY = 0, 2
_PLAIN, _BY_DICTIONARY = 0, (2, 8)


class UnexpectedPageError(Exception):
    """A page is not what it was taken for."""


class _Page(NamedTuple):
    """Its first row and the one past its last, in the row group; its place in the file; its bytes there, and once they
    are decompressed; whether these begin with levels, which say that no value is missing."""

    first: int
    stop: int
    place: int
    size: int
    full: int
    levels: bool


@final
@dataclass(frozen=True, eq=False)
class PlainColumn:
    """The pages at the end of a column's share in a row group, of which all are plain and nothing is missing.

    Parameters
    ----------
    pages : integer array (pages, 6)
        `_Page`s.
    dtype : dtype
        Of the values.
    compressed : bool
        By Snappy.
    """

    pages: NDArray[np.int64]
    dtype: np.dtype[Any]
    compressed: bool

    @property
    def first(self) -> int:
        """The first row that they hold."""
        return int(self.pages[0, 0])

    def values(self, file: FileIO, number: int, scratch: bytearray) -> Values:
        """Return the values of a page; `scratch` is grown where it must be.

        Raises
        ------
        UnexpectedPageError
            When its length is another than that of so many values.
        """
        page = _Page(*self.pages[number].tolist())
        content = _content(file, page, self.compressed, scratch)
        if len(content) != self.dtype.itemsize * (page.stop - page.first):
            raise UnexpectedPageError
        return np.frombuffer(content, self.dtype)


def _content(file: FileIO, page: _Page, compressed: bool, scratch: bytearray) -> memoryview:
    """Return the bytes of a page behind its levels."""
    file.seek(page.place)
    found = _decompressed(file, page, scratch) if compressed else memoryview(file.read(page.size))
    if len(found) != page.full:
        raise UnexpectedPageError
    return found[4 + int.from_bytes(found[:4], "little") :] if page.levels else found


def _decompressed(file: FileIO, page: _Page, scratch: bytearray) -> memoryview:
    if len(scratch) < page.size:
        scratch.extend(bytes(page.size - len(scratch)))
    room = memoryview(scratch)[: page.size]
    if file.readinto(room) != page.size:
        raise UnexpectedPageError
    return memoryview(_snappy().decompress(room, page.full))


@lru_cache(maxsize=1)
def _snappy() -> Any:
    import pyarrow as pa

    return pa.Codec("snappy")


def plain_rows(file: FileIO, columns: Sequence[PlainColumn], first: int, stop: int) -> Iterator[list[Values]]:
    """Yield the values of all columns from row `first` of a row group on, in pieces that end where a page does.

    Raises
    ------
    UnexpectedPageError
        When a page is not what it was taken for.
    """
    scratch = bytearray()
    numbers = [int(np.searchsorted(column.pages[:, 1], first, side="right")) for column in columns]
    held = [column.values(file, number, scratch) for column, number in zip(columns, numbers, strict=True)]
    while first < stop:
        spans = [column.pages[number, :2].tolist() for column, number in zip(columns, numbers, strict=True)]
        end = min(after for _, after in spans)
        yield [values[first - begun : end - begun] for values, (begun, _) in zip(held, spans, strict=True)]
        first = end
        for i, (column, (_, after)) in enumerate(zip(columns, spans, strict=True)):
            if after == first < stop:
                numbers[i] += 1
                held[i] = column.values(file, numbers[i], scratch)


@lru_cache(maxsize=1024)
def plain_pages(path: Path, size: int, changed: int) -> PlainPages:
    """Return what is known of a file of so many bytes, changed at that time, in this process."""
    return PlainPages()


@final
class PlainPages:
    """Where a file has plain pages: looked for once, since headers stand before the pages and are read one by one."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], PlainColumn | None] = {}

    def columns(self, file: FileIO, foot: Any, group: int, positions: Sequence[int]) -> list[PlainColumn] | None:
        """Return the plain pages of some columns in a row group, or None where one of them has none at its end.

        Parameters
        ----------
        file : FileIO
            Read at the pages' headers.
        foot : pyarrow.parquet.FileMetaData
            Of a file without nested columns.
        group, positions
            Which row group, which columns.
        """
        found: list[PlainColumn] = []
        for position in positions:
            if (group, position) not in self._found:
                self._found[group, position] = _plain_column(file, foot, group, position)
            column = self._found[group, position]
            if column is None:
                return None
            found.append(column)
        return found


def _plain_column(file: FileIO, foot: Any, group: int, position: int) -> PlainColumn | None:
    found, schema = foot.row_group(group), foot.schema.column(position)
    chunk, statistics = found.column(position), found.column(position).statistics
    plausible = (
        schema.max_repetition_level == 0
        and schema.max_definition_level <= 1
        and schema.logical_type.type == "NONE"
        and chunk.physical_type in _TYPES
        and chunk.compression in _COMPRESSIONS
        and "PLAIN" in chunk.encodings
        and statistics is not None
        and statistics.has_null_count
        and statistics.null_count == 0
    )
    if not plausible:
        return None
    try:
        pages = _pages(file, chunk, found.num_rows, schema.max_definition_level == 1)
    except (UnexpectedPageError, MalformedError, KeyError, IndexError, TypeError, ValueError, OSError):
        return None  # whatever it is, pyarrow is asked
    if not pages:
        return None
    return PlainColumn(np.array(pages), _TYPES[chunk.physical_type], chunk.compression == "SNAPPY")


def _pages(file: FileIO, chunk: Any, n_rows: int, optional: bool) -> list[_Page]:
    """Return the plain pages behind the last one of another kind."""
    place = chunk.dictionary_page_offset or chunk.data_page_offset
    end = place + chunk.total_compressed_size
    dictionary: _Page | None = None
    indexed: list[_Page] = []
    plain: list[_Page] = []
    row = 0
    while place < end:
        file.seek(place)
        start = file.read(_HEADER)
        header, length = structure(start)
        kind, full, size = header[1], header[2], header[3]
        # Snappy begins with the length of what it holds; were that less, the codec would leave the rest as it was.
        if chunk.compression == "SNAPPY" and unsigned(start, length)[0] != full:
            raise UnexpectedPageError
        place += length
        if kind == _DICTIONARY:
            dictionary = _Page(0, header[7][1], place, size, full, False)
        elif kind == _DATA:
            page = _Page(row, row + header[5][1], place, size, full, optional)
            row = page.stop
            if header[5][2] == _PLAIN:
                plain.append(page)
            elif plain or header[5][2] not in _BY_DICTIONARY:
                plain.clear()
                dictionary = None
            else:
                indexed.append(page)
        else:
            raise UnexpectedPageError
        place += size
    if row != n_rows or place != end:
        raise UnexpectedPageError
    if dictionary is not None and _unrepeated(file, dictionary, indexed, chunk.compression == "SNAPPY"):
        plain.insert(0, dictionary)
    return plain


def _unrepeated(file: FileIO, dictionary: _Page, indexed: Sequence[_Page], compressed: bool) -> bool:
    """Whether some pages say no more than: the values of the dictionary, one after the other."""
    if not indexed or indexed[-1].stop != dictionary.stop:
        return False
    scratch = bytearray()
    contents = ((bytes(_content(file, page, compressed, scratch)), page) for page in indexed)
    return all(_counts_up(indices, page.first, page.stop) for indices, page in contents)


@lru_cache(maxsize=64)  # columns without repetitions have the same indices
def _counts_up(indices: bytes, first: int, stop: int) -> bool:
    """Whether the indices of a page are those from `first` to before `stop`."""
    return np.array_equal(_decoded(indices, stop - first), np.arange(first, stop))


def _decoded(indices: bytes, count: int) -> NDArray[np.int64]:
    """Return `count` indices: their width in bits, then runs of packed ones and of one that is repeated."""
    width, at = indices[0], 1
    runs: list[NDArray[np.int64]] = []
    lacking = count
    while lacking > 0:
        head, at = unsigned(indices, at)
        packed, length = bool(head & 1), head >> 1
        size = length * width if packed else -(-width // 8)
        content = np.frombuffer(indices, np.uint8, size, at)
        if packed:
            bits = np.unpackbits(content, bitorder="little").reshape(8 * length, width)
            runs.append(bits @ (1 << np.arange(width)))
        else:
            runs.append(np.full(min(length, count), int.from_bytes(content.tobytes(), "little")))
        lacking -= len(runs[-1])
        at += size
    return np.concatenate(runs)[:count]
