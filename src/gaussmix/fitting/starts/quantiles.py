"""Groups of equal weight along one feature."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array, Integers


def quantile_groups(values: Array, weights: Array, n_groups: int) -> Integers:
    """Labels (rows,) that cut the values at the quantiles 1/K, 2/K, ...; equal values are kept together.

    Parameters
    ----------
    values : array (rows,)
        One feature.
    weights : array (rows,)
        Row weights, above zero.
    n_groups : int
        K.
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights=weights, minlength=len(distinct))
    middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    return np.minimum((middle * n_groups).astype(np.int64), n_groups - 1)[inverse]
