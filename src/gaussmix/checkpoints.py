"""Checkpoints: what was called, and whether a journal is of that call."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.recording import RecordingEngine
from gaussmix.engine.records import digest
from gaussmix.errors import CheckpointError
from gaussmix.journal import Journal, read_header
from gaussmix.serialization import release

_NOT_OF_THE_CALL = ("data", "engine", "watch", "checkpoint")
_UNWRITTEN = "digest "  # stands before what stands for a value that JSON does not know


@contextmanager
def recorded(verb: str, asked: Mapping[str, Any]) -> Generator[Engine]:
    """Yield the engine of a call; where the call names a checkpoint, one that writes down its passes there.

    Parameters
    ----------
    verb : str
        What was called.
    asked : mapping
        Its arguments by name, `engine`, `checkpoint` and `data` among them.

    Raises
    ------
    CheckpointError
        When the checkpoint is of another call.
    """
    engine: Engine = asked["engine"] or usual_engine(asked["data"])
    path: str | os.PathLike[str] | None = asked["checkpoint"]
    if path is None:
        yield engine
        return
    call = {name: _written(value) for name, value in asked.items() if name not in _NOT_OF_THE_CALL}
    header = {"verb": verb, "call": call, "data": _paths(asked["data"]), "gaussmix": release()}
    with _opened(path, header) as journal:
        yield RecordingEngine(engine, journal)


def call_of(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """Return what a checkpoint was begun with: the verb, and its arguments.

    Raises
    ------
    CheckpointError
        When something among them cannot be told by a file, such as an array.
    """
    header = read_header(path)
    call: dict[str, Any] = {**header["call"], "data": header["data"]}
    untold = [name for name, value in call.items() if isinstance(value, str) and value.startswith(_UNWRITTEN)]
    if header["data"] is None:
        untold.append("data")
    if untold:
        raise CheckpointError(
            f"{path} does not hold {', '.join(untold)}, which had been given as objects; call "
            f"gaussmix.{header['verb']} again with all its arguments and checkpoint={str(path)!r}"
        )
    return header["verb"], call


def _opened(path: str | os.PathLike[str], header: dict[str, Any]) -> Journal:
    if not Path(path).exists():
        return Journal.create(path, header)
    journal = Journal(path)
    try:
        _require_same(path, journal.header, header)
    except BaseException:
        journal.__exit__()
        raise
    return journal


def _require_same(path: str | os.PathLike[str], before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if before["verb"] != now["verb"]:
        raise CheckpointError(f"{path} is of gaussmix.{before['verb']}; this is {now['verb']}: name another file")
    one, two = before["call"], now["call"]
    differing = [
        f"{name} was {one.get(name)!r:.60}, is {two.get(name)!r:.60}"
        for name in dict.fromkeys((*one, *two))
        if one.get(name) != two.get(name)
    ]
    if differing:
        raise CheckpointError(
            f"{path} is of a call with other arguments ({'; '.join(differing)}); give the same, or name another file"
        )
    if before["gaussmix"] != now["gaussmix"]:
        raise CheckpointError(
            f"{path} was written by gaussmix {before['gaussmix']}, and this is {now['gaussmix']}, whose passes may "
            "differ in their last digits; go on with the release that began it, or name another file"
        )


def _paths(data: object) -> str | list[str] | None:
    """Return data as they can be named again, or None."""
    if isinstance(data, str | os.PathLike):
        return str(cast("str | os.PathLike[str]", data))
    if isinstance(data, list) and all(isinstance(each, str | os.PathLike) for each in cast("list[object]", data)):
        return [str(each) for each in cast("list[str | os.PathLike[str]]", data)]
    return None


def _written(value: Any) -> Any:
    """Return an argument as JSON knows it; of what it does not know, a digest."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, range | tuple | list | set | frozenset):
        listed = [_written(each) for each in cast("list[Any]", value)]
        if all(isinstance(each, bool | int | float | str) for each in listed):
            return listed
    return _UNWRITTEN + digest(_plain(value)).hex()


def _plain(value: Any) -> object:
    """Return whatever an argument is made of, so that equal ones have equal digests."""
    mixture = getattr(getattr(value, "best", value), "mixture", value)
    if hasattr(mixture, "centres"):
        spread = mixture.spread.arrays
        return [mixture.weights, mixture.centres, spread, mixture.coordinates, mixture.structure]
    return np.asarray(value) if hasattr(value, "__array__") or isinstance(value, list | tuple) else value
