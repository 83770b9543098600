"""Which outcomes a degenerate component may have bought."""

from __future__ import annotations

from typing import final
from weakref import WeakKeyDictionary

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.climb import Position
from gaussmix.engine.summary import rounding_variance
from gaussmix.engine.terms import pseudo_observations
from gaussmix.fitting.degeneracy import FEW, LARGEST_SHARE, OUT_OF_LINE, Degeneracy, find_degenerate
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.statistics import kish_rows


@final
class Judge:
    """Tells of outcomes whether a degenerate component can have bought them likelihood; of each it finds out once.

    Parameters
    ----------
    model : Model
        Whose outcomes they are.
    lenient : bool
        Whether it objects to none.
    scale : float
        Times as much weight that all rows have as those that the outcomes are of: the regularization is for all rows,
        and supplies so many times more of a sample's scatters.
    """

    def __init__(self, model: Model, lenient: bool = False, scale: float = 1.0) -> None:
        self._model = model
        self._lenient = lenient
        self._scale = scale
        # One that shares its whole covariance with the others cannot buy any.
        self._alone = model.structure.n_own_parameters(model.pilot.coordinates.n_features) > 0
        self._known: WeakKeyDictionary[Outcome, bool] = WeakKeyDictionary()
        self.limits = _limits(model) if model.small else None

    def spurious(self, outcome: Outcome) -> bool:
        """Whether it may be a spurious optimum."""
        if self._lenient:
            return False
        known = self._known.get(outcome)
        if known is None:
            known = self._known[outcome] = bool(self.wrong(outcome))
        return known

    def wrong(self, outcome: Outcome) -> tuple[int, ...]:
        """Return the components that may have bought likelihood."""
        found = self.degenerate(outcome, *_masses(outcome))
        return tuple(each.component for each in found if self._objects(each))

    def _objects(self, found: Degeneracy) -> bool:
        share = found.share / (found.share + (1.0 - found.share) * self._scale)
        otherwise = found.rows <= found.least or bool(found.rounded) or found.ratio > 0.0
        return share > LARGEST_SHARE or (self._alone and otherwise)

    def degenerate(self, outcome: Outcome, mass: Array, kish: Array) -> tuple[Degeneracy, ...]:
        """Return its degenerate components, with these masses and sums of squared responsibilities (K,)."""
        model, found = self._model, outcome.found
        if self.limits is not None and isinstance(found, Position):
            from gaussmix.engine.kernels.small_judge import sane

            weights, _, factors = found.parameters
            if sane(weights, factors, np.array(mass), np.array(kish), *self.limits):
                return ()
        rows = kish_rows(mass, kish)
        return find_degenerate(outcome.mixture, model.structure, model.regularization, mass, rows, model.pilot.steps)


def _masses(outcome: Outcome) -> tuple[Array, Array]:
    found = outcome.found
    if isinstance(found, Position) and found.sums is not None:
        return found.sums[0][:, 0], found.sums[1]
    return found.statistics.mass, found.statistics.kish


Limits = tuple[Array, Array, float, float, int, float, float]
"""What `kernels.small_judge.sane` measures by."""


def _limits(model: Model) -> Limits:
    """Return what compiled code needs to know to find an outcome sane."""
    n_features = model.pilot.coordinates.n_features
    steps = np.zeros(n_features) if model.pilot.steps is None else model.pilot.steps
    strength, reference = pseudo_observations(model.regularization, n_features)
    own = model.structure.n_own_parameters(n_features)
    least = max(2, own)
    few = float(FEW * least) if own else 0.0
    return rounding_variance(steps), reference, strength, LARGEST_SHARE, least, few, OUT_OF_LINE
