"""What is written on the command line -> what the API takes; a mistake ends in exit code 2 before any work."""

from __future__ import annotations

from enum import StrEnum
from glob import glob
from importlib.util import find_spec
from pathlib import Path

import typer

TABLES = (".csv", ".parquet")
PAGES = (".html", ".htm")
MOST_COMPONENTS = 10_000


class Missing(StrEnum):
    """What to do with rows that have missing values."""

    error = "error"
    drop = "drop"


class WeightKind(StrEnum):
    """What weights mean."""

    frequency = "frequency"
    importance = "importance"


class Effort(StrEnum):
    """How much is spent on looking for better optima."""

    quick = "quick"
    default = "default"
    thorough = "thorough"


class Algorithm(StrEnum):
    """How one start climbs."""

    em = "em"
    cem = "cem"
    sem = "sem"


class Acceleration(StrEnum):
    """How passes of EM are left out."""

    squarem = "squarem"
    anderson = "anderson"
    none = "none"


class Criterion(StrEnum):
    """By what the best candidate is chosen."""

    bic = "bic"
    icl = "icl"
    aic = "aic"
    aicc = "aicc"
    heldout = "heldout"


def counts(text: str) -> list[int]:
    """Return the numbers of components in "3", "1:9" or "1,3,5"."""
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        try:
            low, high = int(first), int(last if colon else first)
        except ValueError:
            raise _wrong_counts(text) from None
        if not 1 <= low <= high <= MOST_COMPONENTS:
            raise _wrong_counts(text)
        found += range(low, high + 1)
    return list(dict.fromkeys(found))


def _wrong_counts(text: str) -> typer.BadParameter:
    return typer.BadParameter(
        f"found {text!r}; expected a number (3), a range (1:9) or a list (1,3,5) of numbers of components "
        f"from 1 to {MOST_COMPONENTS}",
        param_hint="'-k'",
    )


def words(text: str, option: str) -> list[str]:
    """Return the words of a list that is separated by commas."""
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        raise typer.BadParameter(f"found {text!r}; expected names separated by commas", param_hint=f"'{option}'")
    return found


def features(text: str | None, data: str) -> list[str | int] | None:
    """Return the names of the columns to use, or their positions where the data are an array without names."""
    if text is None:
        return None
    found = words(text, "--features")
    return [int(word) if data.endswith(".npy") and word.isdecimal() else word for word in found]


_WITH_RESUME = ("resume", "output", "table", "as_json", "threads", "memory_limit", "scheduler", "strict")


def source(data: str | None, resume: Path | None, context: typer.Context) -> str | None:
    """Return DATA, or None where a fit is resumed, whose checkpoint says what it is about."""
    if resume is None:
        if data is None:
            raise typer.BadParameter("missing; name a file, a folder or a glob", param_hint="'DATA'")
        return data
    given = [
        name
        for name in context.params
        if name not in _WITH_RESUME and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        named = ", ".join("DATA" if name == "data" else f"--{name.replace('_', '-')}" for name in sorted(given))
        raise typer.BadParameter(
            f"the checkpoint knows what is fitted, to which rows and how; leave out {named} (rows are labelled by "
            "gaussmix predict)",
            param_hint="'--resume'",
        )
    return None


def target(path: Path | None, option: str, inputs: list[str], *, table: bool = False) -> Path | None:
    """Return where to write, once nothing speaks against it: refusing now is better than after an hour."""
    if path is None:
        return None
    if table and path.suffix.lower() not in TABLES:
        found = f"{path} ends in {path.suffix!r}" if path.suffix else f"{path} has no suffix"
        raise typer.BadParameter(f"{found}; expected {' or '.join(TABLES)}", param_hint=f"'{option}'")
    if path.exists() and not path.is_file() and not path.is_dir():
        raise typer.BadParameter(
            f"{path} is no ordinary file, and would be replaced by one; choose another name", param_hint=f"'{option}'"
        )
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; give the name of a file", param_hint=f"'{option}'")
    if not path.parent.is_dir():
        cure = "create it, or choose another"
        raise typer.BadParameter(f"there is no folder {path.parent}; {cure}", param_hint=f"'{option}'")
    if any(_same(path, found) for each in inputs for found in _files(each)):
        raise typer.BadParameter(f"{path} is also read from; choose another name", param_hint=f"'{option}'")
    return path


def page(path: Path | None, option: str, inputs: list[str]) -> Path | None:
    """Return where to write a report, once nothing speaks against it."""
    if path is None:
        return None
    if path.suffix.lower() not in PAGES:
        raise typer.BadParameter(f"{path} does not end in {' or '.join(PAGES)}", param_hint=f"'{option}'")
    if find_spec("jinja2") is None:
        raise typer.BadParameter("a report needs jinja2; pip install 'gaussmix[report]'", param_hint=f"'{option}'")
    return target(path, option, inputs)


def _files(given: str) -> list[Path]:
    """Return the files that an input stands for: itself, those of a glob, or those in a folder."""
    path = Path(given)
    if path.is_dir():
        return list(path.rglob("*"))
    return [path] if path.exists() else [Path(each) for each in glob(given, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
