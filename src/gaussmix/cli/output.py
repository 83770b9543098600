"""What is written: answers on standard output, tables in files that appear whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import gaussmix as gm
from gaussmix.cli.terminal import DONE, Ended

Columns: TypeAlias = dict[str, Any]
"""Arrays (rows,) by column name."""

PIPED_WIDTH = 100


def write_text(text: str) -> None:
    """Write to standard output; a reader who has seen enough, such as head, is no error."""
    _write_bytes(text.encode(sys.stdout.encoding or "utf-8", errors="replace"))


def write_json(document: Any) -> None:
    """Write one JSON document, indented for the eye on a terminal."""
    write_text(json.dumps(document, indent=2 if sys.stdout.isatty() else None, allow_nan=False) + "\n")


def write_report(facts: dict[str, Any]) -> None:
    """Write a report as wide as the terminal, plain where there is none."""
    width, color = _terminal()
    write_text(gm.report_text(facts, width=width, color=color))


def sketched(facts: dict[str, Any], features: list[str] | None) -> str:
    """Return a picture of one or two features: on a terminal always, elsewhere only where they are named."""
    width, color = _terminal()
    if features is None and not sys.stdout.isatty():
        return ""
    return "\n" + gm.sketch(facts, features, width=width, color=color)


def _terminal() -> tuple[int, bool]:
    """Return how wide lines may be, and whether there are colours."""
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if on_terminal else PIPED_WIDTH
    plain = os.environ.get("NO_COLOR", "") != "" or os.environ.get("TERM") == "dumb"
    return width, on_terminal and not plain


def write_forecast(forecast: gm.Forecast, as_json: bool) -> None:
    """Write what a fit would ask of the machine."""
    if as_json:
        write_json(forecast.summary())
        return
    names, reads = forecast.feature_names, forecast.full_reads
    lines = {
        "data": forecast.data,
        "rows": "known once they are read" if forecast.n_rows is None else f"{forecast.n_rows:,}",
        "columns": f"{forecast.n_features}" + ("" if names is None else f" ({', '.join(names)})"),
        "candidates": f"{forecast.candidates:,}",
        "a pass reads": "as much as there is" if forecast.read_bytes is None else _size(forecast.read_bytes),
        "and leaves behind": f"{_size(forecast.statistics_bytes)} (statistics of the largest mixture)",
        "reads of all rows": "as many as EM makes passes" if reads is None else f"about {reads}; samples do the rest",
        "memory": f"about {_size(forecast.memory_bytes)} at most",
    }
    write_text("".join(f"{name:<19}{value}\n" for name, value in lines.items()))


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes} bytes"


def write_table(pieces: Iterable[Columns], path: Path | None) -> None:
    """Write a table piece by piece: CSV or Parquet by the file's name, CSV to standard output without one.

    Raises
    ------
    FileWriteError
        When the file cannot be written; what was there before is left untouched.
    """
    if path is None:
        for piece in _csv(_batches(pieces)):
            _write_bytes(piece)
        return
    with _replacing(path) as temporary:
        write = _write_parquet if path.suffix.lower() == ".parquet" else _write_csv
        write(_batches(pieces), temporary)


def prediction_pieces(parts: Iterable[tuple[int, gm.Assignments]]) -> Iterator[Columns]:
    """Name the columns of predictions; `label` counts from 0 as in Python, `p1` is the first component."""
    for _, scores in parts:
        shares = {f"p{k + 1}": scores.responsibilities[:, k] for k in range(scores.responsibilities.shape[1])}
        yield {"label": scores.labels, **shares, "uncertainty": scores.uncertainty, "log_density": scores.log_prob}


def _batches(pieces: Iterable[Columns]) -> Iterator[Any]:
    import pyarrow as pa

    for columns in pieces:
        # NaN stands for rows that were left out, which a file shows as empty.
        arrays = [pa.array(values, from_pandas=True) for values in columns.values()]
        yield pa.record_batch(arrays, names=list(columns))


def _write_csv(batches: Iterator[Any], path: Path) -> None:
    with path.open("wb") as file:
        for piece in _csv(batches):
            file.write(piece)


def _write_parquet(batches: Iterator[Any], path: Path) -> None:
    from pyarrow import parquet

    first = next(batches)
    with parquet.ParquetWriter(str(path), first.schema) as writer:
        writer.write(first)
        for batch in batches:
            writer.write(batch)


def _csv(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield a CSV file in pieces, the first of them once there is something to write."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    # Arrow would put every name and every word in quotes.
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    for place, batch in enumerate(batches):
        if place == 0:
            header = io.StringIO()
            csv.writer(header, lineterminator="\n").writerow(batch.schema.names)
            yield header.getvalue().encode()
        buffer = pa.BufferOutputStream()
        arrow_csv.write_csv(batch, buffer, options)
        yield buffer.getvalue()


@contextmanager
def _replacing(path: Path) -> Generator[Path]:
    """Yield the name of a temporary file beside `path`, which replaces it at the end, or vanishes on any exception."""
    temporary = path.with_name(f".gaussmix-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise gm.errors.FileWriteError(
            f"cannot write {path}: {error.strerror or error}; free some space, or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _write_bytes(content: Any) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes once more at exit, and would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Ended(DONE) from None
