"""What the roles of a mixture share: the parameters of the mixture that each of them fits."""

from __future__ import annotations

from typing import Any

from gaussmix.estimators.answers import Documented
from gaussmix.estimators.checks import PARAMETER_CONSTRAINTS
from gaussmix.estimators.mixture import GaussianMixture

SHARED = ("n_components", "covariance_type", "tol", "reg_covar", "max_iter", "n_init", "init_params", "random_state")
"""Parameters that a role hands on to its mixtures."""

SHARED_CONSTRAINTS: dict[str, list[Any]] = {name: PARAMETER_CONSTRAINTS[name] for name in SHARED}


class MixtureRole(Documented):
    """An estimator that fits mixtures, and is none itself."""

    def __init__(
        self,
        n_components: Any = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state

    def _unfitted(self, **changed: Any) -> GaussianMixture:
        """Return a mixture with this role's parameters, some of them changed."""
        return GaussianMixture(**({name: getattr(self, name) for name in SHARED} | changed))
