"""A picture of one or two features in characters, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.regions import region_levels
from gaussmix.errors import ColumnError, ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.reporting.facts import Facts, summarize
from gaussmix.reporting.numerals import measured
from gaussmix.selection.search import Selection

_STYLES = ("bright_blue", "yellow", "green", "magenta", "cyan", "red", "bright_green", "bright_magenta", "bright_cyan")
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyz"
_STEPS = " ▁▂▃▄▅▆▇█"
_ROWS, _MOST_COLUMNS, _LEFT = 16, 72, 12
_SHARES = (0.95, 0.5)
_REACH = 3.2  # standard deviations shown beyond the means


def sketch(
    model: Mixture | FitResult | Selection | Mapping[str, Any],
    features: Sequence[str | int] | None = None,
    *,
    width: int = 80,
    color: bool = False,
) -> str:
    """Draw the density of one feature, or the regions of two, with characters.

    Parameters
    ----------
    model : Mixture, FitResult, Selection or mapping
        What was fitted, or what `summarize` returned.
    features : one or two names or positions, optional
        What to draw; by default the two features that tell the components apart best.
    width : int
        Columns that lines may take, at least 40.
    color : bool
        Whether to use a terminal's colours.

    Returns
    -------
    str
        Of two features every component's sign stands in the region that holds half of the mixture's mass, and dots in
        that which holds 95 %.

    Raises
    ------
    ColumnError
        When a feature is unknown.
    ParameterError
        When they are neither one nor two.
    """
    facts = dict(model) if isinstance(model, Mapping) else summarize(model)
    chosen = _chosen(facts, features)
    columns = min(max(width, 40) - _LEFT - 1, _MOST_COLUMNS)
    lines = _single(facts, chosen[0], columns) if len(chosen) == 1 else _double(facts, chosen, columns)
    return _printed(lines, color)


def _chosen(facts: Facts, features: Sequence[str | int] | None) -> list[int]:
    names: list[str] = facts["features"]
    if features is None:
        order = sorted(range(len(names)), key=lambda i: -(facts["separation"][i] or 0.0))
        return sorted(order[:2])
    if len(features) not in (1, 2):
        raise ParameterError(f"features: expected one or two to draw, found {len(features)}")
    places: list[int] = []
    for feature in features:
        known = feature in names if isinstance(feature, str) else 0 <= feature < len(names)
        if not known:
            raise ColumnError(f"the model has no feature {feature!r}; it has: {', '.join(names[:20])}")
        places.append(names.index(feature) if isinstance(feature, str) else feature)
    return places


Line = list[tuple[str, str]]
"""Stretches of text, each with its style."""


def _single(facts: Facts, feature: int, columns: int) -> list[Line]:
    """Draw a density as columns of eighths, each in the colour of its most probable component."""
    x = _steps(facts, feature, columns)
    means, deviations = _of(facts, feature)
    weights = np.asarray(facts["weights"])[:, None]
    each = weights / deviations[:, None] * np.exp(-0.5 * np.square((x - means[:, None]) / deviations[:, None]))
    heights = each.sum(axis=0) / each.sum(axis=0).max() * (_ROWS // 2) * 8
    styles = [_style(k) for k in each.argmax(axis=0)]
    lines: list[Line] = []
    for row in reversed(range(_ROWS // 2)):
        eighths = np.clip(np.round(heights) - 8 * row, 0, 8).astype(int)
        lines.append([(" " * _LEFT, ""), *((_STEPS[step], style) for step, style in zip(eighths, styles, strict=True))])
    signs = [" "] * columns
    for k, mean in enumerate(means):
        signs[_place(mean, x)] = _sign(k)
    lines.append([(" " * _LEFT, ""), *((sign, _style(_SIGNS.find(sign))) for sign in signs)])
    return [*lines, _ends(facts, feature, x)]


def _double(facts: Facts, features: list[int], columns: int) -> list[Line]:
    x, y = _steps(facts, features[0], columns), _steps(facts, features[1], _ROWS)
    logs = _log_densities(facts, features, x, y)
    density = np.exp(logs - logs.max()).sum(axis=0)
    outer, inner = region_levels(density, _SHARES)
    nearest = logs.argmax(axis=0)
    name = facts["features"][features[1]]
    heads = {0: f"{y[-1]:.4g}", _ROWS - 1: f"{y[0]:.4g}", _ROWS // 2: name}
    lines: list[Line] = []
    for row in range(_ROWS):
        up = _ROWS - 1 - row
        head = heads.get(row, "")[: _LEFT - 2].rjust(_LEFT - 2)
        cells = [
            (_cell(density[up, across], outer, inner, int(nearest[up, across])), _style(int(nearest[up, across])))
            for across in range(columns)
        ]
        lines.append([(f"{head} │", ""), *cells])
    return [*lines, [(" " * (_LEFT - 1) + "└" + "─" * columns, "")], _ends(facts, features[0], x)]


def _cell(density: float, outer: float, inner: float, component: int) -> str:
    return _sign(component) if density >= inner else "·" if density >= outer else " "


def _log_densities(facts: Facts, features: list[int], x: Array, y: Array) -> Array:
    """Log of weight times density of two features (K, rows, columns)."""
    (mx, sx), (my, sy) = (_of(facts, feature) for feature in features)
    covariances = np.asarray(facts["covariances"])[:, features[0], features[1]]
    r = np.clip(covariances / (sx * sy), -1.0 + 1e-9, 1.0 - 1e-9)[:, None, None]
    u = ((x - mx[:, None]) / sx[:, None])[:, None, :]
    v = ((y - my[:, None]) / sy[:, None])[:, :, None]
    constants = np.log(np.asarray(facts["weights"]) / (sx * sy))[:, None, None] - 0.5 * np.log1p(-r * r)
    return constants - 0.5 * (u * u - 2.0 * r * u * v + v * v) / (1.0 - r * r)


def _of(facts: Facts, feature: int) -> tuple[Array, Array]:
    means = np.array([row[feature] for row in facts["means"]])
    return means, np.array([row[feature] for row in facts["standard_deviations"]])


def _steps(facts: Facts, feature: int, count: int) -> Array:
    means, deviations = _of(facts, feature)
    return np.linspace((means - _REACH * deviations).min(), (means + _REACH * deviations).max(), count)


def _place(value: float, x: NDArray[np.float64]) -> int:
    return int(np.abs(x - value).argmin())


def _ends(facts: Facts, feature: int, x: Array) -> Line:
    spread = float(x[-1] - x[0]) / 20.0
    low, high = measured(float(x[0]), spread), measured(float(x[-1]), spread)
    room = max(len(x) - len(low) - len(high), 0)
    return [(" " * _LEFT + low + facts["features"][feature][:room].center(room) + high, "dim")]


def _sign(component: int) -> str:
    return _SIGNS[component] if component < len(_SIGNS) else "+"


def _style(component: int) -> str:
    return _STYLES[component % len(_STYLES)]


def _printed(lines: list[Line], color: bool) -> str:
    if not color:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines) + "\n"
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, width=200, color_system="standard", legacy_windows=False)
    with console.capture() as capture:
        for line in lines:
            console.print(Text.assemble(*line), soft_wrap=True)
    return capture.get()
