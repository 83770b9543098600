"""Which outcomes a degenerate component may have bought."""

from __future__ import annotations

from typing import final
from weakref import WeakKeyDictionary

from gaussmix.fitting.degeneracy import LARGEST_SHARE, find_degenerate
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome


@final
class Judge:
    """Tells of outcomes whether a degenerate component can have bought them likelihood; of each it finds out once.

    Parameters
    ----------
    model : Model
        Whose outcomes they are.
    lenient : bool
        Whether it objects to none.
    """

    def __init__(self, model: Model, lenient: bool = False) -> None:
        self._model = model
        self._lenient = lenient
        # One that shares its whole covariance with the others cannot buy any.
        self._alone = model.structure.n_own_parameters(model.pilot.coordinates.n_features) > 0
        self._known: WeakKeyDictionary[Outcome, bool] = WeakKeyDictionary()

    def spurious(self, outcome: Outcome) -> bool:
        """Whether it may be a spurious optimum."""
        if self._lenient:
            return False
        known = self._known.get(outcome)
        if known is None:
            model, mixture, statistics = self._model, outcome.mixture, outcome.statistics
            found = find_degenerate(
                *(mixture, model.structure, model.regularization, statistics.mass, statistics.kish_rows),
                model.pilot.steps,
            )
            known = any(self._alone or each.share > LARGEST_SHARE for each in found)
            self._known[outcome] = known
        return known
