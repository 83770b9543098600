"""Named arrays and a JSON header <-> one safetensors file: atomic, durable, and nothing in it is executed.

A safetensors file is an 8-byte little-endian length, that many bytes of JSON which give every array's dtype,
shape and place, and then the arrays. gaussmix keeps its own header as JSON text under one key of the format's
`__metadata__`. A file may come from anywhere, so `read` believes none of it: what the JSON says is checked
against the size of the file in plain Python before the safetensors library sees it.
"""

from __future__ import annotations

import difflib
import io
import itertools
import json
import math
import os
import stat
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from reprlib import repr as shown
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gaussmix.durable import replace
from gaussmix.errors import ModelFileError, ParameterError

FORMAT = "gaussmix"
FORMAT_VERSION = 1

_METADATA = "__metadata__"
_OWN_FIELDS = ("format", "format_version", "kind")
_PREFIX_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
_MAX_ARRAY_BYTES = 2**62  # NumPy's limit also holds for arrays without elements, whose shape can be anything
_MAX_DIMENSIONS = 4
_MAX_NAMES = 10_000  # of a folder searched for a misspelt name
_ITEM_BYTES = 8
_DTYPES = {"F64": np.dtype(np.float64), "I64": np.dtype(np.int64)}
_AGAIN = "write it again, or fetch another copy"


def release() -> str:
    """Return the version that writes; the sources may be used without being installed."""
    try:
        return version("gaussmix")
    except PackageNotFoundError:
        return "not installed"


class _RefusedError(Exception):
    """Why a file is not read; `read` adds the file's name."""


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], *, kind: str
) -> None:
    """Write `arrays` and `header` as one file that is, even after a crash, wholly the old or wholly the new.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the target's place
    in one step. Whatever goes wrong, an interrupt included, the temporary file is removed and an existing
    target keeps its content. A symbolic link is followed.

    Parameters
    ----------
    path : path
        The file to create or replace.
    arrays : mapping from name to array
        float64 or int64 arrays of at most 4 dimensions.
    header : mapping
        JSON values by name; `format`, `format_version` and `kind` are added here.
    kind : str
        What the file is, such as "model"; `read` asks for it.

    Raises
    ------
    ParameterError
        If an array or a header value is of a type that the file cannot hold.
    FileWriteError
        If the folder is missing, not writable or full.
    """
    replace(path, encode(arrays, header, kind=kind))


def read(path: str | os.PathLike[str], *, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write` wrote, to the bit, or refuse the file before anything is allocated by its word.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What the file must be, such as "model".

    Returns
    -------
    arrays : dict from name to array
        float64 and int64 arrays, read-only.
    header : dict
        The JSON values given to `write`, with `format`, `format_version` and `kind`.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is no gaussmix file of this kind, damaged, or from a newer release.
    """
    place = Path(path)
    try:
        with _opened(place) as file:
            content, header = _checked(file, os.fstat(file.fileno()).st_size, kind)
        return _arrays(content), header
    except _RefusedError as refusal:
        raise ModelFileError(f"cannot read {place} as a gaussmix {kind}: {refusal}") from refusal.__cause__
    except OSError as error:
        message = f"cannot read {place}: {error.strerror or error}; check the path and its permissions"
        raise ModelFileError(message) from error


def encode(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], *, kind: str) -> bytes:
    """Return what `write` would write, as bytes.

    Raises
    ------
    ParameterError
        If an array or a header value is of a type that the file cannot hold.
    """
    from safetensors.numpy import save

    for name, array in arrays.items():
        _check_storable(name, array)
    # The library writes memory as it lies, so views and transposes are laid out first.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(contiguous, metadata={FORMAT: _header_text(header, kind)})


def _check_storable(name: str, array: NDArray[Any]) -> None:
    if name == _METADATA:
        raise ParameterError(
            f"an array cannot be named {_METADATA!r}, which the file format keeps for itself; rename it"
        )
    if array.dtype not in _DTYPES.values() or array.ndim > _MAX_DIMENSIONS:
        raise ParameterError(
            f"array {name!r} has dtype {array.dtype} and {array.ndim} dimensions; a gaussmix file holds "
            f"float64 and int64 arrays of at most {_MAX_DIMENSIONS} dimensions, so convert it first"
        )


def _header_text(header: Mapping[str, Any], kind: str) -> str:
    taken = [name for name in _OWN_FIELDS if name in header]
    if taken:
        raise ParameterError(f"the header fields {taken} are set by the file format; give these values other names")
    try:
        return json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind, **header}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"the header cannot be written as JSON ({error}); give strings, finite numbers, lists and dicts "
            "only, and put anything else among the arrays"
        ) from error


def _opened(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _RefusedError(f"there is no such file{_suggestion(path)}") from error
    except ValueError as error:
        raise _RefusedError(f"this is no file name ({error}); check the path") from error
    if stat.S_ISDIR(mode):
        raise _RefusedError("it is a folder; give the name of a file in it")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        raise _RefusedError("it is not a regular file; save it to disk first")
    return path.open("rb")


def _suggestion(path: Path) -> str:
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MAX_NAMES)]
    except OSError:
        return f", and no folder {path.parent} that could be looked into; check the path"
    close = difflib.get_close_matches(path.name, names)
    return f"; did you mean {' or '.join(close)}?" if close else f" in {path.parent.absolute()}; check the name"


def decode(content: bytes, *, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the header that `encode` made bytes of.

    Raises
    ------
    ModelFileError
        If they are damaged.
    """
    try:
        content, header = _checked(io.BytesIO(content), len(content), kind)
        return _arrays(content), header
    except _RefusedError as refusal:
        raise ModelFileError(f"cannot read a gaussmix {kind}: {refusal}") from refusal


def _checked(file: BinaryIO, size: int, kind: str) -> tuple[bytes, dict[str, Any]]:
    """Return the whole content of `file`, and its gaussmix header, once both are known to be sound."""
    prefix = file.read(_PREFIX_BYTES)
    length = _header_length(prefix, size)
    raw = file.read(length)
    entries = _mapping(_parse(_decode(raw), "its safetensors header"), "its safetensors header")
    header = _gaussmix_header(entries.pop(_METADATA, None), kind)
    _check_layout([_span(name, entry) for name, entry in entries.items()], size - _PREFIX_BYTES - length)
    return b"".join((prefix, raw, file.read(size - _PREFIX_BYTES - length))), header


def _header_length(prefix: bytes, size: int) -> int:
    if size < _PREFIX_BYTES or len(prefix) < _PREFIX_BYTES:
        raise _RefusedError(f"it has only {size} bytes, too few for a safetensors file; {_AGAIN}")
    length = int.from_bytes(prefix, "little")
    if length > _MAX_HEADER_BYTES:
        raise _RefusedError(
            f"it is not a safetensors file (its first 8 bytes would announce a header of {length} bytes, and "
            f"at most {_MAX_HEADER_BYTES} are accepted); give a file that gaussmix saved"
        )
    if length > size - _PREFIX_BYTES:
        raise _RefusedError(
            f"it is not a safetensors file, or it is truncated: a header of {length} bytes is announced, and "
            f"{size - _PREFIX_BYTES} bytes follow; {_AGAIN}"
        )
    return length


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _RefusedError(
            f"its header is not text, so it is not a safetensors file, or it is damaged; {_AGAIN}"
        ) from error


def _parse(text: str, what: str) -> Any:
    """Parse JSON strictly: repeated keys, NaN, Infinity and nesting beyond Python's stack are refused."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(f"{what} is not JSON ({error}); {_AGAIN}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is repeated")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _RefusedError(f"{what} is {shown(value)} where a JSON object was expected; {_AGAIN}")
    return cast("dict[str, Any]", value)


def _gaussmix_header(metadata: Any, kind: str) -> dict[str, Any]:
    text = _mapping(metadata if metadata is not None else {}, "its metadata").get(FORMAT)
    if text is None:
        raise _RefusedError("it is a safetensors file, but not one of gaussmix; give a file that gaussmix saved")
    if not isinstance(text, str):
        raise _RefusedError(f"its gaussmix header is {shown(text)} where a text was expected; {_AGAIN}")
    header = _mapping(_parse(text, "its gaussmix header"), "its gaussmix header")
    for name, expected in zip(_OWN_FIELDS, (str, int, str), strict=True):
        if type(header.get(name)) is not expected:  # not isinstance: true is no version number
            found = shown(header[name]) if name in header else "missing"
            raise _RefusedError(
                f"its header field {name!r} is {found} where a JSON {_JSON[expected]} was expected; {_AGAIN}"
            )
    _check_identity(header, kind)
    return header


_JSON = {str: "string", int: "integer"}


def _check_identity(header: dict[str, Any], kind: str) -> None:
    version = header["format_version"]
    if header["format"] != FORMAT or version < 1:
        raise _RefusedError(
            f"its header says format {shown(header['format'])}, version {shown(version)}, "
            f"where {FORMAT!r}, version 1 to {FORMAT_VERSION}, was expected; give a file that gaussmix saved"
        )
    if version > FORMAT_VERSION:
        raise _RefusedError(
            f"it has format version {shown(version)}, and this release reads up to {FORMAT_VERSION}; upgrade gaussmix"
        )
    if header["kind"] != kind:
        raise _RefusedError(f"it holds a {shown(header['kind'])}, not a {kind!r}; give a file saved as a {kind}")


def _span(name: str, entry: Any) -> tuple[int, int]:
    """First byte and one past the last of an array, once its entry is known to be consistent in itself."""
    what = f"array {shown(name)}"
    fields = _mapping(entry, f"the entry of {what}")
    if set(fields) != {"dtype", "shape", "data_offsets"}:
        raise _RefusedError(f"{what} is described by {shown(sorted(fields))}, not by dtype, shape, offsets; {_AGAIN}")
    dtype, shape, offsets = fields["dtype"], _naturals(fields["shape"]), _naturals(fields["data_offsets"])
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _RefusedError(f"{what} has dtype {shown(dtype)} where F64 or I64 was expected; {_AGAIN}")
    if shape is None or len(shape) > _MAX_DIMENSIONS or _ITEM_BYTES * _stretch(shape) > _MAX_ARRAY_BYTES:
        raise _RefusedError(
            f"{what} has shape {shown(fields['shape'])} where at most {_MAX_DIMENSIONS} sizes that fit "
            f"into memory were expected; {_AGAIN}"
        )
    if offsets is None or len(offsets) != 2 or offsets[1] - offsets[0] != _ITEM_BYTES * math.prod(shape):
        raise _RefusedError(
            f"{what} of shape {shown(shape)} lies at bytes {shown(fields['data_offsets'])} where "
            f"{shown(_ITEM_BYTES * math.prod(shape))} bytes were expected; {_AGAIN}"
        )
    return offsets[0], offsets[1]


def _naturals(value: Any) -> list[int] | None:
    if not isinstance(value, list):
        return None
    values = cast("list[Any]", value)
    return values if all(type(number) is int and number >= 0 for number in values) else None


def _stretch(shape: list[int]) -> int:
    return math.prod(max(size, 1) for size in shape)


def _check_layout(spans: list[tuple[int, int]], available: int) -> None:
    """The arrays must fill what follows the header exactly, without overlap or hole."""
    reached = 0
    for start, stop in sorted(spans):
        if start != reached:
            raise _RefusedError(f"its arrays overlap or leave a hole at byte {min(start, reached)}; {_AGAIN}")
        reached = stop
    if reached > available:
        raise _RefusedError(f"it is truncated: its arrays need {reached} bytes, and {available} are there; {_AGAIN}")
    if reached < available:
        raise _RefusedError(f"{available - reached} bytes follow its last array, where the file should end; {_AGAIN}")


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except SafetensorError as error:
        raise _RefusedError(f"the safetensors library refuses it ({error}); {_AGAIN}") from error
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
