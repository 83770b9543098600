"""Tables of results, in the marked section of a document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_UNITS = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "µs"))
# Times as fast as BLAS, which may use half of a register; moments of negligible shares may be left out besides.
_POSSIBLE = 4.0

Row = dict[str, Any]


def document(text: str, results: Sequence[dict[str, Any]]) -> str:
    """Return the document with the tables of `results` between its marks.

    Raises
    ------
    ValueError
        When the marks are not there.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"expected one {BEGIN} and, after it, one {END}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return "\n\n".join([before + BEGIN, *map(tables, results), END + after])


def render(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Rewrite the marked section of a file."""
    path.write_text(document(path.read_text(), results))


def tables(results: dict[str, Any]) -> str:
    """Return the tables of one run."""
    parts = [_machine(results)]
    for kind, make in (("passes", _passes), ("predict", _predict), ("select", _select), ("startup", _startup)):
        parts += [make(case) for case in results["cases"] if case["kind"] == kind]
    return "\n\n".join([*parts, _versions(results)])


def _machine(results: dict[str, Any]) -> str:
    m = results["machine"]
    quick = " **A quick run: the sizes are not those of the names.**" if results["quick"] else ""
    blas = ", ".join(m["blas"])
    return (
        f"Measured on {m['date']}: {m['processor']} ({m['architecture']}), {m['cores']} cores, {m['threads']} threads, "
        f"{m['memory_gb']:.0f} GB, {m['system']}, Python {m['python']}, NumPy {m['numpy']} with {blas}.{quick}"
    )


def _passes(case: dict[str, Any]) -> str:
    head = (
        "| | seconds per pass, best | median | times as fast as scikit-learn | set-up | time to the target | "
        "memory beyond the data | share of the product's speed | log-likelihood per row |"
    )
    passes = case["passes"]
    measured = sorted(_ok(case), key=lambda row: (not _settled(row, passes), row["pass_best_s"]))
    bases = [row["pass_best_s"] for row in measured if row["rival"] == "scikit-learn" and _settled(row, passes)]
    base = bases[0] if bases else None
    told = [_told(row, case) for row in measured]
    # Times of two runs, between which others may have come or gone, make no ratio.
    lines = [_passes_row(row, passes, base if row in measured else None) for row in told]
    condition = f", condition {case['condition']:.0e}" if case["condition"] > 1 else ""
    title = f"{_shape(case)}, {case['structure']}{condition}"
    note = (
        f"{case['passes']} M-steps from one start; the product of NumPy's BLAS ran at {case['product_gflops']:.0f} "
        f"GFLOP/s; others held {_percent(case['busy_before'])} of the machine."
    )
    return _table(title, case, note, head, lines, 8)


def _passes_row(row: Row, passes: int, base: float | None) -> str:
    pace = ["lost in the noise", "", ""]
    setup, share = "", ""
    if _settled(row, passes):
        ratio = f"{base / row['pass_best_s']:.3g}" if base else ""
        pace = [seconds(row["pass_best_s"]), seconds(row["pass_median_s"]), ratio]
        setup = seconds(row["setup_s"]) if row["setup_s"] > 0.0 else "about 0"
        share = _percent(row["share_of_product"])
    reached = seconds(row["total_s"]) if row["reached"] else f"not reached in {seconds(row['total_s'])}"
    if row.get("passes", passes) != passes:
        reached = f"{row['passes']} M-steps in {seconds(row['total_s'])}"
    score = f"{row['score']:.6f}" if row["score"] is not None else f"none: {row['invalid']}"
    return _line(row, [*pace, setup, reached, f"{row['memory_mb']:.0f} MB", share, score])


def _settled(row: Row, passes: int) -> bool:
    """Whether the difference of two runs stands out: positive, possible, repeatable, and no small part of a run."""
    best, median = row["pass_best_s"], row["pass_median_s"]
    if best <= 0.0 or row["share_of_product"] > _POSSIBLE:
        return False
    return abs(median - best) <= 0.5 * best and best * (row.get("passes", passes) - 1) >= 0.1 * row["total_s"]


def _told(row: Row, case: dict[str, Any]) -> Row:
    """Return a row whose remark says where it is of another run than gaussmix's, and how busy the machine was then."""
    ours = next((each for each in case["rows"] if each["rival"] == "gaussmix"), row)
    if not row.get("apart") or row["run"] == ours.get("run"):
        return row
    when = f"{row['run'].split()[0]}, others held {_percent(row.get('busy_before', 0.0))}"
    return row | {"remark": ", ".join(filter(None, (row["remark"], when)))}


def _predict(case: dict[str, Any]) -> str:
    head = "| | best | median | memory beyond the data | largest error of a responsibility |"
    lines = [
        _line(
            row,
            [seconds(row["best_s"]), seconds(row["median_s"]), f"{row['memory_mb']:.0f} MB", f"{row['error']:.1e}"],
        )
        for row in _ranked(case, "best_s")
    ]
    return _table(f"Responsibilities of {_shape(case)}, {case['structure']}", case, "", head, lines, 4)


def _select(case: dict[str, Any]) -> str:
    head = (
        "| | best | median | chosen | BIC (lower is better) | log-likelihoods against mclust's, cell by cell: "
        "equal within 0.001 / better / worse / only here / only mclust |"
    )
    lines: list[str] = []
    for row in _ranked(case, "best_s"):
        c = row.get("against_mclust")
        against = (
            " / ".join(str(c[name]) for name in ("equal", "better", "worse", "only_ours", "only_theirs")) if c else ""
        )
        cells = [seconds(row["best_s"]), seconds(row["median_s"]), row["best"].replace(",", " "), f"{row['bic']:.3f}"]
        lines.append(_line(row, [*cells, against]))
    title = f"14 structures x 1 to 9 components on {case['n_rows']:,} x {case['n_features']}"
    return _table(title, case, "In one warm process each.", head, lines, 5)


def _startup(case: dict[str, Any]) -> str:
    lines = [
        f"| {row['what']} | {row['rival']} | "
        + (
            f"{seconds(row['best_s'])} | {seconds(row['median_s'])} |"
            if row["status"] == "ok"
            else f"{row['reason']} | |"
        )
        for row in case["rows"]
    ]
    head = "| whole process | | best | median |\n|---|---|---|---|"
    return "\n".join(["### From nothing\n", f"`{case['name']}`\n", head, *lines])


def _table(title: str, case: dict[str, Any], note: str, head: str, lines: list[str], columns: int) -> str:
    text = f"`{case['name']}`. {note}".strip()
    return "\n".join(
        [f"### {title}\n", f"{text}\n", head, "|---" * (columns + 1) + "|", *lines, *_others(case, columns)]
    )


def _line(row: Row, cells: list[str]) -> str:
    remark = f" ({row['remark']})" if row["remark"] else ""
    return f"| {row['rival']}{remark} | " + " | ".join(cells) + " |"


def _others(case: dict[str, Any], columns: int) -> list[str]:
    """Return the rows of those that could not be measured, with the reason."""
    left = [_told(row, case) for row in case["rows"] if row["status"] != "ok"]
    names = [f"{row['rival']} ({row['remark']})" if row.get("apart") else row["rival"] for row in left]
    rows = zip(names, left, strict=True)
    return [f"| {name} | {row['reason']} |" + " |" * (columns - 1) for name, row in rows]


def _ok(case: dict[str, Any]) -> list[Row]:
    return [row for row in case["rows"] if row["status"] == "ok"]


def _ranked(case: dict[str, Any], by: str) -> list[Row]:
    return sorted(_ok(case), key=lambda row: row[by])


def _shape(case: dict[str, Any]) -> str:
    return f"{case['n_rows']:,} x {case['n_features']}, K = {case['n_components']}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _versions(results: dict[str, Any]) -> str:
    found: dict[str, str] = {}
    for case in results["cases"]:
        for row in case["rows"]:
            found |= row.get("versions", {})
    return "Versions: " + ", ".join(f"{name} {number}" for name, number in sorted(found.items())) + "."


def seconds(value: float) -> str:
    """Return a time with three digits and a unit."""
    factor, unit = next((factor, unit) for least, factor, unit in _UNITS if abs(value) >= least)
    return f"{value * factor:#.3g}".rstrip(".") + f" {unit}"
