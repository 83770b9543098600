"""What users hand in for a mixture's parameters becomes checked values, or a named error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaussmix import _validation
from gaussmix._linalg import Array
from gaussmix.covariance import Covariances, Dense, Moment, Scatter, family
from gaussmix.errors import ColumnError, ParameterError

_SAME = 1e-6  # relative: printed parameters have that many digits


def checked_weights(values: object, n_components: int) -> Array:
    """Return mixing weights (K,) that are above zero and sum to 1.

    Raises
    ------
    ParameterError
        When they are not, or not as many.
    """
    weights = _validation.finite(values, "weights")
    if weights.shape != (n_components,):
        raise ParameterError(f"weights: expected one for each of the {n_components} means, found shape {weights.shape}")
    if (weights <= 0.0).any() or abs(weights.sum() - 1.0) > 1e-6:
        raise ParameterError(f"weights must be above 0 and sum to 1; found {weights.tolist()}, sum {weights.sum():.9g}")
    return weights / weights.sum()


def checked_covariances(values: object, n_components: int, n_features: int) -> Covariances:
    """Return symmetric positive definite matrices (K, D, D), or variances (K,) of one feature, as factors.

    Raises
    ------
    ParameterError
        When they are something else.
    """
    matrices = _validation.finite(values, "covariances")
    if n_features == 1 and matrices.ndim == 1:
        matrices = matrices[:, None, None]
    expected = (n_components, n_features, n_features)
    if matrices.shape != expected:
        raise ParameterError(f"covariances: expected shape {expected}, found {matrices.shape}")
    scale = np.abs(matrices).max(axis=(1, 2), keepdims=True)
    if (np.abs(matrices - np.swapaxes(matrices, 1, 2)) > 1e-8 * scale).any():
        raise ParameterError("covariances: every matrix must be symmetric")
    for k in range(n_components):
        try:
            np.linalg.cholesky(matrices[k])
        except np.linalg.LinAlgError as error:
            least = np.linalg.eigvalsh(matrices[k])[0]
            raise ParameterError(
                f"covariances[{k}] is not positive definite: its least eigenvalue is {least:.3g}; "
                "add a small positive number to its diagonal"
            ) from error
    return Dense.from_matrices(matrices)


def checked_structure(name: str | None, covariances: Covariances, n_components: int) -> str:
    """Return the structure's own name, once the covariances are members of it; the general one by default.

    A member is its own estimate from rows that are spread just as it says.

    Raises
    ------
    ParameterError
        When the structure is unknown, or the covariances are not of it to 1e-6.
    """
    n_features = covariances.n_features
    structure = family(name or "VVV", n_features)
    dense = np.broadcast_to(covariances.dense(), (n_components, n_features, n_features))
    member = structure.estimate(Scatter(Moment.FULL, np.ones(n_components), dense, n_features), None).dense()
    gap = np.abs(member - dense).max(axis=(1, 2)) / np.abs(dense).max(axis=(1, 2))
    if (gap > _SAME).any():
        raise ParameterError(
            f"structure={name!r}: the covariances are not of it (number {int(gap.argmax())} is {gap.max():.2g} of its "
            "size away); name another structure, or leave it out for the general one"
        )
    return structure.name


def checked_names(names: Sequence[str] | None, n_features: int) -> tuple[str, ...] | None:
    """Return the names of D features, all different, or None.

    Raises
    ------
    ParameterError
        When they are not as many, or two are equal.
    """
    if names is None:
        return None
    checked = tuple(str(name) for name in names)
    if len(checked) != n_features or len(set(checked)) != n_features:
        raise ParameterError(f"feature_names: expected {n_features} different names, found {checked}")
    return checked


def checked_positions(
    features: Sequence[str | int], names: tuple[str, ...] | None, n_features: int
) -> NDArray[np.int64]:
    """Return the positions of features that are given by name or position.

    Raises
    ------
    ColumnError
        When one is unknown or named twice, or there is none.
    """
    known: dict[str | int, int] = {name: i for i, name in enumerate(names or ())}
    known |= {i: i for i in range(n_features)}
    unknown = [feature for feature in features if feature not in known]
    if unknown or len(features) == 0:
        what = ", ".join(names) if names else f"positions 0..{n_features - 1}"
        raise ColumnError(f"no feature {unknown}; the mixture has {what}")
    positions = np.array([known[feature] for feature in features], dtype=np.int64)
    if len(np.unique(positions)) < len(positions):
        raise ColumnError(f"a feature is named twice in {list(features)}")
    return positions
