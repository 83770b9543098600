"""Facts as text: aligned columns without frames, coloured on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gaussmix.report.facts import Facts, counted

MOST_FEATURES = 30
MOST_CANDIDATES = 10
_BAR = 24
_INDENT = (0, 0, 0, 2)
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
_SHOWN_DIGITS = 12  # more characters than this, and a number is shown with an exponent

Cells = list[str]


def render(facts: Facts, width: int, color: bool) -> str:
    """Return the report as text of lines at most `width` wide; tables that need more are cut into several."""
    console = Console(
        file=StringIO(),
        width=max(width, 40),
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    parts = [
        *_heading(facts),
        *_measures(facts),
        *_components(facts, console.width, color),
        *_candidates(facts, console.width),
        *_grid(facts, console.width),
    ]
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").split("\n")) + "\n"


# What was found


def _heading(facts: Facts) -> list[RenderableType]:
    found = f"{facts['structure']}, {counted(facts['n_components'], 'component')}"
    if facts["candidates"]:
        found += f": best of {counted(len(facts['candidates']), 'candidate')} by {_CRITERIA[facts['criterion']]}"
    lines: list[RenderableType] = [Text(found, "bold"), _said(facts["structure_in_words"])]
    about = facts["data_in_words"] or (
        f"{counted(facts['n_features'], 'feature')}; nothing is known of the data it was fitted to"
    )
    lines.append(_said(about))
    if facts["reason_in_words"] is not None:
        lines.append(_said(facts["reason_in_words"], "" if facts["converged"] else "yellow"))
    return lines


def _said(sentence: str, style: str = "") -> RenderableType:
    return Padding(Text(sentence, style), _INDENT)


def _measures(facts: Facts) -> list[RenderableType]:
    if facts["log_likelihood"] is None:
        return []
    table = _table(["log-likelihood", "parameters", *_CRITERIA_SHOWN, "entropy"])
    table.add_row(
        _fixed(facts["log_likelihood"]),
        f"{facts['n_parameters']:,}",
        *(_fixed(facts[name]) for name in _CRITERIA_NAMES),
        _fixed(facts["entropy"]),
    )
    return [
        Text(),
        _title("Criteria", "lower is better; entropy is 0 where every row is certain of its component"),
        table,
    ]


_CRITERIA_NAMES = ("bic", "icl", "aic", "aicc")
_CRITERIA_SHOWN = tuple(_CRITERIA[name] for name in _CRITERIA_NAMES)


# Components


def _components(facts: Facts, width: int, color: bool) -> list[RenderableType]:
    columns = _component_columns(facts, color)
    chosen, note = _chosen_features(facts)
    values = [_feature_cells(facts, i) for i in chosen]
    names = [facts["features"][i] for i in chosen]
    title = _title("Components", "mean ± standard deviation of each feature")
    upright = [*columns, *zip(names, values, strict=True)]
    if len(chosen) <= 8 and _needed(upright) <= width:
        tables = [_of_columns(upright)]
    else:
        by_component = [(columns[0][1][k], [cells[k] for cells in values]) for k in range(facts["n_components"])]
        tables = [
            _of_columns(columns),
            *_cut(("feature", names), by_component, width),
        ]
    return [Text(), title, *_spaced(tables), *([_note(note)] if note else [])]


def _component_columns(facts: Facts, color: bool) -> list[tuple[str, Cells]]:
    count, weights = facts["n_components"], facts["weights"]
    columns = [("component", [str(k + 1) for k in range(count)]), ("weight", [f"{100 * w:.1f} %" for w in weights])]
    if facts["effective_rows"] is not None:
        columns.append(("rows", [_rows(value) for value in facts["effective_rows"]]))
    elif color:
        columns.append(("", [_bar(w / max(weights)) for w in weights]))
    return columns


def _chosen_features(facts: Facts) -> tuple[list[int], str | None]:
    """Return the features to show: all, or those that tell the components apart most."""
    count = facts["n_features"]
    if count <= MOST_FEATURES:
        return list(range(count)), None
    ranked = sorted(range(count), key=lambda i: -(facts["separation"][i] or 0.0))[:MOST_FEATURES]
    note = f"the {MOST_FEATURES} of {count:,} features that differ most between components; --json lists all"
    return sorted(ranked), note


def _feature_cells(facts: Facts, feature: int) -> Cells:
    means = [row[feature] for row in facts["means"]]
    deviations = [row[feature] for row in facts["standard_deviations"]]
    write = _writer(means, deviations)
    spreads = [write(value) if value * 10 ** _decimals(deviations) >= 0.5 else f"{value:.2g}" for value in deviations]
    size = max(len(text) for text in spreads)
    return [f"{write(mean)} ± {text:<{size}}" for mean, text in zip(means, spreads, strict=True)]


def _decimals(deviations: Sequence[float]) -> int:
    """Return the decimals that give the middle one of some standard deviations three digits."""
    middle = sorted(deviations)[len(deviations) // 2]
    return max(0, 2 - math.floor(math.log10(middle))) if middle > 0.0 else 0


def _writer(means: Sequence[float], deviations: Sequence[float]) -> Callable[[float], str]:
    decimals = _decimals(deviations)
    if max(len(f"{value:.{decimals}f}") for value in (*means, *deviations)) <= _SHOWN_DIGITS:
        return lambda value: f"{value:.{decimals}f}"
    return lambda value: f"{value:.6g}"


# Candidates


def _candidates(facts: Facts, width: int) -> list[RenderableType]:
    ranked: list[dict[str, Any]] = [row for row in facts["candidates"] if row["log_likelihood"] is not None]
    if len(ranked) < 2:
        return []
    by = facts["criterion"]
    shown = ranked[:MOST_CANDIDATES]
    names = [by, *(name for name in ("bic", "icl", "aic") if name != by)]
    heads = ["structure", "components", "parameters", "log-likelihood", *(_CRITERIA[name] for name in names), ""]
    table = _table(heads)
    for place, row in enumerate(shown):
        table.add_row(
            row["structure"],
            str(row["n_components"]),
            f"{row['n_parameters']:,}",
            _fixed(row["log_likelihood"]),
            *(_fixed(row[name]) for name in names),
            _remark(row),
            style="bold green" if place == 0 else "",
        )
    what = "The best candidates" if len(shown) < len(ranked) else "Candidates"
    return [Text(), _title(what, f"by {_CRITERIA[by]}; lower is better"), table]


def _remark(row: dict[str, Any]) -> str:
    return "degenerate" if row["degenerate"] else _PASSED_OVER.get(row["reason"], "")


def _grid(facts: Facts, width: int) -> list[RenderableType]:
    """Return the table of the criterion over structures and numbers of components, as distances from the best."""
    by, rows = facts["criterion"], facts["candidates"]
    counts = sorted({row["n_components"] for row in rows})
    structures = list(dict.fromkeys(row["structure"] for row in sorted(rows, key=_complexity)))
    if len(rows) < 3 or min(len(counts), len(structures)) < 2:
        return []
    cells = {(row["structure"], row["n_components"]): _distance(row, facts[by], by) for row in rows}
    if len(counts) <= 12:
        first = ("", structures)
        columns = [(f"K={k}", [cells.get((s, k), "") for s in structures]) for k in counts]
    else:
        first = ("K", [str(k) for k in counts])
        columns = [(s, [cells.get((s, k), "") for k in counts]) for s in structures]
    title = _title(f"{_CRITERIA[by]} above the best", "lower is better")
    marks = [text for sign, text in _MARKS.items() if any(sign in cell for cell in cells.values())]
    return [Text(), title, *_spaced(_cut(first, columns, width)), *([_note("; ".join(marks))] if marks else [])]


_MARKS = {"*": "* degenerate", "~": "~ stopped before the end", "-": "- no mixture"}


def _complexity(row: dict[str, Any]) -> tuple[int, str]:
    return sum({"I": 0, "E": 1, "V": 4}[letter] * size for letter, size in zip(row["structure"], (1, 2, 3))), row[
        "structure"
    ]


def _distance(row: dict[str, Any], best: float, by: str) -> str:
    value = row[by]
    if value is None:
        return "~ " if row["reason"] in ("pruned", "interrupted") else "- "
    distance = value - best
    mark = "*" if row["degenerate"] else " " if row["reason"] in ("converged", "precision") else "~"
    if abs(distance) >= 1e6:
        return f"{distance:.1e}{mark}"
    return f"{distance:.1f}{mark}" if abs(distance) < 1e3 else f"{distance:.0f}{mark}"


# Numbers and tables


def _fixed(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) < 1e9 else f"{value:.9g}"


def _rows(value: float) -> str:
    return f"{value:,.1f}" if value < 1e6 else f"{value:,.0f}"


def _bar(share: float) -> str:
    return "█" * max(1, round(share * _BAR))


def _title(name: str, remark: str) -> RenderableType:
    return Text.assemble((name, "bold"), (f"  ({remark})", "dim"))


def _note(text: str) -> RenderableType:
    return Padding(Text(text, "dim"), _INDENT)


def _table(heads: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim", show_edge=False, pad_edge=True)
    for place, head in enumerate(heads):
        left = head in ("structure", "feature", "") or (place == 0 and head != "K" and head != "component")
        table.add_column(Text(head), justify="left" if left else "right", no_wrap=True)
    return table


def _of_columns(columns: Sequence[tuple[str, Cells]]) -> Table:
    table = _table([head for head, _ in columns])
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _needed(columns: Sequence[tuple[str, Cells]]) -> int:
    return sum(2 + max(len(text) for text in (head, *cells)) for head, cells in columns)


def _cut(first: tuple[str, Cells], columns: Sequence[tuple[str, Cells]], width: int) -> list[Table]:
    """Return tables that all begin with the first column and together hold the others, none wider than `width`."""
    tables: list[Table] = []
    group = [first]
    for column in columns:
        if len(group) > 1 and _needed([*group, column]) > width:
            tables.append(_of_columns(group))
            group = [first]
        group.append(column)
    return [*tables, _of_columns(group)]


def _spaced(tables: Sequence[Table]) -> list[RenderableType]:
    return [part for place, table in enumerate(tables) for part in ([Text(), table] if place else [table])]
