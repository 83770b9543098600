"""What a covariance structure promises to the rest of gaussmix."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gaussmix.covariance.scatter import Moment, Scatter
from gaussmix.covariance.storage import Covariances


class Structure(ABC):
    """A family of covariances: which second moments it needs, and the best member for a given scatter."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which users call it, such as ``VVV``."""

    @property
    @abstractmethod
    def moment(self) -> Moment:
        """The least second moments that `estimate` needs."""

    @property
    @abstractmethod
    def axis_equivariant(self) -> bool:
        """Whether rescaling single features maps the family onto itself."""

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free covariance parameters of K components in D dimensions."""

    def n_mixture_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of a mixture: weights, means and covariances."""
        return n_components - 1 + n_components * n_features + self.n_parameters(n_components, n_features)

    @abstractmethod
    def n_own_parameters(self, n_features: int) -> int:
        """Free covariance parameters that a component does not share with others."""

    @abstractmethod
    def estimate(self, scatter: Scatter, previous: Covariances | None) -> Covariances:
        """Maximise sum_k -n_k/2 log|Sigma_k| - tr(Sigma_k^-1 W_k)/2 over the family.

        Parameters
        ----------
        scatter : Scatter
            Masses n_k > 0 and positive definite scatters W_k, of at least this structure's moment.
        previous : Covariances or None
            The last pass's answer; iterative estimates start from it and never end below it.

        Raises
        ------
        numpy.linalg.LinAlgError
            When a scatter is not positive definite in float64.
        """
