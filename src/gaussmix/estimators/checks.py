"""What a user may give a scikit-learn estimator, refused in scikit-learn's own words where it has some."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,  # pyright: ignore[reportPrivateUsage] - what every estimator of scikit-learn calls
    check_array,
)

from gaussmix._linalg import Array
from gaussmix.covariance import Covariances
from gaussmix.errors import DataError, ParameterError
from gaussmix.estimators.parameters import COVARIANCE_TYPES, shape_of, spread_of_covariances, spread_of_precisions

ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)

UNCONVERGED = (
    "Best performing initialization did not converge. Try different init parameters, or increase max_iter, tol, or "
    "check for degenerate data."
)
COLLAPSED = (
    "Best performing initialization did not converge: a covariance became singular, and the parameters before that are "
    "kept. Try to decrease the number of components, increase reg_covar, or scale the input data."
)


NO_SAMPLE = "Invalid value for 'n_samples': {} . The sampling requires at least one sample."
FIRST_BATCH = "; the first batch of partial_fit is what the mixture starts from: give it a row for every component"


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that are fitted (N, D), and their weights (N,) or None."""

    x: NDArray[Any]
    weights: Array | None


PARAMETER_CONSTRAINTS: dict[str, list[Any]] = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
    "tol": [Interval(Real, 0.0, None, closed="left")],
    "reg_covar": [Interval(Real, 0.0, None, closed="left")],
    "max_iter": [Interval(Integral, 0, None, closed="left")],
    "n_init": [Interval(Integral, 1, None, closed="left")],
    "init_params": [StrOptions({"kmeans", "k-means++", "random", "random_from_data"})],
    "weights_init": ["array-like", None],
    "means_init": ["array-like", None],
    "precisions_init": ["array-like", None],
    "random_state": ["random_state"],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "verbose_interval": [Interval(Integral, 1, None, closed="left")],
}
"""What each parameter may be, in scikit-learn's terms."""


def checked_weights(weights: object, n_components: int) -> Array:
    """Return mixing weights (K,) between 0 and 1 that sum to 1.

    Raises
    ------
    ParameterError
        When they are something else.
    """
    array = _array(weights, (n_components,), "weights")
    if (array < 0.0).any() or (array > 1.0).any():
        raise ParameterError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{array.max():.5f}, min value {array.min():.5f}"
        )
    tolerance = 1e-6 if np.asarray(weights).dtype == np.float32 else 1e-8
    if abs(1.0 - array.sum()) > tolerance:
        raise ParameterError(f"The parameter 'weights' should be normalized, but got sum(weights) = {array.sum():.5f}")
    return array


def checked_means(means: object, n_components: int, n_features: int) -> Array:
    """Return means (K, D).

    Raises
    ------
    ParameterError
        When they have another shape.
    """
    return _array(means, (n_components, n_features), "means")


def checked_precisions(precisions: object, covariance_type: str, n_components: int, n_features: int) -> Covariances:
    """Return the covariances that have these precisions, written in the shape of the type.

    Raises
    ------
    ParameterError
        When they are not positive definite, or have another shape.
    """
    array = _matrices(precisions, "precision", covariance_type, n_components, n_features)
    return spread_of_precisions(array, covariance_type, n_features)


def checked_covariances(covariances: object, covariance_type: str, n_components: int, n_features: int) -> Covariances:
    """Return covariances that are written in the shape of the type.

    Raises
    ------
    ParameterError
        When they are not positive definite, or have another shape.
    """
    array = _matrices(covariances, "covariance", covariance_type, n_components, n_features)
    return spread_of_covariances(array, covariance_type, n_features)


def _matrices(values: object, what: str, covariance_type: str, n_components: int, n_features: int) -> Array:
    shape = shape_of(covariance_type)
    expected = {
        "full": (n_components, n_features, n_features),
        "tied": (n_features, n_features),
        "diag": (n_components, n_features),
        "spherical": (n_components,),
    }[shape]
    array = _array(values, expected, f"{shape} {what}")
    if shape in ("diag", "spherical"):
        if (array <= 0.0).any():
            raise ParameterError(f"'{shape} {what}' should be positive")
    elif not _positive_definite(array):
        raise ParameterError(f"'{shape} {what}' should be symmetric, positive-definite")
    return array


def _positive_definite(matrices: Array) -> bool:
    transposed = np.swapaxes(matrices, -1, -2)
    return np.allclose(matrices, transposed) and bool((np.linalg.eigvalsh(matrices) > 0.0).all())


def _array(values: object, shape: tuple[int, ...], name: str) -> Array:
    given: Any = values
    array: Array = cast(Any, check_array)(given, dtype=np.float64, ensure_2d=False, allow_nd=len(shape) == 3)
    if array.shape != shape:
        raise ParameterError(f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}")
    return array


def checked_sample_weight(x: NDArray[Any], sample_weight: Any) -> Array | None:
    """Return the weights (N,) of the rows, not all of them zero; None where there are none."""
    if sample_weight is None:
        return None
    weights = cast("Array", _check_sample_weight(sample_weight, x, dtype=np.float64, ensure_non_negative=True))
    if not weights.any():
        raise DataError("Sample weights must contain at least one non-zero number.")
    return weights


def counting(x: NDArray[Any], weights: Array | None) -> tuple[Rows, NDArray[np.bool_] | slice]:
    """Return the rows that count with their weights, and which of all rows they are."""
    if weights is None or (weights > 0.0).all():
        return Rows(x, weights), slice(None)
    used = weights > 0.0
    return Rows(x[used], weights[used]), used


def weighted_rows(x: NDArray[Any], sample_weight: Any) -> Rows:
    """Return the rows that count, with their weights."""
    return counting(x, checked_sample_weight(x, sample_weight))[0]


def require_rows(rows: Rows, n_components: int, cure: str = "") -> None:
    """Refuse fewer rows than components, in scikit-learn's words; `cure` follows them.

    Raises
    ------
    DataError
    """
    if len(rows.x) < n_components:
        raise DataError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, n_samples = {len(rows.x)}{cure}"
        )


def merged(rows: Rows) -> Rows:
    """Return the distinct rows in lexical order, each with the weight of all rows equal to it."""
    order = np.lexsort(rows.x.T[::-1])
    x = rows.x[order]
    weights = None if rows.weights is None else rows.weights[order]
    first = np.concatenate([[True], (x[1:] != x[:-1]).any(axis=1)])
    if first.all():
        return Rows(x, weights)
    weights = np.ones(len(x)) if weights is None else weights
    return Rows(x[first], np.add.reduceat(weights, np.flatnonzero(first)))
