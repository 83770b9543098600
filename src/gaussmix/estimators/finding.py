"""The best of several starts, of which a bad one does no harm to the others."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from gaussmix.covariance.regularization import AddedDiagonal
from gaussmix.engine.evaluator import Evaluator
from gaussmix.errors import DataError
from gaussmix.estimators.callbacks import Task
from gaussmix.estimators.checks import ILL_DEFINED, Rows, checked_means, checked_precisions, checked_weights
from gaussmix.estimators.climbing import PRECISION, Ascent, ascend
from gaussmix.estimators.parameters import structure_of
from gaussmix.estimators.starting import Fixed, start
from gaussmix.estimators.telling import Teller
from gaussmix.fitting.maximize import Collapsed, Model
from gaussmix.mixture import Mixture


class Last(NamedTuple):
    """Where the last fit ended, for a warm start."""

    mixture: Mixture
    lower_bound: float


def best_ascent(settings: Any, rows: Rows, evaluator: Evaluator, last: Last | None, fit: Task) -> Ascent:
    """Climb from every start; return the best.

    Parameters
    ----------
    settings : GaussianMixture
        Only its constructor's parameters are looked at.
    rows, evaluator : Rows, Evaluator
        What is fitted, and the passes over it.
    last : Last or None
        Where to go on instead.
    fit : Task
        What callbacks are told of.

    Raises
    ------
    DataError
        When all starts end in singular covariances.
    """
    model = model_of(settings, evaluator)
    fixed = _fixed(settings, rows.x.shape[1])
    random_state = check_random_state(settings.random_state)
    teller = Teller(settings, fit)
    best: Ascent | None = None
    for number in range(settings.n_init if last is None else 1):
        teller.begin(number)
        try:
            if last is None:
                found = start(rows, settings.n_components, settings.init_params, random_state, model, evaluator, fixed)
                begun = Last(found, -math.inf)
            else:
                begun = Last(last.mixture.expressed_in(model.pilot.coordinates), last.lower_bound)
            ascent = ascend(*begun, model, evaluator, tol=settings.tol, max_iter=settings.max_iter, told=teller)
        except Collapsed:
            teller.abandon()
            continue
        teller.end(ascent.converged, ascent.lower_bound)
        if best is None or _better(ascent, best):
            best = ascent
    if best is None:
        raise DataError(ILL_DEFINED)
    return best


def _better(ascent: Ascent, best: Ascent) -> bool:
    """Whether a later start is the better one; one with a singular covariance never is."""
    if ascent.collapsed != best.collapsed:
        return best.collapsed
    return ascent.lower_bound > best.lower_bound or best.lower_bound == -math.inf


def model_of(settings: Any, evaluator: Evaluator) -> Model:
    """Return what an estimator fits, in the coordinates of the rows."""
    n_features = evaluator.source.n_features
    family = structure_of(settings.covariance_type, n_features)
    pilot = evaluator.pilots[family.axis_equivariant]
    added = AddedDiagonal(np.full(n_features, float(settings.reg_covar)))
    return Model(family, added.in_units(pilot.coordinates.scale), pilot, PRECISION)


def _fixed(settings: Any, n_features: int) -> Fixed:
    """Return the parameters that the user starts from."""
    k = settings.n_components
    weights, means, precisions = settings.weights_init, settings.means_init, settings.precisions_init
    return Fixed(
        None if weights is None else checked_weights(weights, k),
        None if means is None else checked_means(means, k, n_features),
        None if precisions is None else checked_precisions(precisions, settings.covariance_type, k, n_features),
    )
