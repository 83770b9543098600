"""On what terms compiled passes over small problems are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import Family
from gaussmix.covariance.regularization import PseudoObservations, Regularization

_CODES = {"I": 0, "E": 1, "V": 2}


@final
@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """On what terms compiled passes are made.

    Parameters
    ----------
    family : Family
        Of the covariances.
    regularization : Regularization
        In the fit's coordinates; pseudo-observations or none.
    per_feature : bool
        Which coordinates.
    sampled : bool
        Ask the row sample instead of all rows.
    accelerated : bool
        Whether to leap where EM is slow.
    tol, bar : float
        Of the stopping rule: once it is met, or cannot be, no more passes are made.
    """

    family: Family
    regularization: Regularization
    per_feature: bool
    sampled: bool
    accelerated: bool
    tol: float
    bar: float

    @property
    def letters(self) -> tuple[int, int, int]:
        """Codes of the family's letters."""
        family = self.family
        return _CODES[family.volume], _CODES[family.shape], _CODES[family.orientation]

    @property
    def estimate(self) -> Any:
        """The compiled M-step."""
        from gaussmix.engine.kernels.small_families import estimate

        return estimate(*self.letters[1:])


def pseudo_observations(regularization: Regularization, n_features: int) -> tuple[float, Array]:
    """Return strength and reference (D,) of pseudo-observations; a strength of 0 where there are none."""
    if isinstance(regularization, PseudoObservations):
        return regularization.strength, regularization.variances.copy()
    return 0.0, np.ones(n_features)
