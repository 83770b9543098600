"""What a report's page computes with: the model's own numbers, counts of all rows, and some of the rows."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, packed_indices
from gaussmix.engine.portrait import CELLS, Portrait
from gaussmix.engine.regions import span, telling
from gaussmix.mixture import Mixture
from gaussmix.reporting.facts import Facts
from gaussmix.reporting.rows import SURE

_MOST_MODEL_BYTES = 800_000
_MOST_POINT_BYTES = 400_000
_MOST_POINTS = 3000
_MOST_JUDGED = 300_000  # densities that the page computes before it first shows something
_OF_CANDIDATE = (
    *("structure", "n_components", "n_parameters", "log_likelihood", "bic", "icl", "aic", "aicc", "heldout"),
    *("reason", "degenerate"),
)
_OF_ROWS = ("weight", "uncertainty", "rarities", "beyond", "quantiles", "threshold")


def features_of_page(mixture: Mixture) -> list[int]:
    """Positions of the features that the page can carry: all, or those that tell the components apart best."""
    for count in range(mixture.n_features, 1, -1):
        size = 8 * (mixture.spread.n_groups * count * (count + 1) // 2 + mixture.n_components * count)
        if size <= _MOST_MODEL_BYTES:
            return telling(mixture, count)
    return telling(mixture, 1)


def document(mixture: Mixture, facts: Facts, rows: Facts | None, portrait: Portrait | None) -> dict[str, Any]:
    """Return what the page reads, as JSON; long arrays are little-endian float64 in base 64.

    Parameters
    ----------
    mixture : Mixture
    facts : dict
        Of the mixture.
    rows : dict or None
        Facts of rows.
    portrait : Portrait or None
        Of the same rows.
    """
    chosen = features_of_page(mixture)
    shown = mixture if len(chosen) == mixture.n_features else mixture.marginal(chosen)
    return {
        "model": _model(shown),
        "features": [facts["features"][i] for i in chosen],
        "criterion": facts["criterion"],
        "candidates": [[row[name] for name in _OF_CANDIDATE] for row in facts["candidates"]],
        "candidate": _OF_CANDIDATE,
        "trace": facts["trace"] or [],
        "starts": [start for start in facts["starts"] or [] if start["objective"] is not None],
        "sure": SURE,
        "rows": rows and {name: rows[name] for name in _OF_ROWS},
        "outliers": [
            {"values": [each["values"][i] for i in chosen], "position": each["row"]} for each in rows["outliers"]
        ]
        if rows
        else [],
        "pictures": _pictures(shown, portrait, chosen),
    }


def _model(mixture: Mixture) -> dict[str, Any]:
    """Return the mixture as it computes itself: shifted, scaled by powers of two, covariances as triangular factors."""
    below = packed_indices(mixture.n_features)
    return {
        "weights": _packed(mixture.weights),
        "origin": _packed(mixture.coordinates.origin),
        "scale": _packed(mixture.coordinates.scale),
        "centres": _packed(mixture.centres),
        "factors": _packed(mixture.spread.triangles()[:, below[0], below[1]]),
        "shared": mixture.spread.n_groups == 1,
    }


def _pictures(mixture: Mixture, portrait: Portrait | None, chosen: Sequence[int]) -> dict[str, Any]:
    """Return ranges, counts and points; `chosen` are the positions, in the whole model, of the page's features."""
    if portrait is None:
        return {"ranges": [span(mixture, i) for i in range(mixture.n_features)], "counted": [], "points": None}
    place = {feature: i for i, feature in enumerate(chosen)}
    counted = [feature for feature in portrait.features if feature in place]
    ranges = [
        portrait.range_of(feature) if feature in portrait.features else span(mixture, place[feature])
        for feature in chosen
    ]
    return {
        "ranges": ranges,
        "counted": [place[feature] for feature in counted],
        "single": _packed(portrait.tally.single[[portrait.features.index(each) for each in counted]].sum(axis=1)),
        "cells": CELLS,
        "double": _packed(portrait.tally.double, np.float32),
        "points": _points(portrait, chosen),
    }


def _points(portrait: Portrait, chosen: Sequence[int]) -> dict[str, Any]:
    most = min(_MOST_POINTS, _MOST_POINT_BYTES // (8 * len(chosen)), _MOST_JUDGED // portrait.mixture.n_components)
    keep = np.sort(np.argsort(portrait.summary.keys, kind="stable")[:most])
    return {
        "rows": _packed(portrait.summary.sample[keep][:, list(chosen)]),
        "positions": portrait.summary.positions[keep].tolist(),
        "all": len(keep) == portrait.summary.n_rows,
    }


def _packed(array: Array | NDArray[Any], kind: type[np.floating] = np.float64) -> str:
    return b64encode(np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<")).tobytes()).decode()
