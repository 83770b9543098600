"""Which components of two mixtures stand for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array, Integers
from gaussmix.errors import ColumnError, ParameterError, ShapeError
from gaussmix.mixture.distances import DISTANCES, Distances, distances
from gaussmix.mixture.mixture import Mixture


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Two mixtures beside each other.

    Parameters
    ----------
    first, second : Mixture
        What was compared; the second with the features in the order of the first.
    pairs : integer array (P, 2)
        Components of the first, in order, and those of the second that stand for them; P is the smaller number of
        components. Of all such pairings it has the least sum of distances.
    by : str
        The distance that decided.
    distances : Distances
        Between all components, by all distances.
    """

    first: Mixture
    second: Mixture
    pairs: Integers
    by: str
    distances: Distances

    @property
    def unmatched(self) -> tuple[Integers, Integers]:
        """Components of the first, and of the second, that nothing stands for."""
        first, second = np.arange(self.first.n_components), np.arange(self.second.n_components)
        return np.setdiff1d(first, self.pairs[:, 0]), np.setdiff1d(second, self.pairs[:, 1])

    @property
    def matched(self) -> Distances:
        """The distances (P,) of the pairs."""
        rows, columns = self.pairs.T
        found = self.distances
        every = (found.hellinger, found.kullback_leibler, found.means, found.overlap)
        return Distances(*(each[rows, columns] for each in every))

    @property
    def weight_differences(self) -> Array:
        """Weights of the second less those of the first (P,), of the pairs."""
        rows, columns = self.pairs.T
        return self.second.weights[columns] - self.first.weights[rows]

    @property
    def total(self) -> float:
        """Sum of the distances of the pairs."""
        rows, columns = self.pairs.T
        return float(self.distances.named(self.by)[rows, columns].sum())

    def __repr__(self) -> str:
        pairs = ", ".join(f"{i}-{j}" for i, j in self.pairs)
        return f"<Comparison by {self.by}: components {pairs}; sum of distances {self.total:.4g}>"


def matched(a: Mixture, b: Mixture, by: str = "hellinger") -> Comparison:
    """Pair the components of two mixtures of the same features so that the sum of distances is least.

    Parameters
    ----------
    a, b : Mixture
        With any numbers of components; features are matched by name where both have names.
    by : {"hellinger", "kullback_leibler", "means"}
        The distance.

    Raises
    ------
    ParameterError
        When the distance is unknown.
    ColumnError, ShapeError
        When the features are not the same.
    """
    from scipy.optimize import linear_sum_assignment

    if by not in DISTANCES:
        raise ParameterError(f"by={by!r}: expected one of {', '.join(DISTANCES)}")
    b = _with_features_of(a, b)
    found = distances(a, b)
    # An infinite distance cannot be summed: it is taken to be longer than all others together.
    costs = found.named(by)
    finite = costs[np.isfinite(costs)]
    costs = np.where(np.isfinite(costs), costs, 1.0 + 2.0 * finite.sum())
    rows, columns = linear_sum_assignment(costs)
    return Comparison(a, b, np.stack([rows, columns], axis=1).astype(np.int64), by, found)


def _with_features_of(a: Mixture, b: Mixture) -> Mixture:
    mine, others = a.feature_names, b.feature_names
    if mine is not None and others is not None and mine != others:
        if set(mine) != set(others):
            raise ColumnError(
                f"the mixtures are of different features, {', '.join(mine)} and {', '.join(others)}; compare "
                "marginals of those that they share"
            )
        return b.marginal(mine)
    if a.n_features != b.n_features:
        raise ShapeError(
            f"the mixtures have {a.n_features} and {b.n_features} features; compare marginals of those that they share"
        )
    return b
