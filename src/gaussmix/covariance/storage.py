"""Covariances held as factors: one number, a diagonal, or a triangular matrix per component or for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, factor_of_root, invert_lower, log_determinants, read_only, solve_lower
from gaussmix.covariance.scatter import Moment


@dataclass(frozen=True, eq=False)
class Covariances(ABC):
    """The covariances of K components, or one that they share (then G = 1, else G = K).

    Everything that the rest of gaussmix asks of a covariance is one of these verbs, so no other room branches on
    how it is stored.
    """

    n_features: int

    @property
    @abstractmethod
    def arrays(self) -> Array:
        """What is stored: (G,) variances, (G, D) variances, or (G, D, D) lower triangular factors."""

    @property
    def n_groups(self) -> int:
        """G: 1 when all components share one covariance."""
        return self.arrays.shape[0]

    @property
    @abstractmethod
    def least_moment(self) -> Moment:
        """The least second moments of a row that its log density depends on."""

    def group(self, component: int) -> int:
        """Where the covariance of `component` stands."""
        return 0 if self.n_groups == 1 else component

    @abstractmethod
    def log_determinants(self) -> Array:
        """Log determinants (G,)."""

    @abstractmethod
    def whiten(self, component: int, deviations: Array) -> Array:
        """L^-1 applied to every row of `deviations` (N, D), for the factor L of one component."""

    @abstractmethod
    def color(self, component: int, white: Array) -> Array:
        """L applied to every row of `white` (N, D): the inverse of `whiten`."""

    @abstractmethod
    def whiteners(self) -> Array:
        """Return the inverse factors L^-1 (G, D, D), lower triangular."""

    @abstractmethod
    def triangles(self) -> Array:
        """Return lower triangular factors L (G, D, D) with Sigma = L L'."""

    @abstractmethod
    def dense(self) -> Array:
        """Return the covariance matrices (G, D, D)."""

    @abstractmethod
    def variances(self) -> Array:
        """Return the diagonals (G, D) of the covariance matrices."""

    @abstractmethod
    def precision_traces(self, diagonal: Array) -> Array:
        """tr(Sigma^-1 diag(diagonal)) (G,), for a non-negative `diagonal` (D,)."""

    @abstractmethod
    def scaled(self, units: Array) -> Covariances:
        """Covariances of the features multiplied by `units` (D,), positive."""

    @abstractmethod
    def select(self, features: NDArray[np.int64]) -> Covariances:
        """Covariances of some of the features."""

    @abstractmethod
    def take(self, components: NDArray[np.int64]) -> Covariances:
        """Return the covariances of some of the components, in that order."""


@final
@dataclass(frozen=True, eq=False)
class Scalar(Covariances):
    """Spherical: sigma^2 I, `squares` (G,) holding sigma^2."""

    squares: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "squares", read_only(self.squares))

    @property
    def arrays(self) -> Array:
        """Variances (G,)."""
        return self.squares

    @property
    def least_moment(self) -> Moment:
        """x'x."""
        return Moment.TRACE

    def log_determinants(self) -> Array:
        """D log sigma^2 (G,)."""
        return self.n_features * np.log(self.squares)

    def whiten(self, component: int, deviations: Array) -> Array:
        """Deviations over sigma."""
        return deviations / np.sqrt(self.squares[self.group(component)])

    def color(self, component: int, white: Array) -> Array:
        """Sigma times white rows."""
        return white * np.sqrt(self.squares[self.group(component)])

    def whiteners(self) -> Array:
        """I / sigma (G, D, D)."""
        return np.eye(self.n_features) / np.sqrt(self.squares)[:, None, None]

    def triangles(self) -> Array:
        """Sigma I (G, D, D)."""
        return np.sqrt(self.squares)[:, None, None] * np.eye(self.n_features)

    def dense(self) -> Array:
        """sigma^2 I (G, D, D)."""
        return self.squares[:, None, None] * np.eye(self.n_features)

    def variances(self) -> Array:
        """sigma^2 for every feature (G, D)."""
        return np.repeat(self.squares[:, None], self.n_features, axis=1)

    def precision_traces(self, diagonal: Array) -> Array:
        """sum(diagonal) / sigma^2 (G,)."""
        return diagonal.sum() / self.squares

    def scaled(self, units: Array) -> Covariances:
        """Return scalars where all units are equal, else diagonals."""
        if (units == units[0]).all():
            return Scalar(self.n_features, self.squares * units[0] ** 2)
        return Diagonal(self.n_features, self.variances()).scaled(units)

    def select(self, features: NDArray[np.int64]) -> Covariances:
        """Return the same variances for fewer features."""
        return Scalar(len(features), self.squares)

    def take(self, components: NDArray[np.int64]) -> Scalar:
        """Return some of the variances; a shared one stays."""
        return self if self.n_groups == 1 else Scalar(self.n_features, self.squares[components])


@final
@dataclass(frozen=True, eq=False)
class Diagonal(Covariances):
    """Axis-parallel: `squares` (G, D) holds the variances."""

    squares: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "squares", read_only(self.squares))

    @property
    def arrays(self) -> Array:
        """Variances (G, D)."""
        return self.squares

    @property
    def least_moment(self) -> Moment:
        """Squares."""
        return Moment.DIAGONAL

    def log_determinants(self) -> Array:
        """Return the sums of log variances (G,)."""
        return np.log(self.squares).sum(axis=1)

    def whiten(self, component: int, deviations: Array) -> Array:
        """Deviations over standard deviations."""
        return deviations / np.sqrt(self.squares[self.group(component)])

    def color(self, component: int, white: Array) -> Array:
        """White rows times standard deviations."""
        return white * np.sqrt(self.squares[self.group(component)])

    def whiteners(self) -> Array:
        """diag(1 / sigma) (G, D, D)."""
        return np.eye(self.n_features) / np.sqrt(self.squares)[:, None, :]

    def triangles(self) -> Array:
        """diag(sigma) (G, D, D)."""
        return np.sqrt(self.squares)[:, None, :] * np.eye(self.n_features)

    def dense(self) -> Array:
        """Diagonal matrices (G, D, D)."""
        return self.squares[:, None, :] * np.eye(self.n_features)

    def variances(self) -> Array:
        """Variances (G, D)."""
        return self.squares

    def precision_traces(self, diagonal: Array) -> Array:
        """sum(diagonal / sigma^2) (G,)."""
        return (diagonal / self.squares).sum(axis=1)

    def scaled(self, units: Array) -> Covariances:
        """Variances times squared units."""
        return Diagonal(self.n_features, self.squares * units**2)

    def select(self, features: NDArray[np.int64]) -> Covariances:
        """Variances of some of the features."""
        return Diagonal(len(features), self.squares[:, features])

    def take(self, components: NDArray[np.int64]) -> Diagonal:
        """Return some of the diagonals; a shared one stays."""
        return self if self.n_groups == 1 else Diagonal(self.n_features, self.squares[components])


@final
@dataclass(frozen=True, eq=False)
class Dense(Covariances):
    """Ellipsoidal: `factors` (G, D, D) holds lower triangular L with Sigma = L L'."""

    factors: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", read_only(self.factors))

    @classmethod
    def from_matrices(cls, matrices: Array) -> Dense:
        """Cholesky factors of symmetric `matrices` (G, D, D).

        Raises
        ------
        numpy.linalg.LinAlgError
            When a matrix is not positive definite in float64.
        """
        return cls(matrices.shape[-1], np.asarray(np.linalg.cholesky(matrices), dtype=np.float64))

    @classmethod
    def from_roots(cls, roots: Array) -> Dense:
        """Triangular factors of R R' for square `roots` R (G, D, D), without forming the product."""
        return cls(roots.shape[-1], factor_of_root(roots))

    @property
    def arrays(self) -> Array:
        """Lower triangular factors (G, D, D)."""
        return self.factors

    @property
    def least_moment(self) -> Moment:
        """x x'."""
        return Moment.FULL

    def log_determinants(self) -> Array:
        """Twice the log of the factors' diagonals, summed (G,)."""
        return log_determinants(self.factors)

    def whiten(self, component: int, deviations: Array) -> Array:
        """Solve with the triangular factor."""
        return solve_lower(self.factors[self.group(component)], deviations)

    def color(self, component: int, white: Array) -> Array:
        """White rows times L'."""
        return white @ self.factors[self.group(component)].T

    def whiteners(self) -> Array:
        """Return the inverse factors (G, D, D)."""
        return invert_lower(self.factors)

    def triangles(self) -> Array:
        """Return the factors as they are."""
        return self.factors

    def dense(self) -> Array:
        """L L' (G, D, D)."""
        return self.factors @ np.swapaxes(self.factors, 1, 2)

    def variances(self) -> Array:
        """Return the row norms of the factors, squared (G, D)."""
        return np.square(self.factors).sum(axis=2)

    def precision_traces(self, diagonal: Array) -> Array:
        """Return the squared norms of L^-1 diag(sqrt(diagonal)) (G,)."""
        return (np.square(self.whiteners()).sum(axis=1) * diagonal).sum(axis=1)

    def scaled(self, units: Array) -> Covariances:
        """Return the factors with their rows times the units."""
        return Dense(self.n_features, self.factors * units[:, None])

    def select(self, features: NDArray[np.int64]) -> Covariances:
        """Return the factors of the chosen rows' and columns' covariances, through an orthogonal reduction."""
        return Dense(len(features), factor_of_root(self.factors[:, features, :]))

    def take(self, components: NDArray[np.int64]) -> Dense:
        """Return some of the factors; a shared one stays."""
        return self if self.n_groups == 1 else Dense(self.n_features, self.factors[components])
