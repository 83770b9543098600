"""Climbing by labels: every row goes wholly to its most probable component (CEM), or to one drawn by lot (SEM)."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.engine.assignment import Hard, Sampled
from gaussmix.engine.evaluator import Request
from gaussmix.fitting.degeneracy import find_degenerate
from gaussmix.fitting.em import RESEEDS, Reseed, em, improve
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

PASSES_BY_LOT = 100
"""Passes of a start with drawn labels before EM goes on from the best mixture that they met."""


def cem(
    start: Start | Mixture | Outcome, model: Model, rule: StoppingRule, reseed: Reseed | None = None
) -> Method[Outcome]:
    """Climb the classification likelihood from `start` (Celeux & Govaert 1992; equation 22).

    This is EM whose rows belong wholly to their most probable component. There are finitely many partitions and the
    objective never falls, so that it comes to rest; clusters that lose their rows are dead components.

    Parameters
    ----------
    start, model, rule, reseed
        As in `em`.

    Returns
    -------
    Outcome
        Its objective, trace and statistics are those of the labels.
    """
    return em(start, replace(model, assignment=Hard(), small=False), rule, reseed)


def sem(
    start: Start | Mixture | Outcome,
    model: Model,
    rule: StoppingRule,
    reseed: Reseed | None = None,
    *,
    seed: int,
    max_passes: int,
) -> Method[Outcome]:
    """Wander by labels drawn from the responsibilities, then climb by EM from the best mixture met.

    The wandering is SEM (Celeux & Diebolt 1985; equation 23), the whole is what Biernacki, Celeux & Govaert (2003)
    call SEM-EM: `PASSES_BY_LOT` passes with drawn labels, at most half of `max_passes`; then EM from the mixture
    with the highest (penalised) log-likelihood among those evaluated. There is no averaging, since components may
    change places on the way. A row's whole weight goes by one lot.

    Components that drew too few rows for their covariance are put on new rows a few times; then the wandering ends.

    Parameters
    ----------
    start, model, rule, reseed
        As in `em`; the rule is for the passes of EM.
    seed : int
        The lots are a function of this, the number of the pass and the position of the rows.
    max_passes : int
        Of both kinds together.

    Returns
    -------
    Outcome
        As of EM; its trace begins with the passes by lot, in which the objective may fall.
    """
    walk = _Walk(model)
    try:
        yield from walk.wander(start, min(PASSES_BY_LOT, max_passes // 2), seed, reseed)
        rest = replace(rule, max_passes=min(rule.max_passes, max_passes - len(walk.trace)))
        end = yield from em(start if walk.best is None else walk.best[0], model, rest, reseed)
    except Stop as stop:
        return walk.outcome(stop.reason)
    segments = {*walk.segments, *(len(walk.trace) + position for position in end.segments)}
    return replace(end, trace=(*walk.trace, *end.trace), segments=tuple(sorted(segments)))


@final
class _Walk:
    """A chain of mixtures, each the M-step of labels drawn under the one before."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._objective = -math.inf
        self._reseeds = 0
        self.best: tuple[Mixture, Statistics] | None = None
        self.trace: list[float] = []
        self.segments: list[int] = []

    def wander(
        self, start: Start | Mixture | Outcome, passes: int, seed: int, reseed: Reseed | None
    ) -> Generator[Sequence[Request], list[Any], None]:
        """Make so many passes, fewer where components can neither be kept nor be put on new rows."""
        here: Mixture | None = None
        for number in range(passes):
            try:
                here = self._begin(start) if here is None else here
                if here.n_components == 1:
                    return
                here = yield from self._step(here, Sampled(seed, number))
            except Collapsed:
                return
            except Died as died:
                here = None if here is None else self._revived(here, died.components, reseed)
                if here is None:
                    return

    def outcome(self, reason: Reason) -> Outcome:
        """Return the best mixture met; raise `Stop` where there is none yet."""
        if self.best is None:
            raise Stop(reason)
        mixture, statistics = self.best
        trace, segments = tuple(self.trace), tuple(self.segments)
        return Outcome(mixture, statistics, self._objective, reason, trace, segments, math.inf)

    def _begin(self, start: Start | Mixture | Outcome) -> Mixture:
        self.segments.append(0)
        if isinstance(start, Start):
            return start.mixture(self._model)
        mixture = start.mixture if isinstance(start, Outcome) else start
        return mixture.expressed_in(self._model.pilot.coordinates)

    def _step(self, here: Mixture, lots: Sampled) -> Generator[Sequence[Request], list[Any], Mixture]:
        """Evaluate a mixture and return the next one."""
        request = self._model.expectation(here, assignment=lots)
        (statistics,) = yield [request]
        objective = self._model.objective(statistics, here)
        self.trace.append(objective)
        if objective > self._objective:
            self.best, self._objective = (here, statistics), objective
        following = yield from improve(request, statistics, self._model)
        # A component of few rows has next to no volume: its likelihood would be the highest met, and spurious.
        model, mass, kish = self._model, statistics.mass, statistics.kish_rows
        thin = find_degenerate(following, model.structure, model.regularization, mass, kish)
        if thin:
            raise Died(np.array([each.component for each in thin]))
        return following

    def _revived(self, here: Mixture, dead: NDArray[np.int64], reseed: Reseed | None) -> Mixture | None:
        if reseed is None or self._reseeds == RESEEDS or len(dead) == here.n_components:
            return None
        self._reseeds += 1
        self.segments.append(len(self.trace))
        return reseed(here, dead)
