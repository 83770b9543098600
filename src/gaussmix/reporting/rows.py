"""The numbers and the sentences about rows: what they are, how sure the mixture is of them, which of them stand out."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from gaussmix.engine.distances import conditional_deviations, quantile, residuals, tail
from gaussmix.engine.portrait import RARITIES, UNCERTAINTY_BINS, Portrait
from gaussmix.engine.quantiles import distance_quantiles
from gaussmix.reporting.facts import Facts, counted, json_ready
from gaussmix.reporting.numerals import measured, percent

SURE = 0.9
"""A row is sure of its component when its responsibility is at least this."""

_SHOWN_OUTLIERS = 50
_REASONS = 3
_QUARTILES = (0.25, 0.5, 0.75)


def facts_of_rows(portrait: Portrait, facts: Facts) -> Facts:
    """Return what there is to tell of rows under a mixture, JSON-ready.

    Parameters
    ----------
    portrait : Portrait
        Of the rows.
    facts : dict
        Of the mixture, as from `summarize`.
    """
    summary, tally = portrait.summary, portrait.tally
    weight, mass = summary.weight, tally.confusion.sum(axis=1)
    sure = tally.uncertainty[:, : round((1.0 - SURE) * UNCERTAINTY_BINS)].sum()
    tails, squares = distance_quantiles(portrait)
    found: dict[str, Any] = {
        "fingerprint": portrait.fingerprint,
        "rows_read": summary.rows_read,
        "n_rows": summary.n_rows,
        "weight": weight,
        "columns": _columns(portrait, facts["features"]),
        "sure": float(sure / weight),
        "expected_hits": float(np.trace(tally.confusion) / weight),
        "uncertainty": tally.uncertainty,
        "confusion": tally.confusion / np.where(mass > 0.0, mass, 1.0)[:, None],
        "rarities": RARITIES,
        "beyond": portrait.beyond,
        "quantiles": {"expected": quantile(tails, portrait.mixture.n_features), "squares": squares, "tails": tails},
        "outliers": _outliers(portrait, facts),
        "threshold": threshold(weight),
    }
    ready = cast(Facts, json_ready(found))
    ready["sureness_in_words"] = _sureness_in_words(ready)
    ready["outliers_in_words"] = _outliers_in_words(ready)
    return ready


def threshold(weight: float) -> float:
    """Return the least rarity on the grid at which a tenth of a row, or less, is to be expected by chance."""
    enough = np.flatnonzero(weight * 10.0**-RARITIES <= 0.1)
    return float(RARITIES[enough[0]] if len(enough) else RARITIES[-1])


def _columns(portrait: Portrait, names: list[str]) -> list[Facts]:
    summary = portrait.summary
    quartiles = np.quantile(summary.sample, _QUARTILES, axis=0)
    return [
        {
            "name": name,
            "mean": summary.means[i],
            "deviation": summary.standard_deviations[i],
            "least": summary.minima[i],
            "quartiles": quartiles[:, i],
            "most": summary.maxima[i],
        }
        for i, name in enumerate(names)
    ]


def _outliers(portrait: Portrait, facts: Facts) -> list[Facts]:
    """Return the rows that a Gaussian would hardly have, with the features that make them so."""
    mixture = portrait.mixture
    outliers = portrait.outliers.taken(np.arange(min(_SHOWN_OUTLIERS, len(portrait.outliers.positions))))
    tails = tail(outliers.squares, mixture.n_features)
    surprises = residuals(mixture, outliers.rows, outliers.components)
    deviations = conditional_deviations(mixture)
    found: list[Facts] = []
    for place, component in enumerate(outliers.components):
        order = np.argsort(-np.abs(surprises[place]), kind="stable")[:_REASONS]
        reasons = [
            {
                "feature": facts["features"][i],
                "value": outliers.rows[place, i],
                "residual": surprises[place, i],
                "expected": outliers.rows[place, i] - surprises[place, i] * deviations[component, i],
                "deviation": deviations[component, i],
            }
            for i in order
        ]
        found.append(
            {
                "row": outliers.positions[place],
                "component": int(component) + 1,
                "square": outliers.squares[place],
                "tail": tails[place],
                "values": outliers.rows[place],
                "reasons": reasons,
                "in_words": [_reason_in_words(each) for each in reasons],
            }
        )
    return found


def _reason_in_words(reason: Facts) -> str:
    """Say how one feature makes a row stand out: what its other values would lead to expect."""
    value, expected = (measured(float(reason[name]), float(reason["deviation"])) for name in ("value", "expected"))
    side = "above" if reason["residual"] > 0.0 else "below"
    return f"{reason['feature']} is {value}, expected {expected} ({abs(reason['residual']):.1f} deviations {side})"


def _sureness_in_words(rows: Facts) -> str:
    if len(rows["confusion"]) == 1:
        return "With a single component there is nothing to be unsure of."
    return (
        f"{percent(rows['sure'])} of the rows have a component that is at least {100 * SURE:.0f} % probable; giving "
        f"each row its most probable component, {percent(1.0 - rows['expected_hits'])} of them are expected wrong."
    )


def _outliers_in_words(rows: Facts) -> str:
    place = rows["rarities"].index(rows["threshold"])
    count = rows["beyond"][place]
    some = "No row lies" if count == 0 else f"{counted(round(count), 'row')} {'lies' if count == 1 else 'lie'}"
    rarity = 10.0 ** rows["threshold"]
    return (
        f"{some} farther out than one in {rarity:,.0f} of every component's own rows, where chance alone would put at "
        f"most {rows['weight'] / rarity:.2g}."
    )
