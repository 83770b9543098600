"""Climbing by labels: every row goes wholly to its most probable component (CEM), or to one drawn by lot (SEM)."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from gaussmix.engine.assignment import Hard, Sampled
from gaussmix.engine.evaluator import Request
from gaussmix.fitting.degeneracy import find_degenerate
from gaussmix.fitting.em import Reseed, em, improve
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Evaluated, Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Stop, StoppingRule
from gaussmix.mixture import Mixture

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

    Where a component drew too few rows for its covariance, the next labels are drawn under the best mixture again, for
    the likelihood of a component without volume has no bound. Dead components are left to EM.

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
        yield from walk.wander(start, min(PASSES_BY_LOT, max_passes // 2), seed)
        rest = replace(rule, max_passes=min(rule.max_passes, max_passes - len(walk.trace)))
        end = yield from em(start if walk.best is None else walk.best.mixture, model, rest, reseed)
    except Stop as stop:
        return walk.outcome(stop.reason)
    segments = (0, *(len(walk.trace) + position for position in end.segments)) if walk.trace else end.segments
    return replace(end, trace=(*walk.trace, *end.trace), segments=segments)


@final
class _Walk:
    """A chain of mixtures, each the M-step of labels drawn under the one before."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._objective = -math.inf
        self.best: Evaluated | None = None
        self.trace: list[float] = []

    def wander(
        self, start: Start | Mixture | Outcome, passes: int, seed: int
    ) -> Generator[Sequence[Request], list[Any], None]:
        """Make so many passes; none of a single component, or where the start has no mixture."""
        try:
            here = self._mixture(start)
        except Collapsed:
            return
        for number in range(passes if here.n_components > 1 else 0):
            try:
                here = yield from self._step(here, Sampled(seed, number))
            except (Collapsed, Died):
                here = here if self.best is None else self.best.mixture

    def outcome(self, reason: Reason) -> Outcome:
        """Return the best mixture met; raise `Stop` where there is none yet."""
        if self.best is None:
            raise Stop(reason)
        return Outcome(self.best, self._objective, reason, tuple(self.trace), (0,), math.inf)

    def _mixture(self, start: Start | Mixture | Outcome) -> Mixture:
        if isinstance(start, Start):
            return start.mixture(self._model)
        mixture = start.mixture if isinstance(start, Outcome) else start
        return mixture.expressed_in(self._model.pilot.coordinates)

    def _step(self, here: Mixture, lots: Sampled) -> Generator[Sequence[Request], list[Any], Mixture]:
        """Evaluate a mixture and return the next one."""
        model = self._model
        request = model.expectation(here, assignment=lots)
        (statistics,) = yield [request]
        objective = model.objective(statistics, here)
        self.trace.append(objective)
        if objective > self._objective:
            self.best, self._objective = Evaluated(here, statistics), objective
        following = yield from improve(request, statistics, model)
        mass, kish = statistics.mass, statistics.kish_rows
        thin = find_degenerate(following, model.structure, model.regularization, mass, kish)
        if thin:
            raise Died(np.array([each.component for each in thin]))
        return following
