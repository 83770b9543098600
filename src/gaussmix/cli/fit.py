"""`gaussmix fit`: one mixture, or the best of many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import gaussmix as gm
from gaussmix.cli import arguments
from gaussmix.cli.output import prediction_pieces, write_forecast, write_json, write_report, write_table
from gaussmix.cli.terminal import INTERRUPTED, NOT_CONVERGED, Ended, ended_like_interrupts, progress, say

_MODEL, _ROWS, _RUN, _OUT = "What to fit", "Which rows and columns", "How to fit", "What to write"


def fit(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="A .csv, .parquet, .arrow or .npy file, a folder, or a glob of them."),
    ] = None,
    components: Annotated[
        str,
        typer.Option(
            "-k", "--components", help="Numbers of components: 3, 1:9 or 1,3,5.", metavar="K", rich_help_panel=_MODEL
        ),
    ] = "1:9",
    covariance: Annotated[
        str,
        typer.Option(help="Structures: all, or names such as VVV,EEE.", metavar="NAMES", rich_help_panel=_MODEL),
    ] = "all",
    criterion: Annotated[
        arguments.Criterion, typer.Option(help="By which the best is chosen.", rich_help_panel=_MODEL)
    ] = arguments.Criterion.bic,
    features: Annotated[
        str | None,
        typer.Option(help="Columns to use: a,b (default: all).", metavar="NAMES", rich_help_panel=_ROWS),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of row weights.", metavar="COLUMN", rich_help_panel=_ROWS)
    ] = None,
    weight_kind: Annotated[
        arguments.WeightKind, typer.Option(help="Whether weights count rows or are relative.", rich_help_panel=_ROWS)
    ] = arguments.WeightKind.frequency,
    missing: Annotated[
        arguments.Missing, typer.Option(help="What to do with rows that have missing values.", rich_help_panel=_ROWS)
    ] = arguments.Missing.error,
    seed: Annotated[int, typer.Option(help="Same seed, same bits.", rich_help_panel=_RUN)] = 0,
    starts: Annotated[
        int | None, typer.Option(help="Starts per candidate (default: by --effort).", rich_help_panel=_RUN)
    ] = None,
    effort: Annotated[
        arguments.Effort, typer.Option(help="How much to spend on better optima.", rich_help_panel=_RUN)
    ] = arguments.Effort.default,
    algorithm: Annotated[
        arguments.Algorithm,
        typer.Option(help="EM, by labels (cem), or by drawn labels first (sem).", rich_help_panel=_RUN),
    ] = arguments.Algorithm.em,
    acceleration: Annotated[
        arguments.Acceleration,
        typer.Option(help="How EM leaves out passes where it is slow.", rich_help_panel=_RUN),
    ] = arguments.Acceleration.squarem,
    allow_spurious: Annotated[
        bool, typer.Option("--allow-spurious", help="Let degenerate components win.", rich_help_panel=_RUN)
    ] = False,
    tol: Annotated[float, typer.Option(help="Stop when less is left to gain per row.", rich_help_panel=_RUN)] = 1e-8,
    max_passes: Annotated[int, typer.Option(help="Most passes over the data.", rich_help_panel=_RUN)] = 1000,
    threads: Annotated[int | None, typer.Option(help="Threads (default: all).", rich_help_panel=_RUN)] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="For rows and sums: 500MB, 2GB.", metavar="SIZE", rich_help_panel=_RUN)
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Compute on a Dask cluster: tcp://host:8786.", metavar="ADDRESS", rich_help_panel=_RUN),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read and held, and stop.", rich_help_panel=_RUN)
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Keep every pass in this file; go on from it.", metavar="FILE", rich_help_panel=_RUN),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on from such a file, without DATA.", metavar="FILE", rich_help_panel=_RUN),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 unless the fit converged.", rich_help_panel=_RUN)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where to save the model.", metavar="MODEL", rich_help_panel=_OUT),
    ] = None,
    assign: Annotated[
        Path | None,
        typer.Option(help="Write labels and probabilities of all rows.", metavar="FILE", rich_help_panel=_OUT),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report, one HTML file.", metavar="FILE", rich_help_panel=_OUT)
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the table of candidates.", metavar="FILE", rich_help_panel=_OUT)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON document.", rich_help_panel=_OUT)
    ] = False,
) -> None:
    """Fit a mixture, choosing the number of components and the covariance structure.

    Without -k, one to nine components of every structure are compared by BIC.

    FILE ends in .csv or .parquet. In the file of --assign, `label` counts from 0 as in Python, and is -1 for rows
    that were dropped; `p1` is the probability of the component that the report calls 1.

    With --checkpoint FILE a fit that was broken off, by Ctrl-C, a signal or a power failure, goes on with
    gaussmix fit --resume FILE, and ends with the same bits.
    """
    data = arguments.source(data, resume, context)
    inputs = [] if data is None else [data]
    output = arguments.target(output, "--output", inputs)
    assign = arguments.target(assign, "--assign", inputs, table=True)
    table = arguments.target(table, "--table", inputs, table=True)
    report = arguments.page(report, "--report", inputs)
    engine = gm.LocalEngine(threads, memory_limit) if scheduler is None else gm.DaskEngine(scheduler)
    call: dict[str, Any] = {
        "weights": weight,
        "weight_kind": weight_kind.value,
        "features": arguments.features(features, data or ""),
        "missing": missing.value,
        "n_starts": "auto" if starts is None else starts,
        "effort": effort.value,
        "algorithm": algorithm.value,
        "acceleration": acceleration.value,
        "allow_spurious": allow_spurious,
        "tol": tol,
        "max_passes": max_passes,
        "seed": seed,
        "engine": engine,
        "checkpoint": checkpoint,
    }
    what = arguments.counts(components), _structures(covariance)
    if dry_run and data is not None:
        wanted = {name: call[name] for name in ("weights", "features", "missing", "engine")}
        write_forecast(gm.forecast(data, *what, **wanted), as_json)
        return
    with ended_like_interrupts():
        found = _resumed(resume, engine) if data is None else _found(data, *what, criterion.value, call)
    _write(found, data, call, output, assign, report, table, as_json)
    _last_words(gm.summarize(found), output, resume or checkpoint, strict)


def _write(
    found: gm.FitResult | gm.Selection,
    data: str | None,
    call: dict[str, Any],
    output: Path | None,
    assign: Path | None,
    report: Path | None,
    table: Path | None,
    as_json: bool,
) -> None:
    best = found if isinstance(found, gm.FitResult) else found.best
    facts = gm.summarize(found)
    if output is not None:
        # An interrupted fit has no entropy: null is JSON's word for that.
        kept = {**best.summary(), **dict.fromkeys(("criterion", "candidates", "structures", "counts"))}
        best.mixture.save(output, facts={name: facts.get(name, value) for name, value in kept.items()})
    interrupted = _interrupted(facts)
    options = {name: call[name] for name in ("features", "missing", "engine")}
    if report is not None and not interrupted:
        gm.report(found, report, data=data, weights=call["weights"], **options)
    if assign is not None and not interrupted:
        write_table(prediction_pieces(gm.iterate_predictions(best, data, **options)), assign)
    if table is not None:
        write_table([_table(facts)], table)
    write_json(facts) if as_json else write_report(facts)


def _structures(text: str) -> str | list[str]:
    return "all" if text.strip().lower() == "all" else arguments.words(text, "--covariance")


def _found(
    data: str, counts: list[int], structures: str | list[str], criterion: str, call: dict[str, Any]
) -> gm.FitResult | gm.Selection:
    with progress() as watch:
        if len(counts) == 1 and isinstance(structures, list) and len(structures) == 1:
            return gm.fit(data, counts[0], structures[0], watch=watch, **call)
        return gm.select(data, counts, structures, criterion=criterion, watch=watch, **call)


def _resumed(checkpoint: Path | None, engine: gm.LocalEngine | gm.DaskEngine) -> gm.FitResult | gm.Selection:
    assert checkpoint is not None
    with progress() as watch:
        return gm.resume(checkpoint, engine=engine, watch=watch)


def _interrupted(facts: dict[str, Any]) -> bool:
    return "interrupted" in (facts["reason"], *(row["reason"] for row in facts["candidates"]))


def _table(facts: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the candidates by column; of a single fit, the one that it is."""
    names = ("structure", "n_components", "log_likelihood", "n_parameters", "bic", "icl", "aic", "aicc", "entropy")
    names += ("reason", "degenerate", "passes")
    rows = facts["candidates"] or [facts]
    return {name: [row[name] for row in rows] for name in names}


def _last_words(facts: dict[str, Any], output: Path | None, checkpoint: Path | None, strict: bool) -> None:
    for message in facts["warnings"]:
        say(f"warning: {message}")
    if _interrupted(facts):
        saved = f"the best so far is saved in {output}" if output else "nothing is saved; -o MODEL would save the best"
        if checkpoint is not None:
            saved += f"; gaussmix fit --resume {checkpoint} goes on"
        raise Ended(INTERRUPTED, f"interrupted: {saved}")
    if strict and not facts["converged"]:
        raise Ended(NOT_CONVERGED, "error: --strict, and the fit did not converge; raise --max-passes or --tol")
