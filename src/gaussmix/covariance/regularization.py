"""What stands in for rows that are not there: pseudo-observations, an added diagonal, or nothing.

A regularization sees covariances and scatters in whatever coordinates it was told to use (`in_units`); it knows
no rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gaussmix._linalg import Array, read_only
from gaussmix.coordinates import Coordinates
from gaussmix.covariance.scatter import Scatter
from gaussmix.covariance.storage import Covariances
from gaussmix.covariance.structure import Structure


class Regularization(ABC):
    """What is done to every M-step, of every family, to keep covariances away from singular ones."""

    @property
    @abstractmethod
    def monotone(self) -> bool:
        """Whether EM with it climbs the log-likelihood minus `penalty`."""

    @property
    @abstractmethod
    def mass(self) -> float:
        """The rows' worth of what it adds; a component lighter than this has died."""

    @property
    def near_likelihood(self) -> bool:
        """Whether the objective tells how far the likelihood can come."""
        return True

    @property
    def constrains(self) -> bool:
        """Whether some mixtures of a structure are ruled out, so that a start may have to be moved."""
        return False

    @property
    def needs_covariance(self) -> bool:
        """Whether the covariance of all rows must be known beforehand."""
        return False

    def informed(self, mean: Array, covariance: Array | None) -> Regularization:
        """Return what it is for rows with this mean (D,) and covariance (D, D), in data units."""
        return self

    def settled(self, structure: Structure, coordinates: Coordinates) -> Regularization:
        """Return what it is for a structure, in the coordinates of a fit.

        Raises
        ------
        ParameterError
            When it is not defined for the structure.
        """
        return self.in_units(coordinates.scale)

    def centres(self, mass: Array, means: Array) -> Array:
        """Return the components' means (K, D) in place of those of their rows."""
        return means

    @abstractmethod
    def in_units(self, units: Array) -> Regularization:
        """Return the same regularization for features divided by `units` (D,)."""

    @abstractmethod
    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """Return the scatter that the covariance estimate is given in place of `scatter` about `means` (K, D)."""

    @abstractmethod
    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """Return what is subtracted from the log-likelihood to give the objective; components are at `centres`."""

    @abstractmethod
    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """How much of each component's scatter it supplies, at most over all directions.

        Returns
        -------
        shares : array (K,)
            Between 0 and 1.
        directions : array (K, D)
            Unit vectors, in units of the reference spreads, where the share is largest.
        """

    def beyond(self, variances: Array) -> Regularization:
        """Return what it is beyond these variances (D,), which the rows' own rounding accounts for."""
        return self

    def supplies_less(self, covariances: Covariances, mass: Array, share: float) -> bool:
        """Whether a look suffices to know that all `shares` are below this one."""
        return False


@final
@dataclass(frozen=True, eq=False)
class PseudoObservations(Regularization):
    """`strength` rows' worth of scatter with `variances` on its diagonal, given to every component.

    The M-step then is that of the penalised log-likelihood LL - strength/2 sum_k tr(Sigma_k^-1 diag(variances)), which
    is bounded and whose maximiser is consistent (Ciuperca, Ridolfi & Idier 2003; Chen & Tan 2009).

    Parameters
    ----------
    strength : float
        lambda, in rows.
    variances : array (D,)
        Diagonal of R, in squared data units.
    """

    strength: float
    variances: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "variances", read_only(self.variances))

    @property
    def monotone(self) -> bool:
        """EM climbs the penalised likelihood."""
        return True

    @property
    def mass(self) -> float:
        """The strength."""
        return self.strength

    def in_units(self, units: Array) -> Regularization:
        """Return the variances over squared units."""
        return PseudoObservations(self.strength, self.variances / units**2)

    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """W_k + strength R."""
        return scatter.plus_diagonal(self.variances, np.full_like(scatter.mass, self.strength))

    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """strength/2 sum_k tr(Sigma_k^-1 R)."""
        traces = covariances.precision_traces(self.variances)
        return 0.5 * self.strength * float(traces.sum()) * (len(centres) / covariances.n_groups)

    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """Largest eigenvalues, and their vectors, of strength R relative to n_k Sigma_k."""
        whitened = covariances.whiteners() * np.sqrt(self.variances)
        _, singular, rights = np.linalg.svd(whitened)
        groups = [covariances.group(k) for k in range(mass.shape[0])]
        with np.errstate(divide="ignore", over="ignore"):
            shares = self.strength * singular[groups, 0] ** 2 / mass
        return np.minimum(shares, 1.0), rights[groups, 0]

    def supplies_less(self, covariances: Covariances, mass: Array, share: float) -> bool:
        """Bound the least eigenvalue of Sigma_k relative to R from below, by its determinant and trace.

        The product of the others is at most the mean of all to the power of their number, which is
        (trace / (D - 1))^(D - 1) at most.
        """
        d = covariances.n_features
        ratios = covariances.variances() / self.variances
        if not ratios.all():
            return False
        logs = covariances.log_determinants() - np.log(self.variances).sum()
        if d > 1:
            logs = logs - (d - 1) * np.log(ratios.sum(axis=1) / (d - 1))
        least = np.exp(logs) * (mass if len(logs) == len(mass) else mass.min())
        return bool(self.strength < share * least.min())


@final
@dataclass(frozen=True, eq=False)
class AddedDiagonal(Regularization):
    """`variances` added to every estimated covariance: scikit-learn's ``reg_covar``. Not monotone.

    Parameters
    ----------
    variances : array (D,)
        In squared data units.
    """

    variances: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "variances", read_only(self.variances))

    @property
    def monotone(self) -> bool:
        """EM with it may lower the likelihood."""
        return False

    @property
    def mass(self) -> float:
        """Nothing is added in rows."""
        return 0.0

    def in_units(self, units: Array) -> Regularization:
        """Return the variances over squared units."""
        return AddedDiagonal(self.variances / units**2)

    def beyond(self, variances: Array) -> Regularization:
        """Return what is added beyond these variances."""
        return AddedDiagonal(np.maximum(self.variances - variances, 0.0))

    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """W_k + n_k diag(variances): the variances then are added to VVV, VVI, VII and EEE, singular or not."""
        return scatter.plus_diagonal(self.variances, scatter.mass)

    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """Subtract nothing."""
        return 0.0

    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """Largest eigenvalues, and their vectors, of the added diagonal relative to Sigma_k."""
        shares, directions = PseudoObservations(1.0, self.variances).shares(covariances, np.ones_like(mass))
        return shares, directions


@final
@dataclass(frozen=True)
class Unregularized(Regularization):
    """Plain maximum likelihood."""

    @property
    def monotone(self) -> bool:
        """EM climbs the likelihood."""
        return True

    @property
    def mass(self) -> float:
        """Nothing is added."""
        return 0.0

    def in_units(self, units: Array) -> Regularization:
        """Change nothing."""
        return self

    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """Change nothing."""
        return scatter

    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """Subtract nothing."""
        return 0.0

    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """Supply nothing."""
        return np.zeros_like(mass), np.zeros((mass.shape[0], covariances.n_features))


def to_facts(regularization: Regularization) -> dict[str, Any]:
    """Return a regularization in data units as JSON knows it; of one that this module does not know its kind alone."""
    if isinstance(regularization, PseudoObservations):
        variances = regularization.variances.tolist()
        return {"kind": "pseudo-observations", "strength": regularization.strength, "variances": variances}
    if isinstance(regularization, AddedDiagonal):
        return {"kind": "added diagonal", "variances": regularization.variances.tolist()}
    return {"kind": "none" if isinstance(regularization, Unregularized) else type(regularization).__name__}


def from_facts(facts: Mapping[str, Any]) -> Regularization | None:
    """Return what `to_facts` wrote down, or None where that is not enough to tell."""
    kind = facts.get("kind")
    if kind == "pseudo-observations":
        return PseudoObservations(float(facts["strength"]), np.array(facts["variances"], dtype=np.float64))
    if kind == "added diagonal":
        return AddedDiagonal(np.array(facts["variances"], dtype=np.float64))
    return Unregularized() if kind == "none" else None
