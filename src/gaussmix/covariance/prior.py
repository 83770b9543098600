"""The conjugate prior of Fraley & Raftery (2007), as pseudo-observations in masses, means and scatters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from gaussmix._linalg import Array, read_only, symmetric
from gaussmix.coordinates import Coordinates
from gaussmix.covariance.regularization import Regularization
from gaussmix.covariance.scatter import Moment, Scatter
from gaussmix.covariance.storage import Covariances
from gaussmix.covariance.structure import Structure
from gaussmix.errors import ParameterError, ShapeError


@final
@dataclass(frozen=True, eq=False)
class ConjugatePrior(Regularization):
    """Means normal about a common one, covariances inverse Wishart: EM climbs to the mode of the posterior.

    Fraley & Raftery (2007), "Bayesian regularization for normal mixture estimation and model-based clustering",
    J. Classification 24. Every covariance that a structure lets differ has a prior of its own; where all components
    share one, it has one. A spherical or diagonal structure has inverse gamma priors for its variances.

    Parameters
    ----------
    shrinkage : float
        kappa: as how many rows, at the common mean, the prior of a mean counts; 0 leaves the means alone.
    degrees : float, optional
        nu: degrees of freedom, D + 2 by default.
    scale : array (D, D) or (D,), optional
        Lambda, in squared data units: a matrix, or its diagonal. By default the covariance of all rows over K^(2/D); of
        spherical and diagonal structures the mean of its diagonal. Of a given one they take the diagonal.
    mean : array (D,), optional
        The common mean, in data units; that of all rows by default.
    by_default, once, prior_mass, log_units
        Not to be given: a fit fills them in.

    Raises
    ------
    ParameterError
        When a number is negative or not finite, or the scale is not symmetric.
    """

    shrinkage: float = 0.01
    degrees: float | None = None
    scale: Array | None = None
    mean: Array | None = None
    by_default: bool = False
    """Whether the scale came from the data, and so is to be divided by K^(2/D)."""
    once: bool = False
    """Whether there is one prior for all components; known once it is `settled`, as are the following."""
    prior_mass: float = 0.0
    """How much the prior of a covariance adds to a component's mass."""
    log_units: float = 0.0
    """Log volume of the coordinates' unit."""

    def __post_init__(self) -> None:
        for name in ("shrinkage", "degrees"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < np.inf:
                raise ParameterError(f"ConjugatePrior: {name}={value!r}; expected a finite number, not below 0")
        if self.mean is not None:
            object.__setattr__(self, "mean", read_only(self.mean))
        if self.scale is not None:
            scale = np.asarray(self.scale, dtype=np.float64)
            scale = np.diag(scale) if scale.ndim == 1 else scale
            if scale.ndim != 2 or not np.isfinite(scale).all() or not np.allclose(scale, scale.T):
                raise ParameterError(
                    "ConjugatePrior: scale must be a finite symmetric matrix (D, D), or a diagonal (D,)"
                )
            object.__setattr__(self, "scale", read_only(symmetric(scale)))

    @property
    def monotone(self) -> bool:
        """EM climbs the posterior density."""
        return True

    @property
    def mass(self) -> float:
        """A component without rows falls back on the prior, but it is no component."""
        return 0.0

    @property
    def near_likelihood(self) -> bool:
        """The prior moves the objective by as much as it says."""
        return False

    @property
    def needs_covariance(self) -> bool:
        """Where the scale is not given."""
        return self.scale is None

    def informed(self, mean: Array, covariance: Array | None) -> Regularization:
        """Return the prior with what was not given taken from the data."""
        d = len(mean)
        for name, value in (("mean", self.mean), ("scale", self.scale)):
            if value is not None and len(value) != d:
                raise ShapeError(f"ConjugatePrior: {name} is for {len(value)} features, but the data have {d}")
        return replace(
            self,
            mean=mean if self.mean is None else self.mean,
            scale=covariance if self.scale is None else self.scale,
            degrees=d + 2.0 if self.degrees is None else self.degrees,
            by_default=self.scale is None,
        )

    def settled(self, structure: Structure, coordinates: Coordinates) -> Regularization:
        """Return the prior of this structure's covariances, in the coordinates of a fit."""
        assert self.scale is not None and self.mean is not None and self.degrees is not None
        d, scale, mass = len(self.mean), self.scale, self.degrees + len(self.mean) + 1.0
        if structure.moment in (Moment.TRACE, Moment.DIAGONAL):
            diagonal = np.diag(scale)
            equal = self.by_default or structure.moment is Moment.TRACE
            scale, mass = np.diag(np.full(d, diagonal.mean()) if equal else diagonal), self.degrees + 2.0
            if structure.moment is Moment.TRACE:
                # One variance of D features: their squared deviations add up.
                scale, mass = scale / d, mass / d
        units = coordinates.scale
        return replace(
            self,
            scale=scale / units / units[:, None],
            mean=coordinates.inward(self.mean[None])[0],
            once=structure.n_own_parameters(d) == 0,
            prior_mass=mass,
            log_units=coordinates.log_jacobian,
        )

    def in_units(self, units: Array) -> Regularization:
        """Return the prior for features divided by units."""
        scale = None if self.scale is None else self.scale / units / units[:, None]
        return replace(self, scale=scale, mean=None if self.mean is None else self.mean / units)

    def prepare(self, scatter: Scatter, means: Array) -> Scatter:
        """Return W_k + Lambda + kappa n_k / (kappa + n_k) (m_k - m)(m_k - m)', and n_k with the prior's masses."""
        steps, n = means - self._mean, scatter.n_components
        part = 1.0 / n if self.once else 1.0
        counted = self.shrinkage * scatter.mass / (self.shrinkage + scatter.mass)
        added = counted[:, None, None] * steps[:, :, None] * steps[:, None, :] + part * self._scale(n)
        mass = scatter.mass + part * self.prior_mass + (1.0 if self.shrinkage > 0.0 else 0.0)
        more = scatter.plus(added)
        return Scatter(more.moment, mass, more.values, more.n_features)

    def centres(self, mass: Array, means: Array) -> Array:
        """Return (n_k m_k + kappa m) / (n_k + kappa)."""
        shares = (self.shrinkage / (self.shrinkage + mass))[:, None]
        return means + shares * (self._mean - means)

    def penalty(self, covariances: Covariances, centres: Array) -> float:
        """Minus the log density of the prior, up to a constant that depends on D and the hyperparameters alone."""
        n = len(centres)
        logs = covariances.log_determinants() + 2.0 * self.log_units
        white = covariances.whiteners()
        traces = np.einsum("gij,jk,gik->g", white, self._scale(n), white)
        groups = [covariances.group(k) for k in range(n)]
        total = (self.prior_mass * logs + traces)[groups].sum() / (n if self.once else 1)
        if self.shrinkage > 0.0:
            steps = np.stack([covariances.whiten(k, (centres[k] - self._mean)[None])[0] for k in range(n)])
            total += logs[groups].sum() + self.shrinkage * np.square(steps).sum()
        return 0.5 * float(total)

    def shares(self, covariances: Covariances, mass: Array) -> tuple[Array, Array]:
        """Supply what was asked for: a component that leans on a prior is not degenerate for that."""
        return np.zeros_like(mass), np.zeros((mass.shape[0], covariances.n_features))

    @property
    def _mean(self) -> Array:
        assert self.mean is not None
        return self.mean

    def _scale(self, n_components: int) -> Array:
        assert self.scale is not None
        return self.scale / n_components ** (2.0 / len(self.scale)) if self.by_default else self.scale
