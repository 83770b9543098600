"""What passes find out, as named arrays and back; and what they were asked, as one number that stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Moment
from gaussmix.engine.scoring import Appraisal
from gaussmix.engine.summary import Summary
from gaussmix.statistics import Statistics

KINDS = {"Statistics": Statistics, "Appraisal": Appraisal, "Summary": Summary}

Arrays = dict[str, NDArray[Any]]


def pack(result: object) -> tuple[Arrays, dict[str, Any]]:
    """Return a result of a pass, one of `KINDS` or a plain array, as arrays and a header ready for JSON."""
    if isinstance(result, np.ndarray):
        return {"array": cast(Array, result)}, {"result": "array"}
    arrays: Arrays = {}
    words: dict[str, str] = {}
    for field in fields(cast(Any, result)):
        value = getattr(result, field.name)
        if isinstance(value, Coordinates):
            arrays["origin"], arrays["exponents"] = value.origin, value.exponents
        elif isinstance(value, Moment):
            words[field.name] = value.name
        elif value is not None:
            arrays[field.name] = _storable(np.asarray(value))
    return arrays, {"result": type(result).__name__, "words": words}


def unpack(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> Any:
    """Return the result that `pack` made arrays of, to the bit.

    Raises
    ------
    KeyError, TypeError, ValueError
        When they do not fit together.
    """
    if header["result"] == "array":
        return arrays["array"]
    kind = KINDS[header["result"]]
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name == "coordinates":
            values["coordinates"] = Coordinates(arrays["origin"], arrays["exponents"])
        elif field.name in header["words"]:
            values[field.name] = Moment[header["words"][field.name]]
        else:
            array = arrays.get(field.name)
            values[field.name] = None if array is None else _restored(array, str(field.type))
    return kind(**values)


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(np.int64) if array.dtype == np.uint64 else array


def _restored(array: NDArray[Any], declared: str) -> Any:
    if declared in ("float", "int"):
        return array.item()
    return array.view(np.uint64) if "uint64" in declared else array


def digest(*asked: object) -> bytes:
    """Return 32 bytes that are others when something in `asked` is: values, arrays, and data classes of them."""
    found = blake2b(digest_size=32)
    for part in asked:
        _feed(found, part)
    return found.digest()


def _feed(found: Any, value: object) -> None:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(cast("NDArray[Any]", value))
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.tobytes())
    elif isinstance(value, Enum):
        found.update(repr(value).encode())
    elif is_dataclass(value) and not isinstance(value, type):
        found.update(f"<{type(value).__qualname__}".encode())
        for field in fields(value):
            _feed(found, getattr(value, field.name))
        found.update(b">")
    elif isinstance(value, bool | int | float | str | bytes) or value is None:
        found.update(f"{type(value).__name__} {value!r};".encode())
    elif isinstance(value, tuple | list):
        found.update(f"({len(cast('tuple[object, ...]', value))}".encode())
        for each in cast("tuple[object, ...]", value):
            _feed(found, each)
    else:  # kernels and the like: who they are is all there is to know
        found.update(f"{type(value).__module__}.{type(value).__qualname__};".encode())
