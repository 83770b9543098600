"""`gaussmix stats`, `merge`, `update`: EM by way of files, one pass at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import gaussmix as gm
from gaussmix.cli import arguments
from gaussmix.cli.output import write_json, write_text
from gaussmix.cli.use import Data, Json, Missing, Model, Threads

Statistics = Annotated[
    Path, typer.Option("-o", "--output", help="Where to write the statistics.", metavar="FILE", show_default=False)
]


def stats(
    model: Model,
    data: Data,
    output: Statistics,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.", metavar="COLUMN")] = None,
    missing: Missing = arguments.Missing.error,
    threads: Threads = None,
) -> None:
    """Collect the statistics of some rows under a model, by which EM updates it.

    Many such files, of different rows and one model, are added up by gaussmix merge, and the sum makes the next model
    by gaussmix update: that is one pass of EM over all rows.
    """
    target = arguments.target(output, "--output", [data, str(model)])
    assert target is not None
    engine = gm.LocalEngine(threads)
    gm.collect(model, data, weights=weight, missing=missing.value, engine=engine).save(target)


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="STATS...", help="Files that gaussmix stats or merge wrote.")],
    output: Statistics,
) -> None:
    """Add up statistics of different rows under one model."""
    target = arguments.target(output, "--output", [str(part) for part in parts])
    assert target is not None
    gm.add_up(parts).save(target)


def update(
    model: Model,
    statistics: Annotated[Path, typer.Argument(metavar="STATS", help="Statistics of all rows under MODEL.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to save the next model.", metavar="MODEL2")],
    as_json: Json = False,
) -> None:
    """Make the next model of EM; print the mean log density of MODEL, by which to tell when to stop."""
    target = arguments.target(output, "--output", [str(model), str(statistics)])
    assert target is not None
    made = gm.update(model, statistics)
    made.save(target)
    if as_json:
        write_json({"model": str(model), "output": str(output), "score": made.score, "n_rows": made.n_rows})
    else:
        write_text(f"{made.score!r}\n")
