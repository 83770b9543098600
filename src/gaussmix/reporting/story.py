"""What was found, in sentences, and what should make a reader careful."""

from __future__ import annotations

import math
from typing import Any, TypedDict

from gaussmix.reporting.facts import Facts, counted, shortened
from gaussmix.reporting.numerals import measured, percent

_TINY_SHARE = 0.01
_ROWS_PER_FEATURE = 5.0  # a component with fewer rows for each of its features is called small
_MIXED_UP = 0.15  # of a component's rows, more probably another's: then the two overlap
_ALIKE = 0.85  # Bhattacharyya coefficient from which two components are nearly one
_HEAVY = 3.0  # times as many rare rows as Gaussians would have
_MANY_STARTS = 5
_OF_ONE_KIND = 6  # alerts that are shown
_RARE = 3.0  # minus log10 of the tail probability of a rare row
_EVIDENCE = (
    (2.0, "not worth more than a bare mention"),
    (6.0, "positive"),
    (10.0, "strong"),
    (math.inf, "very strong"),
)
CRITERIA = {"bic": "BIC", "icl": "ICL", "aic": "AIC", "aicc": "AICc", "heldout": "held-out deviance"}
_DEGREES = ((0.35, "about average"), (0.9, "rather"), (1.6, ""), (math.inf, "very"))


class Alert(TypedDict):
    """What should make a reader careful: `level` is "serious" or "careful"."""

    level: str
    title: str
    text: str


def headline(facts: Facts, rows: Facts | None) -> str:
    """Say how many groups there are."""
    groups = counted(facts["n_components"], "group")
    count = rows["n_rows"] if rows else facts["n_rows"]
    return groups if count is None else f"{groups} in {counted(count, 'row')}"


def findings(facts: Facts, rows: Facts | None) -> list[str]:
    """Say what was found: how many groups, how they differ, how sure that is."""
    said = [_shape(facts)]
    if facts["n_components"] > 1:
        said.append(_telling(facts))
    if rows is not None:
        said.append(rows["sureness_in_words"])
    said += [each for each in (_choice(facts), _ending(facts)) if each]
    if rows is not None:
        said.append(rows["outliers_in_words"])
    return said


def components(facts: Facts) -> list[str]:
    """Say of every component how large it is, and how it differs from the whole."""
    weights, means, spreads = facts["weights"], facts["means"], facts["standard_deviations"]
    told: list[str] = []
    middle, units = zip(*(_whole(facts, i) for i in range(facts["n_features"])), strict=True)
    for k in range(facts["n_components"]):
        away = [(means[k][i] - middle[i]) / units[i] if units[i] > 0.0 else 0.0 for i in range(len(middle))]
        ranked = sorted(range(len(away)), key=lambda i: -abs(away[i]))[:4]
        order = [i for i in ranked if abs(away[i]) >= _DEGREES[0][0]] or ranked[:1]
        words = [
            f"{facts['features'][i]} {_degree(away[i])} ({measured(means[k][i], spreads[k][i])})"
            for i in order
            if facts["n_components"] > 1
        ]
        told.append(f"{percent(weights[k])} of the rows" + (f": {', '.join(words)}" if words else ""))
    return told


def alerts(facts: Facts, rows: Facts | None, overlap: list[list[float]]) -> list[Alert]:
    """Return everything that should make a reader careful, the most serious first."""
    found = [
        *_of_the_fit(facts),
        *_of_starts(facts),
        *_of_the_edge(facts),
        *_of_small_components(facts),
        *_of_overlaps(facts, rows, overlap),
        *_of_the_choice(facts),
        *_of_rows(facts, rows),
    ]
    return _shortened(sorted(found, key=lambda each: each["level"] != "serious"))


def _shortened(found: list[Alert]) -> list[Alert]:
    """Leave out what is said many times over: of each kind the first few are enough."""
    kept: list[Alert] = []
    for title in dict.fromkeys(each["title"] for each in found):
        same = [each for each in found if each["title"] == title]
        kept += same[:_OF_ONE_KIND]
        if len(same) > _OF_ONE_KIND:
            kept.append({**same[0], "text": f"The same holds {len(same) - _OF_ONE_KIND:,} more times."})
    return kept


# Sentences


def _shape(facts: Facts) -> str:
    return f"The mixture is {facts['structure']}: {facts['structure_in_words']}."


def _telling(facts: Facts) -> str:
    shares = [share or 0.0 for share in facts["separation"]]
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    best = order[0]
    if shares[best] < 0.1:
        return "No single feature tells the components apart; they differ in how features go together or spread."
    others = [facts["features"][i] for i in order[1:4] if shares[i] > 0.5]
    more = f", then {shortened(others)}" if others else ""
    return (
        f"What tells them apart best is {facts['features'][best]} ({percent(shares[best])} of its variance lies "
        f"between components){more}."
    )


def _choice(facts: Facts) -> str | None:
    gap = _runner_up(facts)
    if gap is None:
        return None
    other, distance = gap
    name = CRITERIA[facts["criterion"]]
    what = f"{other['structure']} with {counted(other['n_components'], 'component')}"
    evidence = ""
    if facts["criterion"] == "bic":
        words = next(words for limit, words in _EVIDENCE if distance < limit)
        evidence = f", evidence that is {words} (Kass & Raftery 1995)"
    return (
        f"Of {counted(len(facts['candidates']), 'candidate')} it has the least {name}; the next is {what}, "
        f"{distance:.1f} above{evidence}."
    )


def _ending(facts: Facts) -> str | None:
    if facts["reason_in_words"] is None:
        return None
    ending = f"The fit {facts['reason_in_words']}"
    certificate = facts["certificate"]
    if certificate is None or certificate["starts"] < 2:
        return f"{ending}."
    starts, reached, next_best = (certificate[name] for name in ("starts", "reached", "runner_up"))
    if reached < 2:
        return f"{ending}; no other of {starts} starts ended there."
    other = "no other optimum was seen" if next_best is None else f"the next best optimum is {next_best:.3g} nats lower"
    return f"{ending}; {reached} of {starts} starts ended there, and {other}."


def _runner_up(facts: Facts) -> tuple[dict[str, Any], float] | None:
    by = facts["criterion"]
    valued = [row for row in facts["candidates"] if row[by] is not None and not row["degenerate"]] if by else []
    if len(valued) < 2:
        return None
    first = valued[0]
    # With one component, equal and variable are one model under two names.
    others = [row for row in valued[1:] if (row["n_parameters"], row[by]) != (first["n_parameters"], first[by])]
    return (others[0], others[0][by] - first[by]) if others else None


def _whole(facts: Facts, feature: int) -> tuple[float, float]:
    """Return the mean and standard deviation of a feature under the whole mixture."""
    weights = facts["weights"]
    means = [row[feature] for row in facts["means"]]
    spreads = [row[feature] for row in facts["standard_deviations"]]
    middle = sum(w * m for w, m in zip(weights, means, strict=True))
    square = sum(w * (s * s + (m - middle) ** 2) for w, m, s in zip(weights, means, spreads, strict=True))
    return middle, math.sqrt(square)


def _degree(away: float) -> str:
    word = next(word for limit, word in _DEGREES if abs(away) < limit)
    side = "" if word == "about average" else "high" if away > 0.0 else "low"
    return " ".join(each for each in (word, side) if each)


# Alerts


def _of_the_fit(facts: Facts) -> list[Alert]:
    found: list[Alert] = []
    if facts["converged"] is False:
        found.append({"level": "serious", "title": "Not converged", "text": f"The fit {facts['reason_in_words']}."})
    if facts["degenerate"]:
        found.append(
            {
                "level": "serious",
                "title": "Degenerate",
                "text": "A component rests on the regularization, or on too few rows, rather than on the data.",
            }
        )
    # The reason has been told of above.
    told = ("not converged", "interrupted")
    others = [message for message in facts["warnings"] if not message.startswith(told)]
    return found + [_warning(message) for message in others]


def _warning(message: str) -> Alert:
    return {"level": "serious", "title": "Warning", "text": f"{message[0].upper()}{message[1:]}."}


def _of_starts(facts: Facts) -> list[Alert]:
    certificate = facts["certificate"]
    if certificate is None or not facts["converged"]:
        return []
    starts = certificate["starts"]
    if starts < _MANY_STARTS or certificate["reached"] > 1:
        return []
    text = (
        f"None of {starts - 1} other starts ended at this optimum; more of them may find a better one "
        "(--effort thorough)."
    )
    return [{"level": "careful", "title": "A lonely optimum", "text": text}]


def _of_the_edge(facts: Facts) -> list[Alert]:
    counts = sorted({row["n_components"] for row in facts["candidates"]})
    if len(counts) < 2 or facts["requested"] not in (counts[0], counts[-1]):
        return []
    last = facts["requested"] == counts[-1]
    if not last and counts[0] == 1:
        return []
    where = f"the {'most' if last else 'fewest'} that were tried"
    cure = f"try {'more' if last else 'fewer'} (-k {counts[0] if last else 1}:{2 * counts[-1] if last else counts[-1]})"
    text = f"{counted(facts['requested'], 'component')} won, {where}; the best number may lie outside: {cure}."
    return [{"level": "serious", "title": "At the edge of the grid", "text": text}]


def _of_small_components(facts: Facts) -> list[Alert]:
    found: list[Alert] = []
    rows = facts["effective_rows"]
    for k, share in enumerate(facts["weights"]):
        few = rows is not None and rows[k] < _ROWS_PER_FEATURE * facts["n_features"]
        if facts["n_components"] > 1 and (few or share < _TINY_SHARE):
            size = percent(share) if rows is None else f"{rows[k]:,.1f} rows ({percent(share)})"
            text = f"Component {k + 1} holds {size}. It may be a handful of odd rows rather than a group; look at them."
            found.append({"level": "careful", "title": "A small component", "text": text})
    return found


def _of_overlaps(facts: Facts, rows: Facts | None, overlap: list[list[float]]) -> list[Alert]:
    found: list[Alert] = []
    count = facts["n_components"]
    for j in range(count):
        for k in range(count):
            share = rows["confusion"][j][k] if rows else 0.0
            if j != k and share > _MIXED_UP:
                text = (
                    f"{percent(share)} of what belongs to component {j + 1} lies where component {k + 1} is more "
                    "probable: labels say little there, probabilities more."
                )
                found.append({"level": "careful", "title": "Overlapping components", "text": text})
            if j < k and overlap[j][k] > _ALIKE:
                text = (
                    f"Components {j + 1} and {k + 1} have nearly the same density (an overlap of {overlap[j][k]:.2f}); "
                    "together they may describe one group that is not Gaussian."
                )
                found.append({"level": "careful", "title": "Nearly one component", "text": text})
    return found


def _of_the_choice(facts: Facts) -> list[Alert]:
    gap = _runner_up(facts)
    if gap is None or facts["criterion"] != "bic" or gap[1] >= _EVIDENCE[0][0]:
        return []
    if gap[0]["n_components"] == facts["requested"]:
        return []
    text = (
        f"{gap[0]['structure']} with {counted(gap[0]['n_components'], 'component')} is only {gap[1]:.2f} BIC behind: "
        "the number of groups is not settled by these rows."
    )
    return [{"level": "careful", "title": "A close second", "text": text}]


def _of_rows(facts: Facts, rows: Facts | None) -> list[Alert]:
    if rows is None:
        return []
    found: list[Alert] = []
    place = rows["rarities"].index(_RARE)
    expected, seen = rows["weight"] * 10.0**-_RARE, rows["beyond"][place]
    if seen > _HEAVY * expected and seen >= 5.0:
        text = (
            f"{seen:,.6g} rows lie outside every component's 99.9 % ellipsoid, where Gaussians would have at most "
            f"{max(expected, 0.1):,.2g}: tails are heavier than Gaussian, or there are outliers."
        )
        found.append({"level": "careful", "title": "Heavy tails", "text": text})
    if facts["n_rows"] is not None and facts["n_rows"] != rows["n_rows"]:
        text = (
            f"The model was fitted to {counted(facts['n_rows'], 'row')}, and this report shows "
            f"{counted(rows['n_rows'], 'row')}: what it says of rows is about the latter."
        )
        found.append({"level": "careful", "title": "Other rows than those of the fit", "text": text})
    return found
