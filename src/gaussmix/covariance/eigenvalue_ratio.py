"""Covariances whose eigenvalues are at most a given factor apart, by optimal truncation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, read_only, symmetric
from gaussmix.coordinates import Coordinates
from gaussmix.covariance.regularization import Regularization
from gaussmix.covariance.scatter import Moment, Scatter
from gaussmix.covariance.storage import Covariances
from gaussmix.covariance.structure import Structure
from gaussmix.errors import ParameterError

_DEFINED = ("EII", "VII", "EEI", "VVI", "EEE", "EEV", "VVV", "E", "V")
"""Structures of which every covariance's eigenvalues are free or all shared: truncating those is the maximum."""
_TIES = {
    **dict.fromkeys(("VEI", "VEV"), "shares its shape with the others, not its volume"),
    **dict.fromkeys(("EVI", "EVV"), "shares its volume with the others, not its shape"),
    **dict.fromkeys(("VEE", "EVE", "VVE"), "shares its axes with the others, not its eigenvalues"),
}
"""Why those of the others cannot be truncated one by one."""


@final
@dataclass(frozen=True, eq=False)
class EigenvalueRatio(Regularization):
    """The largest eigenvalue of all covariances is at most `most` times the smallest (tclust's constraint).

    The M-step is exact: eigenvalues are truncated from below at m and from above at `most` m, with the m that is best
    (Fritz, Garcia-Escudero & Mayo-Iscar 2013, "A fast algorithm for robust constrained clustering", CSDA 61). So EM
    climbs the likelihood among such mixtures, where it is bounded. Eigenvalues are those of covariances in data units,
    so the units of the features matter; of diagonal and spherical structures they are the variances.

    Parameters
    ----------
    most : float
        Largest ratio, from 1 (all covariances one sphere).
    structure, units
        Not to be given: a fit fills them in.

    Raises
    ------
    ParameterError
        When it is below 1 or not finite; in a fit, when the structure ties its eigenvalues in another way (VEI, EVI,
        VEE, EVE, VVE, VEV, EVV).
    """

    most: float
    structure: str = ""
    """Known once it is `settled`, as is the following."""
    units: Array | None = None
    """Data units (D,) in the fit's coordinates, the largest being 1."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.most < np.inf:
            raise ParameterError(f"EigenvalueRatio({self.most!r}): expected a finite ratio, at least 1")
        if self.units is not None:
            object.__setattr__(self, "units", read_only(self.units))

    @property
    def monotone(self) -> bool:
        """EM climbs the likelihood among mixtures that obey."""
        return True

    @property
    def constrains(self) -> bool:
        """Not every mixture of a structure may be met."""
        return True

    @property
    def mass(self) -> float:
        """Nothing is added."""
        return 0.0

    def in_units(self, units: Array) -> Regularization:
        """Return the constraint for features divided by units."""
        return replace(self, units=units / units.max())

    def settled(self, structure: Structure, coordinates: Coordinates) -> Regularization:
        """Return the constraint of this structure, in the coordinates of a fit."""
        if structure.name not in _DEFINED:
            raise ParameterError(
                f"EigenvalueRatio: truncated eigenvalues break what ties {structure.name}, of which each component "
                f"{_TIES[structure.name]}; use one of {', '.join(_DEFINED)}, or another regularization"
            )
        exponents = coordinates.exponents - coordinates.exponents.max()
        return replace(self, structure=structure.name, units=np.ldexp(1.0, exponents))

    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """Return scatters of which the covariances are the plain estimate."""
        assert self.units is not None
        d, mass, total = scatter.n_features, scatter.mass, scatter.mass.sum()
        common = self.units / self.units.max()
        if self.structure in ("EII", "E"):
            return scatter
        if self.structure in ("VII", "V"):
            variances = self._within((scatter.traces() / (d * mass))[:, None], mass)
            return Scatter(Moment.TRACE, mass, d * mass * variances[:, 0], d)
        if self.structure == "VVI":
            variances = self._within(scatter.diagonals() * common**2 / mass[:, None], mass) / common**2
            return Scatter(Moment.DIAGONAL, mass, variances * mass[:, None], d)
        if self.structure == "EEI":
            pooled = scatter.diagonals().sum(axis=0, keepdims=True)
            variances = self._within(pooled * common**2 / total, np.ones(1)) / common**2
            return Scatter(Moment.DIAGONAL, mass, variances * mass[:, None], d)
        pooled = self.structure == "EEE"
        matrices = scatter.pooled()[None] / total if pooled else scatter.matrices() / mass[:, None, None]
        outer = common * common[:, None]
        values, vectors = np.linalg.eigh(symmetric(matrices * outer))
        if self.structure == "EEV":
            # The k-th largest are shared, on axes of each component's own: they stay in order, so no axes fit better.
            shared = np.broadcast_to((mass @ values / total), values.shape)
            values = np.broadcast_to(self._within(shared[:1], np.ones(1)), values.shape)
        else:
            values = self._within(values, np.ones(1) if pooled else mass)
        matrices = symmetric((vectors * values[:, None, :]) @ np.swapaxes(vectors, 1, 2)) / outer
        if pooled:
            return Scatter(Moment.POOLED, mass, matrices * total, d)
        return Scatter(Moment.FULL, mass, matrices * mass[:, None, None], d)

    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """Subtract nothing."""
        return 0.0

    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """Supply nothing: what a truncation adds to a scatter cannot be told from its covariance."""
        return np.zeros_like(mass), np.zeros((mass.shape[0], covariances.n_features))

    def _within(self, values: Array, mass: Array) -> Array:
        return truncated(values, mass, self.most)


def truncated(values: Array, mass: Array, most: float) -> Array:
    """Return eigenvalues between m and `most` m, for the m that maximises the expected log-likelihood.

    That is the minimum of sum_k n_k sum_j log e_kj + d_kj / e_kj for e the clipped d. As a function of log m it is
    convex, for its derivative

        sum_{d < m} n (1 - d / m) - sum_{d > c m} n (d / (c m) - 1),    c = most,

    never falls. Between two neighbours among all d and d / c it has the form A - B / m, so the zero is B / A there.

    Parameters
    ----------
    values : array (K, J)
        Eigenvalues d of the unconstrained estimates, not below zero but for rounding.
    mass : array (K,)
        Weights n of the components.
    most : float
        Largest ratio c.

    Raises
    ------
    numpy.linalg.LinAlgError
        When all eigenvalues are zero.
    """
    values = np.maximum(values, 0.0)
    top = values.max()
    if not 0.0 < top < np.inf:
        raise np.linalg.LinAlgError("found no spread at all, expected some; drop the component")
    if top <= most * values.min():
        return values
    d, n = values.ravel(), np.repeat(mass, values.shape[1])
    order = np.argsort(d, kind="stable")
    d, n = d[order], n[order]
    counts, sums = (np.concatenate([[0.0], np.cumsum(each)]) for each in (n, n * d))
    corners = np.unique(np.concatenate([d, d / most]))
    corners = corners[corners > 0.0]

    def pieces(low: NDArray[np.intp], high: NDArray[np.intp]) -> tuple[Array, Array]:
        """A and B where the first `low` are below m, and all from `high` on above c m."""
        return counts[low] + counts[-1] - counts[high], sums[low] + (sums[-1] - sums[high]) / most

    # At a corner those that touch it contribute nothing, so either side's form gives the derivative there.
    a, b = pieces(np.searchsorted(d, corners, "left"), np.searchsorted(d, corners * most, "right"))
    rising = np.flatnonzero(a * corners >= b)
    at = int(rising[0]) if len(rising) else len(corners) - 1
    inside = 0.5 * (corners[at - 1] + corners[at]) if at > 0 else 0.5 * corners[0]
    below, above = pieces(np.searchsorted(d, [inside], "left"), np.searchsorted(d, [inside * most], "right"))
    least = float(above[0] / below[0]) if below[0] > 0.0 else float(corners[at])
    least = min(max(least, corners[at - 1] if at > 0 else 0.0), corners[at])
    return np.clip(values, least, most * least)
