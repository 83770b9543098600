"""The coordinates in which the arithmetic runs: a shift, and a power of two per feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, read_only

LOG_2 = float(np.log(2.0))


@final
@dataclass(frozen=True, eq=False)
class Coordinates:
    """z = (x - origin) / 2**exponents, feature by feature.

    Powers of two make the scaling exact, so a model kept in these coordinates and shown in the user's units
    loses nothing by the scaling; the shift is what keeps digits where data sit far from zero.

    Parameters
    ----------
    origin : array (D,)
        The point, in the user's units, that becomes zero.
    exponents : integer array (D,)
        Powers of two by which the features are divided.
    """

    origin: Array
    exponents: NDArray[np.int64]

    def __post_init__(self) -> None:
        exponents = np.array(self.exponents, dtype=np.int64)
        exponents.flags.writeable = False
        object.__setattr__(self, "origin", read_only(self.origin))
        object.__setattr__(self, "exponents", exponents)

    @classmethod
    def identity(cls, n_features: int) -> Self:
        """Return the user's own units."""
        return cls(np.zeros(n_features), np.zeros(n_features, dtype=np.int64))

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.origin.shape[0]

    @property
    def scale(self) -> Array:
        """The units (D,) of the coordinates, as powers of two."""
        return np.ldexp(1.0, self.exponents)

    @property
    def log_jacobian(self) -> float:
        """log |dx/dz|: a log density of x is that of z minus this."""
        return float(self.exponents.sum()) * LOG_2

    def inward(self, x: NDArray[np.floating]) -> Array:
        """Rows (N, D) of user values as rows of coordinates, float64 and C-ordered."""
        z = np.subtract(x, self.origin, dtype=np.float64, order="C")
        z *= np.ldexp(1.0, -self.exponents)
        return z

    def outward(self, z: Array) -> Array:
        """Rows (N, D) of coordinates as rows of user values."""
        return z * self.scale + self.origin

    def same_as(self, other: Coordinates) -> bool:
        """Whether both describe the same shift and scale, to the bit."""
        return self is other or (
            np.array_equal(self.origin, other.origin) and np.array_equal(self.exponents, other.exponents)
        )

    def select(self, features: NDArray[np.int64]) -> Coordinates:
        """Return the coordinates of some of the features."""
        return Coordinates(self.origin[features], self.exponents[features])
