"""The JSON of a run: what is in it, and how runs of single cases are put together."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("ok", "absent", "unsupported", "failed")
_NEAR = 1e-6  # of log-likelihood per row: as good as the target
_CASE = ("name", "kind", "n_rows", "n_features", "n_components", "structure", "rows", "date")
_ROW = {
    "passes": ("pass_best_s", "pass_median_s", "setup_s", "total_s", "memory_mb", "score", "target", "reached"),
    "predict": ("best_s", "median_s", "memory_mb", "error"),
    "select": ("best_s", "median_s", "best", "bic"),
    "startup": ("what", "best_s", "median_s"),
}


def check(results: dict[str, Any]) -> dict[str, Any]:
    """Return results unchanged if they have every field that tables need.

    Raises
    ------
    ValueError
        That names the first field which is not there.
    """
    if results.get("schema") != SCHEMA:
        raise ValueError(f"schema {results.get('schema')!r}: expected {SCHEMA}; measure again")
    _require(results, ("machine", "cases", "quick"), "results")
    for case in results["cases"]:
        _require(case, _CASE, f"case {case.get('name')!r}")
        for row in case["rows"]:
            where = f"{case['name']}, {row.get('rival')!r}"
            _require(row, ("rival", "status", "reason", "remark"), where)
            if row["status"] not in STATUSES:
                raise ValueError(f"{where}: status {row['status']!r}, expected one of {', '.join(STATUSES)}")
            if row["status"] == "ok":
                _require(row, _ROW[case["kind"]], where)
    return results


def update(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return `old` with whole cases of `new` in place of its own, so that rows compared come from one run.

    Rivals that make but a few passes are measured apart: rows of them stay, or are put beside the others, and say so.

    Raises
    ------
    ValueError
        When the two come from different machines, or one is quick.
    """
    if old["quick"] != new["quick"]:
        raise ValueError("quick and full measurements do not belong in one file")
    for fact in ("processor", "cores", "threads"):
        if old["machine"][fact] != new["machine"][fact]:
            raise ValueError(f"measured on another machine: {fact} {old['machine'][fact]!r}, {new['machine'][fact]!r}")
    fresh = {case["name"]: case for case in new["cases"]}
    kept = [_renewed(case, fresh.pop(case["name"], case)) for case in old["cases"]]
    apart = all(row.get("apart") for case in new["cases"] for row in case["rows"])
    return (old if apart else new) | {"cases": [*kept, *fresh.values()]}


def _renewed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    measured = {row["rival"] for row in new["rows"]}
    apart = [row for row in new["rows"] if row.get("apart")]
    base = old if len(apart) == len(new["rows"]) else new
    kept = [row for row in old["rows"] if row["rival"] not in measured and (base is old or row.get("apart"))]
    rows = [*(row for row in new["rows"] if not row.get("apart")), *kept, *apart]
    if old["kind"] == "passes":
        find_target(rows, old["passes"])
    return base | {"rows": rows}


def find_target(rows: Sequence[dict[str, Any]], passes: int) -> None:
    """Add to the rows the target, and who reached it: those who made all `passes` from the given start set it."""
    whole = [row for row in rows if row["status"] == "ok" and row.get("passes", passes) == passes]
    given = [row["score"] for row in whole if row["score"] is not None and row.get("given_start", True)]
    target = statistics.median(given) if given else None
    for row in rows:
        if row["status"] == "ok":
            score = row["score"]
            reached = row in whole and score is not None and target is not None and score >= target - _NEAR
            row |= {"target": target, "reached": reached}


def read(path: Path) -> dict[str, Any]:
    """Return checked results from a file."""
    return check(json.loads(path.read_text()))


def write(results: dict[str, Any], path: Path) -> None:
    """Write checked results to a file."""
    path.write_text(json.dumps(check(results), indent=1) + "\n")


def _require(found: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{where}: no {', '.join(missing)}; measure again")
