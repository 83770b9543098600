"""The verb of this room: a model, and the rows it is shown with, become a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gaussmix.data.open import columns_for, open_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.portrait import portray
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.reporting.facts import summarize
from gaussmix.reporting.html import write_page
from gaussmix.selection.holding import mixture_of
from gaussmix.selection.search import Selection


def report(
    model: Mixture | FitResult | Selection,
    path: str | Path,
    *,
    data: object = None,
    weights: object = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    facts: Mapping[str, Any] | None = None,
    command: str | None = None,
    title: str | None = None,
    seed: int = 0,
    engine: LocalEngine | None = None,
) -> None:
    """Write one HTML file that tells of a fit to someone who was not there; it needs no network and no server.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted; of a Selection the candidates are shown too.
    path : path
        Where to write; replaced in one step where it exists.
    data : array, dataframe, Arrow table, path or glob, optional
        The rows to show, read twice; without them the report is about the model alone.
    weights : array (N,) or column name, optional
        Row weights.
    features, missing, engine
        As in `predict`.
    facts : mapping, optional
        For a Mixture: what its model file says of the fit, as from `Mixture.load_with_facts`.
    command : str, optional
        What made the fit; composed from what is known of it by default.
    title : str, optional
        What stands above the report; the name of the data by default.
    seed : int
        Of the sample of rows that are drawn as points.

    Raises
    ------
    DataError
        When the rows cannot be used as they are.
    FileWriteError
        When the file cannot be written.
    ParameterError
        When an argument makes no sense, or jinja2 is not installed.
    """
    mixture, told = mixture_of(model), summarize(model, facts)
    portrait = None
    if data is not None:
        if features is not None:
            # Weights may be named too, and are no feature: both have to be looked up in the same table.
            data, weights = open_source(data, features=features, weights=weights, missing=missing), None
        source = columns_for(
            data, mixture.feature_names, n_features=mixture.n_features, weights=weights, missing=missing
        )
        portrait = portray(mixture, source, engine or LocalEngine(), seed=seed)
    write_page(path, mixture, told, portrait, command=command, title=title)
