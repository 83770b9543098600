"""EM, and near an optimum steps mixed of its last ones (Anderson; damped and restarted: Henderson & Varadhan 2019).

An M-step on the statistics S and a pass over the rows give G(S), so EM moves by the residuals f = G(S) - S. Of the last
m + 1 passes

    S' = G_m - sum_j gamma_j (G_j+1 - G_j),    gamma = argmin |f_m - sum_j gamma_j (f_j+1 - f_j)|^2 + lambda |gamma|^2,

is where the residual would vanish if G were linear. As with leaps, statistics are extrapolated, not parameters: one
rule for all structures. The damping lambda holds |gamma|^2 to a share of what it would be without, a share that grows
with every step that is kept; after m = `ORDER` of them all but the last pass are forgotten. A step is left out where
some component would have no mass or a scatter that is not positive definite, and taken back where the objective falls.

Plain EM begins and ends every climb.
"""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.fitting.acceleration import GENTLE, slow, written
from gaussmix.fitting.em import Reseed, em, improve
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Evaluated, Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason, Settling, Stop, StoppingRule
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

ORDER = 10
"""Most differences that a step is mixed of."""
_GROWTH, _HALF = 1.2, 25  # the share is 1 / (1 + _GROWTH ** (_HALF - steps kept))
_QUIET = 3  # steps that gain less than the tolerance, one after the other, before plain EM ends the climb
_BISECTIONS = 60


def anderson(
    start: Start | Mixture | Outcome, model: Model, rule: StoppingRule, reseed: Reseed | None = None
) -> Method[Outcome]:
    """Climb as `em` does, to the same limit.

    Parameters
    ----------
    start, model, rule, reseed
        As for `em`; every trial counts as a pass.
    """
    begun = yield from em(start, model, replace(rule, tol=max(GENTLE, rule.tol)), reseed)
    if begun.reason not in (Reason.CONVERGED, Reason.DROPPED) or not model.regularization.monotone:
        return begun if begun.reason is not Reason.CONVERGED else (yield from em(begun, model, rule, reseed))
    walk = _Walk(begun, model, rule)
    try:
        if begun.statistics.moment is not model.structure.moment:
            # Compiled passes keep more moments than the structure asks for; differences need all of one kind.
            (statistics,) = yield [model.expectation(begun.mixture)]
            walk.see(statistics)
        yield from walk.run()
    except Stop as stop:
        return walk.outcome(stop.reason)
    return (yield from em(walk.outcome(begun.reason), model, rule, reseed))


@final
class _Walk:
    """Steps mixed of the last ones, from where plain EM has come near an optimum."""

    def __init__(self, begun: Outcome, model: Model, rule: StoppingRule) -> None:
        self._begun, self._model, self._rule = begun, model, rule
        self._best = Evaluated(begun.mixture, begun.statistics)
        self._objective = begun.objective
        self._trace = list(begun.trace)
        self._passes: list[tuple[Statistics, Statistics]] = []
        """Statistics that an M-step was made from, and those of the mixture that it led to."""
        self._settling = Settling(rule)
        self._settling.settled(begun.objective / begun.statistics.weight, 0.0)
        self._mixing = False
        self._kept = 0
        self._quiet = 0

    def see(self, statistics: Statistics) -> None:
        """Take in the statistics of the mixture that plain EM has come to, of another pass."""
        self._best = Evaluated(self._best.mixture, statistics)
        self._trace.append(self._objective)

    def run(self) -> Method[None]:
        """Go on until steps gain next to nothing, or the passes are used up."""
        while self._quiet < _QUIET and len(self._trace) < self._rule.max_passes:
            ahead, mixed = self._mixed()
            try:
                if mixed is None:
                    here = self._best
                    ahead = here.statistics
                    mixture = yield from improve(self._model.expectation(here.mixture), ahead, self._model)
                else:
                    mixture = mixed
            except (Collapsed, Died):
                return  # plain EM knows what to do
            assert ahead is not None
            (statistics,) = yield [self._model.expectation(mixture)]
            if not self._taken(mixture, ahead, statistics) and mixed is None:
                return  # plain EM is to judge

    def outcome(self, reason: Reason) -> Outcome:
        """Return the best mixture."""
        trace = tuple(self._trace)
        return Outcome(self._best, self._objective, reason, trace, self._begun.segments, self._begun.remaining)

    def _mixed(self) -> tuple[Statistics | None, Mixture | None]:
        """Return statistics mixed of the last ones and the mixture of which they are, where there is one."""
        settling = self._settling
        self._mixing = self._mixing or slow(settling.gain, settling.remaining, self._rule.tol)
        if len(self._passes) < 2 or not self._mixing:
            return None, None
        share = 1.0 / (1.0 + _GROWTH ** (_HALF - self._kept))
        ahead = mixed(self._passes, self._model.pilot.spreads, share)
        try:
            return ahead, self._model.maximize(ahead, self._best.mixture.spread)
        except (Collapsed, Died):
            self._passes = self._passes[-1:]
            return None, None

    def _taken(self, mixture: Mixture, source: Statistics, statistics: Statistics) -> bool:
        """Go on from a mixture, unless the objective falls."""
        objective = self._model.objective(statistics, mixture)
        gain = (objective - self._objective) / statistics.weight
        if not gain >= 0.0:
            # Near a saddle, where residuals vanish too, EM's gains grow: mixing waits until they shrink again.
            self._mixing, self._passes = False, self._passes[-1:]
            self._kept = max(self._kept - ORDER, -_HALF)
            self._trace.append(self._objective)
            return False
        self._settling.settled(objective / statistics.weight, 0.0)
        self._quiet = self._quiet + (1 if self._mixing else _QUIET) if gain < self._rule.tol else 0
        self._kept = min(self._kept + 1, 2 * _HALF)
        self._passes = [*(self._passes if len(self._passes) <= ORDER else self._passes[-1:]), (source, statistics)]
        self._best, self._objective = Evaluated(mixture, statistics), objective
        self._trace.append(objective)
        return True


def mixed(passes: list[tuple[Statistics, Statistics]], spreads: Array, share: float) -> Statistics:
    """Return G_m - sum_j gamma_j (G_j+1 - G_j).

    Parameters
    ----------
    passes : list of (Statistics, Statistics)
        S_j and G(S_j), the oldest first.
    spreads : array (D,)
        Standard deviations of the features, in the statistics' coordinates.
    share : float
        Of the squared length of gamma without damping, that the damped one has.
    """
    anchors = passes[0][1].anchors
    reached = [after.about(anchors) for _, after in passes]
    residuals = np.array(
        [
            written(after, spreads) - written(before.about(anchors), spreads)
            for (before, _), after in zip(passes, reached, strict=True)
        ]
    )
    gamma = damped(np.diff(residuals, axis=0).T, residuals[-1], share)
    counts = np.zeros(len(passes))
    counts[-1] = 1.0
    counts[1:] -= gamma
    counts[:-1] += gamma
    totals = np.tensordot(counts, np.array([each.totals for each in reached]), 1)
    pooled = None
    if reached[0].pooled is not None:
        scatters = np.array([each.pooled for each in reached])
        pooled = np.tensordot(counts, scatters, 1)
    return replace(reached[-1], totals=totals, pooled=pooled)


def damped(differences: Array, residual: Array, share: float) -> Array:
    """Return the solution of a ridge regression whose squared length is a share of that of least squares.

    Parameters
    ----------
    differences : array (P, m)
        The regressors.
    residual : array (P,)
        What is explained.
    share : float
        Between 0 and 1.
    """
    left, singular, right = np.linalg.svd(differences, full_matrices=False)
    keep = singular > singular[0] * 1e-12 if singular[0] > 0.0 else np.zeros(len(singular), dtype=bool)
    if not keep.any():
        return np.zeros(differences.shape[1])
    singular, explained, right = singular[keep], (residual @ left)[keep], right[keep]
    wanted = share * np.square(explained / singular).sum()
    low, high = np.log(singular[-1] ** 2 * 1e-12), np.log(singular[0] ** 2 * 1e12)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        long = np.square(singular * explained / (np.square(singular) + np.exp(middle))).sum() > wanted
        low, high = (middle, high) if long else (low, middle)
    return (singular * explained / (np.square(singular) + np.exp(high))) @ right
