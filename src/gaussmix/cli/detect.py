"""`gaussmix detect`: the rows that a saved model finds least probable, and which features make them so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

import gaussmix as gm
from gaussmix.cli import arguments
from gaussmix.cli.output import Columns, write_json, write_table
from gaussmix.cli.use import Data, Json, Missing, Model, Table, Threads

_USUAL = 0.01


def detect(
    model: Model,
    data: Data,
    contamination: Annotated[
        float | None,
        typer.Option(help=f"Share of these rows to take for outliers (default: {_USUAL}).", metavar="SHARE"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Log density below which a row is an outlier, as found on other rows.", metavar="LOG_DENSITY"
        ),
    ] = None,
    output: Table = None,
    missing: Missing = arguments.Missing.error,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """List the rows that are least probable under a model, and which features make them so.

    Columns: `row`, counting from 0; `log_density`; `share_` and a feature's name, that feature's share of the row's
    squared distance from its component, which sum to 1. --json tells of the threshold and the numbers of rows, and
    lists the outliers unless they are written to a file.

    Columns of the data are matched by name, in any order; others are ignored.
    """
    if contamination is not None and threshold is not None:
        raise typer.BadParameter("the share sets the threshold; give one of the two", param_hint="'--contamination'")
    output = arguments.target(output, "--output", [data, str(model)], table=True)
    mixture, engine = gm.load(model), gm.LocalEngine(threads)
    if threshold is None:
        contamination = _USUAL if contamination is None else contamination
        threshold = gm.density_threshold(mixture, data, contamination, missing=missing.value, engine=engine)
    found = gm.iterate_outliers(mixture, data, threshold, missing=missing.value, engine=engine)
    names = [f"share_{name}" for name in gm.summarize(mixture)["features"]]
    if not as_json:
        write_table(_pieces(found, names), output)
        return
    tally = _Tally()
    document: dict[str, Any] = {
        "model": str(model),
        "data": data,
        "contamination": contamination,
        "threshold": threshold,
    }
    if output is not None:
        write_table(_pieces(tally.counted(found), names), output)
    else:
        document["outliers"] = [row for piece in _pieces(tally.counted(found), names) for row in _records(piece)]
    write_json(document | {"rows": tally.rows, "n_outliers": tally.outliers})


class _Tally:
    """How many rows and outliers have gone by."""

    def __init__(self) -> None:
        self.rows = self.outliers = 0

    def counted(self, found: Iterable[gm.Outliers]) -> Iterator[gm.Outliers]:
        for piece in found:
            self.rows += piece.n_rows
            self.outliers += len(piece.positions)
            yield piece


def _pieces(found: Iterable[gm.Outliers], names: list[str]) -> Iterator[Columns]:
    for piece in found:
        shares = dict(zip(names, piece.shares.T, strict=True))
        yield {"row": piece.positions, "log_density": piece.log_prob, **shares}


def _records(piece: Columns) -> Iterator[dict[str, Any]]:
    columns = [values.tolist() for values in piece.values()]
    return (dict(zip(piece, row, strict=True)) for row in zip(*columns, strict=True))
