"""`gaussmix predict`, `score`, `sample`, `show`, `report`: what a saved model is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import gaussmix as gm
from gaussmix.cli import arguments
from gaussmix.cli.output import prediction_pieces, sketched, write_json, write_report, write_table, write_text
from gaussmix.cli.terminal import say

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, as written by gaussmix fit -o.")]
Data = Annotated[str, typer.Argument(metavar="DATA", help="A .csv, .parquet, .arrow or .npy file, or a glob of them.")]
Missing = Annotated[arguments.Missing, typer.Option(help="What to do with rows that have missing values.")]
Threads = Annotated[int | None, typer.Option(help="Threads (default: all).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Table = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="A .csv or .parquet file (default: CSV on stdout).", metavar="FILE"),
]


def predict(
    model: Model,
    data: Data,
    output: Table = None,
    missing: Missing = arguments.Missing.error,
    threads: Threads = None,
) -> None:
    """Say of every row which component it belongs to, and how surely.

    Columns: `label`, counting from 0 as in Python (-1 for rows that were dropped); `p1` to `pK`, the probabilities of
    the components that reports call 1 to K; `uncertainty`, 1 minus the largest of them; `log_density`.

    Columns of the data are matched by name, in any order; others are ignored.
    """
    output = arguments.target(output, "--output", [data, str(model)], table=True)
    engine = gm.LocalEngine(threads)
    parts = gm.iterate_predictions(gm.load(model), data, missing=missing.value, engine=engine)
    write_table(prediction_pieces(parts), output)


def score(
    model: Model,
    data: Data,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.", metavar="COLUMN")] = None,
    missing: Missing = arguments.Missing.error,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Print the mean log density of the rows, per unit of weight."""
    engine = gm.LocalEngine(threads)
    mean = gm.score(gm.load(model), data, weights=weight, missing=missing.value, engine=engine)
    if as_json:
        write_json({"model": str(model), "data": data, "score": mean})
    else:
        write_text(f"{mean!r}\n")


def sample(
    model: Model,
    rows: Annotated[int, typer.Option("-n", "--rows", help="Number of rows.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same rows.", min=0)] = 0,
    output: Table = None,
) -> None:
    """Draw rows from a model."""
    output = arguments.target(output, "--output", [str(model)], table=True)
    mixture = gm.load(model)
    names = gm.summarize(mixture)["features"]
    drawn = mixture.sample(rows, seed)
    write_table([{name: drawn[:, i] for i, name in enumerate(names)}], output)


def show(
    model: Model,
    features: Annotated[
        str | None,
        typer.Option(help="One or two features to draw: a,b (default: those that differ most).", metavar="NAMES"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a model: its components, what is known of its fit, and on a terminal a small picture of two features.

    A picture is also drawn where --features asks for one.
    """
    facts = gm.summarize(*gm.Mixture.load_with_facts(model))
    if as_json:
        write_json(facts)
        return
    chosen = None if features is None else arguments.words(features, "--features")
    picture = sketched(facts, chosen)
    write_report(facts)
    write_text(picture)
    for message in facts["warnings"]:
        say(f"warning: {message}")


def report(
    model: Model,
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write the report, an .html file.", metavar="FILE")
    ],
    features: Annotated[
        str | None,
        typer.Option(help="Columns that are the model's features, where they have no names.", metavar="NAMES"),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.", metavar="COLUMN")] = None,
    missing: Missing = arguments.Missing.error,
    title: Annotated[str | None, typer.Option(help="What stands above it (default: the data).")] = None,
    threads: Threads = None,
) -> None:
    """Write a report of a model and some rows: one HTML file that needs no network, for someone who was not there."""
    target = arguments.page(output, "--output", [data, str(model)])
    assert target is not None
    mixture, facts = gm.Mixture.load_with_facts(model)
    engine = gm.LocalEngine(threads)
    gm.report(
        mixture,
        target,
        data=data,
        weights=weight,
        features=arguments.features(features, data),
        missing=missing.value,
        facts=facts,
        title=title,
        engine=engine,
    )
