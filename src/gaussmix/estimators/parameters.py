"""scikit-learn's arrays of parameters, in the shapes of its four covariance types, and mixtures: there and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaussmix._linalg import Array, invert_lower
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import FAMILIES, NAMES, Covariances, Dense, Diagonal, Family, Scalar, family
from gaussmix.mixture import Mixture

TYPES = ("full", "tied", "diag", "spherical")
"""scikit-learn's covariance types; each is also a shape in which covariances are written."""

COVARIANCE_TYPES = frozenset({*TYPES, *NAMES, *(name for name in FAMILIES if len(name) == 1)})
"""Every name that an estimator takes."""

_TYPE_OF_FAMILY = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}


class Parameters(NamedTuple):
    """What scikit-learn keeps of a fitted mixture; the last three in the shape of the covariance type."""

    weights: Array
    means: Array
    covariances: Array
    precisions: Array
    precisions_cholesky: Array


def shape_of(covariance_type: str) -> str:
    """Return the one of `TYPES` in whose shape the covariances of a structure are written."""
    return covariance_type if covariance_type in TYPES else _TYPE_OF_FAMILY.get(covariance_type, "full")


def plainest_type(covariance_type: str) -> str:
    """Return the most special of `TYPES` that contains a structure."""
    if covariance_type in TYPES:
        return covariance_type
    if covariance_type == "EEE":
        return "tied"
    if len(covariance_type) == 1 or covariance_type.endswith("II"):
        return "spherical"
    return "diag" if covariance_type.endswith("I") else "full"


def structure_of(covariance_type: str, n_features: int) -> Family:
    """Return the covariance structure that scikit-learn's or mclust's name means."""
    return family(covariance_type, n_features)


def parameters_of(mixture: Mixture, covariance_type: str) -> Parameters:
    """Write a mixture as scikit-learn does; the arrays are the caller's own."""
    shape, k = shape_of(covariance_type), mixture.n_components
    spread = mixture.spread.scaled(mixture.coordinates.scale)
    if shape in ("full", "tied"):
        n_matrices = k if shape == "full" else 1
        roots = np.swapaxes(spread.whiteners(), 1, 2)
        precisions = roots @ np.swapaxes(roots, 1, 2)
        listed = [_repeated(each, n_matrices) for each in (spread.dense(), precisions, roots)]
        if shape == "tied":
            listed = [each[0] for each in listed]
    else:
        variances = _repeated(spread.variances(), k)
        variances = variances[:, 0].copy() if shape == "spherical" else variances
        listed = [variances, 1.0 / variances, 1.0 / np.sqrt(variances)]
    return Parameters(mixture.weights.copy(), mixture.means, *listed)


def mixture_from(
    weights: Array,
    means: Array,
    spread: Covariances,
    covariance_type: str,
    feature_names: tuple[str, ...] | None = None,
) -> Mixture:
    """Return the mixture of given parameters, in user units; nothing is checked."""
    structure = structure_of(covariance_type, means.shape[1])
    identity = Coordinates.identity(means.shape[1])
    return Mixture.within(identity, weights, means, spread, structure.name, feature_names)


def spread_of_covariances(covariances: Array, covariance_type: str, n_features: int) -> Covariances:
    """Return covariances written in the shape of the type as factors.

    Raises
    ------
    numpy.linalg.LinAlgError
        When one is not positive definite.
    """
    shape = shape_of(covariance_type)
    if shape == "spherical":
        return Scalar(n_features, covariances)
    if shape == "diag":
        return Diagonal(n_features, covariances)
    return Dense.from_matrices(covariances if shape == "full" else covariances[None])


def spread_of_precisions(precisions: Array, covariance_type: str, n_features: int) -> Covariances:
    """Return covariances whose precisions are written in the shape of the type.

    A precision U U', with U upper triangular, is that of the covariance with the factor U^-T.

    Raises
    ------
    numpy.linalg.LinAlgError
        When one is not positive definite.
    """
    if shape_of(covariance_type) in ("diag", "spherical"):
        return spread_of_covariances(1.0 / precisions, covariance_type, n_features)
    matrices = precisions if precisions.ndim == 3 else precisions[None]
    upper = np.asarray(np.linalg.cholesky(matrices[:, ::-1, ::-1])[:, ::-1, ::-1], dtype=np.float64)
    return spread_of_roots(upper, covariance_type, n_features)


def spread_of_roots(roots: Array, covariance_type: str, n_features: int) -> Covariances:
    """Return covariances of which scikit-learn's `precisions_cholesky_` is given."""
    if shape_of(covariance_type) in ("diag", "spherical"):
        return spread_of_covariances(roots**-2.0, covariance_type, n_features)
    upper = roots if roots.ndim == 3 else roots[None]
    return Dense(n_features, invert_lower(np.ascontiguousarray(np.swapaxes(upper, 1, 2))))


def _repeated(values: Array, n: int) -> Array:
    """Return the covariances (G, ...) of n components; a shared one is repeated."""
    return np.broadcast_to(values, (n, *values.shape[1:])).copy()
