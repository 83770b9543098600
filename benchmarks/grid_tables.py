"""The table of sixty problems, in a marked section of a document."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.problems import Problem, named
from benchmarks.render import seconds

BEGIN, END = "<!-- grid: begin -->", "<!-- grid: end -->"
NEAR = 1e-6
"""Log-likelihood per row up to which two optima are as good as each other."""
_WANTED = 20  # times as fast as the restarts, in the median
_RIVALS = ("scikit-learn", "mclust")

Row = dict[str, Any]


def render(path: Path, found: dict[str, Any]) -> None:
    """Rewrite the marked section of a document.

    Raises
    ------
    ValueError
        When the marks are not there.
    """
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"expected one {BEGIN} and, after it, one {END}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(before + BEGIN + "\n\n" + tables(found) + "\n\n" + END + after)


def tables(found: dict[str, Any]) -> str:
    """Return everything between the marks."""
    m = found["machine"]
    measured = [
        (problem, rows)
        for problem in named([])
        if {"gaussmix", *_RIVALS} <= (rows := found["problems"].get(problem.name, {})).keys()
    ]
    head = (
        f"Measured on {m['date']}: {m['processor']}, {m['cores']} cores, {m['threads']} threads, {m['memory_gb']:.0f} "
        f"GB, {m['system']}, Python {m['python']}, NumPy {m['numpy']}. "
        "Rows say where the time allowed fewer than ten restarts. "
        f"Others held {_busy(measured)} of the machine when measurements began."
    )
    lines = [
        "| N x D, K, overlap, weights | least rows | gaussmix: per row | time | marked | scikit-learn: better by | "
        "marked | time | times ours | mclust: better by | time |",
        "|---" * 11 + "|",
        *(_line(problem, rows) for problem, rows in measured),
    ]
    return "\n\n".join([head, _outcome(measured), "\n".join(lines), _versions(measured)])


def lead(rows: dict[str, Row], rival: str, n_rows: int) -> float | None:
    """Return by how much per row gaussmix ends above the best unmarked fit of a rival; None where that has none."""
    ours, theirs = rows["gaussmix"], rows[rival]
    if ours["status"] != "ok" or theirs["status"] != "ok":
        return None
    sane = [fit["log_likelihood"] for fit in theirs["fits"] if not fit["marked"]]
    return (ours["fits"][0]["log_likelihood"] - max(sane)) / n_rows if sane else None


def pace(rows: dict[str, Row], rival: str) -> float | None:
    """Return how many times as long as gaussmix a rival took."""
    ours, theirs = rows["gaussmix"], rows[rival]
    if ours["status"] != "ok" or theirs["status"] != "ok":
        return None
    return theirs["seconds"] / ours["seconds"]


def _outcome(measured: list[tuple[Problem, dict[str, Row]]]) -> str:
    said: list[str] = []
    for rival in _RIVALS:
        leads = [value for problem, rows in measured if (value := lead(rows, rival, problem.n_rows)) is not None]
        paces = [value for _, rows in measured if (value := pace(rows, rival)) is not None]
        if not leads:
            continue
        level = sum(abs(value) <= NEAR for value in leads)
        above, below = sum(value > NEAR for value in leads), sum(value < -NEAR for value in leads)
        said.append(
            f"Against {rival}, on the {len(leads)} problems where it has an unmarked fit: level within 10⁻⁶ per row "
            f"{level}, gaussmix higher {above}, lower {below}; it takes {median(paces):.3g} times as long in the median"
            f" ({sum(value >= _WANTED for value in paces)} of {len(paces)} at least {_WANTED} times)."
        )
    return "\n\n".join(said)


def _line(problem: Problem, rows: dict[str, Row]) -> str:
    p, ours = problem, rows["gaussmix"]
    cells = [f"{p.n_rows:,} x {p.n_features}, {p.n_components}, {p.overlap}, {p.weights}", str(p.counts().min())]
    if ours["status"] != "ok":
        return "| " + " | ".join([*cells, ours["reason"], *[""] * 8]) + " |"
    fit = ours["fits"][0]
    cells += [f"{fit['log_likelihood'] / p.n_rows:.6f}", seconds(ours["seconds"]), "yes" if fit["marked"] else ""]
    cells += _against_scikit_learn(p, rows)
    theirs = rows["mclust"]
    cells += [_lead(p, rows, "mclust"), seconds(theirs["seconds"]) if theirs["status"] == "ok" else ""]
    return "| " + " | ".join(cells) + " |"


def _against_scikit_learn(problem: Problem, rows: dict[str, Row]) -> list[str]:
    theirs, ratio = rows["scikit-learn"], pace(rows, "scikit-learn")
    if theirs["status"] != "ok" or ratio is None:
        return [theirs.get("reason", ""), "", "", ""]
    made, asked = len(theirs["fits"]), theirs["asked"]
    marked = sum(fit["marked"] for fit in theirs["fits"])
    cut = f" ({made} of {asked} restarts)" if made < asked else ""
    more = "> " if made < asked else ""
    return [
        _lead(problem, rows, "scikit-learn"),
        f"{marked} of {made}" if marked else "",
        seconds(theirs["seconds"]) + cut,
        f"{more}{ratio:.3g}",
    ]


def _lead(problem: Problem, rows: dict[str, Row], rival: str) -> str:
    theirs, value = rows[rival], lead(rows, rival, problem.n_rows)
    if value is not None:
        return "level" if abs(value) <= NEAR else f"{value:+.2g}" if value > 0.0 else f"**{value:+.2g}**"
    if theirs["status"] != "ok":
        return theirs["reason"]
    return "all marked" if theirs["fits"] else "no fit"


def _busy(measured: list[tuple[Problem, dict[str, Row]]]) -> str:
    shares = [row["busy_before"] for _, rows in measured for row in rows.values() if "busy_before" in row]
    return f"{100 * median(shares):.0f} % (median)" if shares else "an unknown part"


def _versions(measured: list[tuple[Problem, dict[str, Row]]]) -> str:
    found: dict[str, str] = {}
    for _, rows in measured:
        for row in rows.values():
            found |= row.get("versions", {})
    return "Versions: " + ", ".join(f"{name} {number}" for name, number in sorted(found.items())) + "."
