"""A report as one HTML file that needs nothing else: neither a network nor a server."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

from gaussmix import durable
from gaussmix.engine.portrait import Portrait
from gaussmix.engine.regions import affinities
from gaussmix.errors import ParameterError
from gaussmix.mixture import Mixture
from gaussmix.reporting import reproduce, story
from gaussmix.reporting.facts import Facts, counted
from gaussmix.reporting.numerals import decimals, fixed, measured, percent, rows_worth, writer
from gaussmix.reporting.page import document, features_of_page
from gaussmix.reporting.rows import facts_of_rows

SCRIPTS = ("numbers", "model", "drawing", "curves", "explorer", "sureness", "outliers", "calculator", "tables", "start")
"""Parts of the page's program, in the order in which they are put together."""

_MOST_LISTED = 40  # features in the table of components
_MOST_CELLS = 4000  # of that table
_MOST_CROSSED = 25  # components that have a table of each against each


def write_page(
    path: str | os.PathLike[str],
    mixture: Mixture,
    facts: Facts,
    portrait: Portrait | None,
    *,
    command: str | None = None,
    title: str | None = None,
) -> None:
    """Write the report.

    Parameters
    ----------
    path : path
        Replaced in one step where it exists.
    mixture : Mixture
    facts : dict
        Of the mixture and its fit, as from `summarize`.
    portrait : Portrait or None
        Of the rows to show.
    command : str, optional
        What made the fit; composed from the facts by default.
    title : str, optional
        What stands above the report; the data's name by default.

    Raises
    ------
    FileWriteError
        When the file cannot be written.
    """
    durable.replace(path, render(mixture, facts, portrait, command=command, title=title).encode())


def render(
    mixture: Mixture, facts: Facts, portrait: Portrait | None, *, command: str | None = None, title: str | None = None
) -> str:
    """Return the report as text; as `write_page`."""
    rows = None if portrait is None else facts_of_rows(portrait, facts)
    overlap: list[list[float]] = affinities(mixture).tolist()
    script, style = _script(), _read("report.css")
    page = document(mixture, facts, rows, portrait)
    return _template().render(
        title=title or f"{facts['data'] or 'A mixture'}",
        facts=facts,
        rows=rows,
        overlap=overlap,
        by=facts["criterion"] if facts["criterion"] in story.CRITERIA and facts["criterion"] in facts else "bic",
        criteria=story.CRITERIA,
        headline=story.headline(facts, rows),
        findings=story.findings(facts, rows),
        told=story.components(facts),
        alerts=story.alerts(facts, rows, overlap),
        listed=_listed(facts),
        crossed=1 < facts["n_components"] <= _MOST_CROSSED,
        left_out=facts["n_features"] - len(features_of_page(mixture)),
        most_candidates=_candidates(facts),
        command=command or reproduce.command(facts),
        call=reproduce.call(facts),
        versions=reproduce.versions(facts),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        script=script,
        style=style,
        policy=_policy(script, style),
        document=_data_block(page),
    )


def _listed(facts: Facts) -> list[dict[str, Any]]:
    """Return the features of the table of components, with their cells: mean and standard deviation."""
    count = facts["n_features"]
    shares = [share or 0.0 for share in facts["separation"]]
    most = min(_MOST_LISTED, max(3, _MOST_CELLS // facts["n_components"]))
    chosen = sorted(sorted(range(count), key=lambda i: -shares[i])[:most])
    found: list[dict[str, Any]] = []
    for i in chosen:
        means = [row[i] for row in facts["means"]]
        spreads = [row[i] for row in facts["standard_deviations"]]
        write = writer(means, spreads)
        small = 0.5 * 10.0 ** -decimals(spreads)
        cells = [
            (mean, write(mean), write(spread) if spread >= small else f"{spread:.2g}")
            for mean, spread in zip(means, spreads, strict=True)
        ]
        found.append({"name": facts["features"][i], "separation": shares[i], "cells": cells})
    return found


def _candidates(facts: Facts) -> list[dict[str, Any]]:
    """Return the candidates with their distance from the best, those without a mixture last."""
    by = facts["criterion"]
    if not facts["candidates"]:
        return []
    best = facts["candidates"][0][by]
    return [{**row, "above": None if row[by] is None else row[by] - best} for row in facts["candidates"]]


def _template() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise ParameterError("a report needs jinja2; pip install 'gaussmix[report]'") from error
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    filters: Any = environment.filters
    filters.update(fixed=fixed, percent=percent, rows=rows_worth, counted=counted, measured=measured)
    return environment.from_string(_read("report.html"))


def _script() -> str:
    parts = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _policy(script: str, style: str) -> str:
    """Return a content policy under which nothing runs or loads but this script and this style."""
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _data_block(page: dict[str, Any]) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(page, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _read(name: str) -> str:
    return (files("gaussmix.reporting") / "page_files" / name).read_text(encoding="utf-8")
