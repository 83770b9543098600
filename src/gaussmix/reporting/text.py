"""Facts as text: aligned columns without frames, coloured on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaussmix.covariance import FAMILIES
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.reporting.facts import Facts, counted, summarize
from gaussmix.reporting.layout import GAP, Column, Grid, Part, Sentence, Title, cut, needed, printed
from gaussmix.reporting.numerals import decimals, fixed, rows_worth, writer
from gaussmix.selection.search import Selection

MOST_FEATURES = 30
MOST_CANDIDATES = 10
_LONGEST_BAR, _SHORTEST_BAR = 24, 6
_FEWEST_COLUMNS = 6  # of a candidate: what it is, how well it fits, and a remark
_MOST_COUNTS = 12  # numbers of components side by side
_MARKS = {"*": "* degenerate", "~": "~ stopped before the end", "-": "- no mixture"}
_CRITERIA = {"bic": "BIC", "icl": "ICL", "aic": "AIC", "aicc": "AICc", "heldout": "held-out"}
_PASSED_OVER = {
    "max_passes": "not converged",
    "pruned": "given up early",
    "dropped": "components lost",
    "collapsed": "collapsed",
    "infeasible": "too few rows",
    "interrupted": "interrupted",
    "precision": "limit of precision",
}


def report_text(
    model: Mixture | FitResult | Selection | Mapping[str, Any], *, width: int = 100, color: bool = False
) -> str:
    """Tell of a fit as text, for a terminal or a file.

    Parameters
    ----------
    model : Mixture, FitResult, Selection or mapping
        What was fitted, or what `summarize` returned.
    width : int
        Columns that lines may take, at least 40; tables that need more are cut into several.
    color : bool
        Whether to use a terminal's colours, and bars.
    """
    facts = dict(model) if isinstance(model, Mapping) else summarize(model)
    width = max(width, 40)
    parts = [
        *_heading(facts),
        *_measures(facts, width),
        *_components(facts, width, color),
        *_candidates(facts, width),
        *_grid(facts, width),
    ]
    return printed(parts, width, color)


# What was found


def _heading(facts: Facts) -> list[Part]:
    found = f"{facts['structure']}, {counted(facts['n_components'], 'component')}"
    if facts["candidates"]:
        found += f": best of {counted(len(facts['candidates']), 'candidate')} by {_CRITERIA[facts['criterion']]}"
    lines: list[Part] = [Title(found), Sentence(facts["structure_in_words"])]
    about = facts["data_in_words"] or (
        f"{counted(facts['n_features'], 'feature')}; nothing is known of the data it was fitted to"
    )
    lines.append(Sentence(about))
    if facts["reason_in_words"] is not None:
        lines.append(Sentence(facts["reason_in_words"], "" if facts["converged"] else "yellow"))
    return lines


def _measures(facts: Facts, width: int) -> list[Part]:
    if facts["log_likelihood"] is None:
        return []
    columns = [("parameters", [f"{facts['n_parameters']:,}"])]
    columns += [(_CRITERIA[name], [fixed(facts[name])]) for name in ("bic", "icl", "aic", "aicc")]
    columns.append(("entropy", [fixed(facts["entropy"])]))
    title = Title("Criteria", "lower is better; entropy is 0 where every row is certain")
    return [GAP, title, *cut(("log-likelihood", [fixed(facts["log_likelihood"])]), columns, width)]


# Components


def _components(facts: Facts, width: int, color: bool) -> list[Part]:
    columns = _component_columns(facts)
    chosen, note = _chosen_features(facts)
    cells = [_feature_cells(facts, i) for i in chosen]
    names = [facts["features"][i] for i in chosen]
    upright = [*columns, *zip(names, cells, strict=True)]
    if needed(upright) <= width:
        tables: list[Part] = [Grid(tuple(_with_bars(upright, facts, width) if color else upright))]
    else:
        heads = [f"component {k}" for k in columns[0][1]]
        by_component = [(head, [each[k] for each in cells]) for k, head in enumerate(heads)]
        sizes = _with_bars(columns, facts, width) if color else columns
        tables = [Grid(tuple(sizes)), GAP, *cut(("feature", names), by_component, width)]
    title = Title("Components", "mean ± standard deviation of each feature")
    return [GAP, title, *tables, *([Sentence(note, "dim")] if note else [])]


def _component_columns(facts: Facts) -> list[Column]:
    count, weights = facts["n_components"], facts["weights"]
    columns = [("component", [str(k + 1) for k in range(count)]), ("weight", [f"{100 * w:.1f} %" for w in weights])]
    if facts["effective_rows"] is not None:
        columns.append(("rows", [rows_worth(value) for value in facts["effective_rows"]]))
    return columns


def _with_bars(columns: list[Column], facts: Facts, width: int) -> list[Column]:
    """Put bars for the weights before the columns, as long as there is room for them."""
    room = min(_LONGEST_BAR, width - needed(columns) - 2)
    if room < _SHORTEST_BAR:
        return columns
    largest = max(facts["weights"])
    bars = ["█" * max(1, round(weight / largest * room)) for weight in facts["weights"]]
    return [columns[0], columns[1], ("", bars), *columns[2:]]


def _chosen_features(facts: Facts) -> tuple[list[int], str | None]:
    """Return the features to show: all, or those that tell the components apart most."""
    count = facts["n_features"]
    if count <= MOST_FEATURES:
        return list(range(count)), None
    ranked = sorted(range(count), key=lambda i: -(facts["separation"][i] or 0.0))[:MOST_FEATURES]
    note = f"the {MOST_FEATURES} of {count:,} features that differ most between components; --json lists all"
    return sorted(ranked), note


def _feature_cells(facts: Facts, feature: int) -> list[str]:
    means = [row[feature] for row in facts["means"]]
    deviations = [row[feature] for row in facts["standard_deviations"]]
    write = writer(means, deviations)
    spreads = [write(value) if value * 10 ** decimals(deviations) >= 0.5 else f"{value:.2g}" for value in deviations]
    size = max(len(text) for text in spreads)
    return [f"{write(mean)} ± {text:<{size}}" for mean, text in zip(means, spreads, strict=True)]


# Candidates


def _candidates(facts: Facts, width: int) -> list[Part]:
    ranked: list[dict[str, Any]] = [row for row in facts["candidates"] if row["log_likelihood"] is not None]
    if len(ranked) < 2:
        return []
    by = facts["criterion"]
    shown = ranked[:MOST_CANDIDATES]
    names = [by, *(name for name in ("bic", "icl", "aic") if name != by)]
    columns = [
        ("structure", [row["structure"] for row in shown]),
        ("K", [str(row["n_components"]) for row in shown]),
        ("parameters", [f"{row['n_parameters']:,}" for row in shown]),
        ("log-likelihood", [fixed(row["log_likelihood"]) for row in shown]),
        *((_CRITERIA[name], [fixed(row[name]) for row in shown]) for name in names),
        ("", [_remark(row) for row in shown]),
    ]
    while len(columns) > _FEWEST_COLUMNS and needed(columns) > width:
        del columns[-2]
    what = "The ten best candidates" if len(shown) < len(ranked) else "Candidates"
    return [GAP, Title(what, f"by {_CRITERIA[by]}; lower is better"), Grid(tuple(columns), leader=True)]


def _remark(row: dict[str, Any]) -> str:
    return "degenerate" if row["degenerate"] else _PASSED_OVER.get(row["reason"], "")


def _grid(facts: Facts, width: int) -> list[Part]:
    """Return the criterion over structures and numbers of components, as distances from the best."""
    by, rows = facts["criterion"], facts["candidates"]
    counts = sorted({row["n_components"] for row in rows})
    tried = {row["structure"] for row in rows}
    structures = [name for name in FAMILIES if name in tried]
    if len(rows) < 3 or min(len(counts), len(structures)) < 2:
        return []
    cells = {(row["structure"], row["n_components"]): _distance(row, rows[0][by], by) for row in rows}
    if len(counts) <= _MOST_COUNTS:
        first = ("structure", structures)
        columns = [(f"K={k}", _lined_up([cells.get((s, k), "") for s in structures])) for k in counts]
    else:
        first = ("K", [str(k) for k in counts])
        columns = [(s, _lined_up([cells.get((s, k), "") for k in counts])) for s in structures]
    title = Title(f"{_CRITERIA[by]} above the best", "lower is better")
    marks = [text for sign, text in _MARKS.items() if any(cell.endswith(sign) for cell in cells.values())]
    return [GAP, title, *cut(first, columns, width), *([Sentence("; ".join(marks), "dim")] if marks else [])]


def _distance(row: dict[str, Any], best: float, by: str) -> str:
    value = row[by]
    if value is None:
        return "~" if row["reason"] in ("pruned", "interrupted") else "-"
    distance = value - best
    mark = "*" if row["degenerate"] else "" if row["reason"] in ("converged", "precision") else "~"
    size = abs(distance)
    return (f"{distance:.1e}" if size >= 1e6 else f"{distance:.0f}" if size >= 100.0 else f"{distance:.1f}") + mark


def _lined_up(cells: list[str]) -> list[str]:
    """Give marks a column of their own where there are any."""
    marked = any(cell.endswith(("*", "~")) for cell in cells)
    return [cell if not marked or cell.endswith(("*", "~")) else f"{cell} " for cell in cells]
