"""EM by scikit-learn's stopping rule: the mean log-likelihood before the last M-step has changed by less than tol."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, pack
from gaussmix.covariance import Covariances, Moment
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.expectation import Expectation
from gaussmix.estimators.telling import Teller
from gaussmix.fitting.maximize import Collapsed, Model
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_PSEUDO_MASS = 10.0 * float(np.finfo(np.float64).eps)
"""scikit-learn gives every component this much of a row, at zero: an empty component goes there."""
_LIGHT = 1e-4  # rows; to components heavier than this the pseudo-mass adds less than a part in 10^10

PRECISION = 1e-10
"""Tolerated error of a row's log density, so that a hundred iterations still agree to 1e-8."""


@final
@dataclass(frozen=True, eq=False)
class Ascent:
    """How one start ended.

    Parameters
    ----------
    mixture : Mixture
        After the last M-step.
    bounds : tuple of float
        Mean log-likelihood per row at every iteration, of the parameters before its M-step.
    converged : bool
        Whether the last change was below the tolerance.
    collapsed : bool
        Whether it ended because a covariance would have become singular; `mixture` then is that before the M-step.
    """

    mixture: Mixture
    bounds: tuple[float, ...]
    converged: bool
    collapsed: bool = False

    @property
    def lower_bound(self) -> float:
        """The last of the bounds."""
        return self.bounds[-1] if self.bounds else -math.inf


def ascend(
    mixture: Mixture, before: float, model: Model, evaluator: Evaluator, *, tol: float, max_iter: int, told: Teller
) -> Ascent:
    """Climb from `mixture`, whose lower bound was `before`, for at most `max_iter` iterations."""
    bounds: list[float] = []
    for number in range(1, max_iter + 1):
        told.begin_iteration()
        request = model.expectation(mixture)
        statistics: Statistics = evaluator.answer([request])[0]
        bounds.append(statistics.log_likelihood / statistics.weight)
        try:
            mixture = improve(request, statistics, model, evaluator)
        except Collapsed:
            return Ascent(mixture, tuple(bounds), converged=False, collapsed=True)
        change, before = bounds[-1] - before, bounds[-1]
        asked_to_stop = told.iteration(number, change, mixture)
        if abs(change) < tol:
            return Ascent(mixture, tuple(bounds), True)
        if asked_to_stop:
            break
    return Ascent(mixture, tuple(bounds), False)


def improve(request: Expectation, statistics: Statistics, model: Model, evaluator: Evaluator) -> Mixture:
    """Maximise, with every component kept; where digits were lost, make the pass again first.

    Raises
    ------
    Collapsed
        When a covariance is singular.
    """
    candidate = maximized(statistics, model, request.mixture.spread)
    while (again := model.repeat(request, statistics, candidate)) is not None:
        request, statistics = again, evaluator.answer([again])[0]
        candidate = maximized(statistics, model, request.mixture.spread)
    return candidate


def maximized(statistics: Statistics, model: Model, previous: Covariances) -> Mixture:
    """Return the M-step with every component kept.

    Raises
    ------
    Collapsed
        When a covariance is singular.
    """
    light = statistics.mass < _LIGHT
    if light.any():
        statistics = _propped_up(statistics, light)
    return model.fitted(statistics.scatter(), statistics.means(), previous)


def _propped_up(statistics: Statistics, light: NDArray[np.bool_]) -> Statistics:
    """Move the means of components that have nearly no rows towards zero, by a pseudo-mass that has no scatter."""
    added = _PSEUDO_MASS * light
    coordinates, d = statistics.coordinates, statistics.n_features
    home = coordinates.inward(np.zeros((1, d))) - statistics.anchors
    totals = statistics.totals.copy()
    totals[:, 0] += added
    totals[:, 1 : d + 1] += added[:, None] * home
    shifts = totals[:, 1 : d + 1] / totals[:, :1]
    lent = added[:, None, None] * (_squares(home) - _squares(home - shifts))
    pooled = statistics.pooled
    if statistics.moment is Moment.POOLED:
        assert pooled is not None
        pooled = pooled + lent.sum(axis=0)
    elif statistics.moment is Moment.TRACE:
        totals[:, d + 1] += np.trace(lent, axis1=1, axis2=2)
    elif statistics.moment is Moment.DIAGONAL:
        totals[:, d + 1 :] += np.diagonal(lent, axis1=1, axis2=2)
    else:
        totals[:, d + 1 :] += pack(lent)
    return replace(statistics, totals=totals, pooled=pooled)


def _squares(rows: Array) -> Array:
    return rows[:, :, None] * rows[:, None, :]
