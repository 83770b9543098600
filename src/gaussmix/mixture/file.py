"""A mixture as named arrays and a header, and back: what stands in a model file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gaussmix._linalg import Array
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Covariances, Dense, Diagonal, Scalar, family
from gaussmix.mixture.checks import checked_names

_STORAGES: dict[str, type[Scalar] | type[Diagonal] | type[Dense]] = {
    "scalar": Scalar,
    "diagonal": Diagonal,
    "dense": Dense,
}


class Parts(NamedTuple):
    """What a mixture is made of: means `centres` (K, D) and covariances `spread`, written in `coordinates`."""

    coordinates: Coordinates
    weights: Array
    centres: Array
    spread: Covariances
    structure: str
    feature_names: tuple[str, ...] | None


def to_file(parts: Parts, facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays and the header of a model file."""
    storage = next(name for name, cls in _STORAGES.items() if isinstance(parts.spread, cls))
    header = {
        "structure": parts.structure,
        "storage": storage,
        "feature_names": None if parts.feature_names is None else list(parts.feature_names),
        "facts": dict(facts),
    }
    arrays = {
        "weights": parts.weights,
        "centres": parts.centres,
        "spread": parts.spread.arrays,
        "origin": parts.coordinates.origin,
        "exponents": parts.coordinates.exponents,
    }
    return arrays, header


def from_file(arrays: Mapping[str, Any], header: Mapping[str, Any]) -> Parts:
    """Return the parts that arrays and header of a model file describe.

    Raises
    ------
    KeyError, TypeError, ValueError
        When they do not fit together.
    """
    centres, weights, spread = arrays["centres"], arrays["weights"], arrays["spread"]
    n_components, n_features = centres.shape
    shape = {"scalar": (), "diagonal": (n_features,), "dense": (n_features, n_features)}[header["storage"]]
    for array, expected in (
        (weights, (n_components,)),
        (arrays["origin"], (n_features,)),
        (arrays["exponents"], (n_features,)),
        (spread[:1], (1, *shape)),
    ):
        if array.shape != expected:
            raise ValueError(f"expected an array of shape {expected}, found {array.shape}")
    if len(spread) not in (1, n_components) or not all(np.isfinite(a).all() for a in arrays.values()):
        raise ValueError("values are not finite, or covariances are missing")
    diagonal = np.diagonal(spread, axis1=1, axis2=2) if header["storage"] == "dense" else spread
    if (diagonal <= 0.0).any() or (weights <= 0.0).any() or abs(weights.sum() - 1.0) > 1e-6:
        raise ValueError("weights or variances are not positive, or the weights do not sum to 1")
    if np.abs(arrays["exponents"]).max() > 1000:
        raise ValueError("exponents out of range")
    return Parts(
        Coordinates(arrays["origin"], arrays["exponents"].astype(np.int64)),
        weights,
        centres,
        _STORAGES[header["storage"]](n_features, np.tril(spread) if header["storage"] == "dense" else spread),
        family(header["structure"], n_features).name,
        checked_names(header["feature_names"], n_features),
    )
