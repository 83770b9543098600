"""The part of Thrift's compact protocol in which Parquet writes the headers of its pages."""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, 12


class MalformedError(Exception):
    """The bytes are no such structure, end within it, or hold what a header has not."""


def structure(data: bytes, at: int = 0) -> tuple[dict[int, Any], int]:
    """Return the fields of the structure at `at` by their numbers, and where it ends; of text only that it is there.

    Raises
    ------
    MalformedError
        When there is none.
    """
    fields: dict[int, Any] = {}
    number = 0
    while head := _byte(data, at):
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _signed(data, at)
        fields[number], at = _value(data, at, head & 15)
    return fields, at + 1


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer that is written at `at` in sevens of bits, and where it ends.

    Raises
    ------
    MalformedError
        When the bytes end before.
    """
    value = shift = 0
    while True:
        byte = _byte(data, at)
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _INTEGERS:
        return _signed(data, at)
    if kind == _STRUCT:
        return structure(data, at)
    if kind == _BINARY:
        length, at = unsigned(data, at)
        return None, at + length
    if kind in (_BYTE, _DOUBLE):
        return None, at + (1 if kind == _BYTE else 8)
    raise MalformedError


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise MalformedError
    return data[at]
