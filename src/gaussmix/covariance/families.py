"""The fourteen parsimonious families of Banfield & Raftery (1993) and Celeux & Govaert (1995).

Sigma_k = volume_k * rotation_k * shape_k * rotation_k', with det(shape_k) = 1. Each of volume, shape and
orientation is Equal across components, Variable, or (shape, orientation) the Identity; the family's name is these
three letters. One table of triples gives names, parameter counts, moments, aliases and nesting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import estimation
from gaussmix.covariance.scatter import Moment, Scatter
from gaussmix.covariance.storage import Covariances, Dense, Diagonal, Scalar
from gaussmix.covariance.structure import Structure
from gaussmix.errors import ParameterError

_LETTER_ORDER = {"I": 0, "E": 1, "V": 2}
# Families that a rescaling of single features maps onto themselves; for the rest only a common factor does.
_AXIS_EQUIVARIANT = frozenset({"VVV", "EVV", "VEE", "EEE", "VVI", "EEI", "VEI", "EVI"})


@final
@dataclass(frozen=True)
class Family(Structure):
    """One of the fourteen, as its (volume, shape, orientation) letters; E and V for a single feature."""

    volume: str
    shape: str
    orientation: str
    univariate: bool = False

    @property
    def name(self) -> str:
        """mclust's name."""
        return self.volume if self.univariate else self.volume + self.shape + self.orientation

    @property
    def moment(self) -> Moment:
        """Traces, diagonals, one pooled matrix (EEE) or full matrices."""
        if self.orientation != "I":
            return Moment.POOLED if self.name == "EEE" else Moment.FULL
        return Moment.TRACE if self.shape == "I" else Moment.DIAGONAL

    @property
    def axis_equivariant(self) -> bool:
        """Whether rescaling single features maps the family onto itself."""
        return self.univariate or self.name in _AXIS_EQUIVARIANT

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Parameters of the volumes, the shapes and the orientations."""
        own = self.n_own_parameters(n_features)
        return n_components * own + self._parameters_of("E", n_features)

    def n_own_parameters(self, n_features: int) -> int:
        """Parameters of what is Variable."""
        return self._parameters_of("V", n_features)

    def estimate(self, scatter: Scatter, previous: Covariances | None) -> Covariances:
        """Return the maximum likelihood member of the family for `scatter`."""
        return estimation.estimate(self._letters, scatter, previous)

    def stored(self, factors: Array) -> Covariances:
        """Return covariances of this family, given as lower triangular factors (K, D, D), in its own storage."""
        n_features = factors.shape[-1]
        if self.orientation != "I":
            return Dense(n_features, factors[:1] if self.name == "EEE" else factors)
        squares = np.square(np.diagonal(factors, axis1=1, axis2=2))
        groups = squares[:1] if self.volume == "E" and self.shape != "V" else squares
        return Scalar(n_features, groups[:, 0]) if self.shape == "I" else Diagonal(n_features, groups)

    def lies_in(self, other: Family) -> bool:
        """Whether every member of this family is one of `other`'s: letter by letter, I <= E <= V."""
        return (
            _LETTER_ORDER[self.volume] <= _LETTER_ORDER[other.volume]
            and _LETTER_ORDER[self.shape] <= _LETTER_ORDER[other.shape]
            and _LETTER_ORDER[self.orientation] <= _LETTER_ORDER[other.orientation]
        )

    @property
    def _letters(self) -> tuple[str, str, str]:
        return self.volume, self.shape, self.orientation

    def _parameters_of(self, letter: str, n_features: int) -> int:
        """Free parameters of one volume, shape or orientation in D dimensions, of those with this letter."""
        volume, shape, orientation = self.volume == letter, self.shape == letter, self.orientation == letter
        return volume + shape * (n_features - 1) + orientation * (n_features * (n_features - 1) // 2)


NAMES = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
"""The fourteen names, from few parameters to many."""

FAMILIES = {name: Family(name[0], name[1], name[2]) for name in NAMES} | {
    "E": Family("E", "I", "I", univariate=True),
    "V": Family("V", "I", "I", univariate=True),
}

ALIASES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "diagonal": "VVI", "spherical": "VII"}
"""scikit-learn's four names, and one more spelling."""


def family(name: str, n_features: int) -> Family:
    """Return the family called `name` for D features; of a single feature only the volume's letter counts.

    Raises
    ------
    ParameterError
        When the name is unknown, or E or V is asked for with more than one feature.
    """
    known = ALIASES.get(name.lower(), name.upper())
    if known not in FAMILIES:
        raise ParameterError(
            f"covariance={name!r} is not a known structure; choose one of {', '.join(NAMES)}, "
            f"E or V for one feature, or {', '.join(ALIASES)}"
        )
    if n_features == 1:
        return FAMILIES[known[0]]
    if known in ("E", "V"):
        raise ParameterError(
            f"covariance={name!r} is for a single feature, but there are {n_features}; "
            f"'{known}II' is its spherical, '{known * 3}' its general counterpart"
        )
    return FAMILIES[known]


def distinct_families(n_features: int) -> tuple[str, ...]:
    """Names that mean different models of D features."""
    return ("E", "V") if n_features == 1 else NAMES
