"""A start: groups of rows, whatever found them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from gaussmix._linalg import Array, read_only
from gaussmix.covariance import Moment, Scatter
from gaussmix.engine.climb import Groups
from gaussmix.fitting.maximize import Model
from gaussmix.mixture import Mixture


@final
@dataclass(frozen=True, eq=False)
class Start:
    """A first guess: masses, means and scatters of K groups, in units of the features' standard deviations.

    Parameters
    ----------
    kind : str
        How it was found.
    mass : array (K,)
        Rows' worth of weight in each group.
    means : array (K, D)
        Group means, about the mean of all rows.
    scatters : array (K, D, D)
        Scatters about the group means.
    by_lot : bool
        Whether another seed would give another start.
    """

    kind: str
    mass: Array
    means: Array
    scatters: Array
    by_lot: bool = True

    @property
    def favourite(self) -> bool:
        """Whether it deserves to be followed to the end, however it begins."""
        return not self.by_lot

    def __post_init__(self) -> None:
        for name in ("mass", "means", "scatters"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def groups(self, model: Model) -> Groups:
        """Return the groups in the coordinates of a fit."""
        units = model.pilot.spreads
        scatter = Scatter(Moment.FULL, self.mass, self.scatters * units * units[:, None], len(units))
        return Groups(scatter, self.means * units)

    def mixture(self, model: Model) -> Mixture:
        """Return the mixture of the model's structure that fits the groups.

        Raises
        ------
        Collapsed
            When a covariance is singular.
        """
        groups = self.groups(model)
        return model.fitted(groups.scatter, groups.centres, None)
