"""The JSON of a run: what is in it, and how runs of single cases are put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("ok", "absent", "unsupported", "failed")
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
    kept = [fresh.pop(case["name"], case) for case in old["cases"]]
    return new | {"cases": [*kept, *fresh.values()]}


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
