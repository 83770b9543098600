"""Stepwise EM: a mixture that is corrected batch by batch (Cappe & Moulines 2009, "On-line expectation-maximization
algorithm for latent data models", JRSS B 71), on the same statistics that add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gaussmix.covariance import Moment, Scatter
from gaussmix.covariance.regularization import AddedDiagonal
from gaussmix.data.open import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.executors.threads import one_blas_thread
from gaussmix.engine.kernels.choose import prompt
from gaussmix.engine.summary import Pilot
from gaussmix.errors import DataError
from gaussmix.estimators.checks import ILL_DEFINED, Rows
from gaussmix.estimators.climbing import maximized
from gaussmix.estimators.finding import model_of
from gaussmix.fitting.maximize import Collapsed, Model
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_EXPONENT = 0.6  # between 1/2, which forgets fastest, and 1, which forgets nothing


@final
@dataclass(frozen=True, eq=False)
class Step:
    """Where a batch has led.

    Parameters
    ----------
    mixture : Mixture
        After the M-step.
    statistics : Statistics
        Of all rows so far, later ones counting more, about their own means; of the weight of all, to rounding.
    bound : float
        Mean log-likelihood per row of the batch, of the parameters before the M-step.
    weight : float
        Of the batch.
    """

    mixture: Mixture
    statistics: Statistics
    bound: float
    weight: float


def step_size(seen: float, arriving: float) -> float:
    """Return the share (w / (n + w))^0.6 that a batch of weight w gets in the statistics, after rows of weight n.

    With batches of one size that is t^-0.6 for the t-th of them. It depends on weights alone, so that a weight of two
    is a row given twice here too.
    """
    return (arriving / (seen + arriving)) ** _EXPONENT


def step(settings: Any, mixture: Mixture, seen: Statistics | None, weight: float, rows: Rows) -> Step:
    """Correct a mixture by a batch.

    Parameters
    ----------
    settings : GaussianMixture
        Only its constructor's parameters are looked at.
    mixture : Mixture
        So far.
    seen : Statistics or None
        Of the rows so far; where they are not known, those that the mixture is the M-step of.
    weight : float
        Of the rows so far; 0 where the mixture is only where to begin.
    rows : Rows
        The batch.

    Raises
    ------
    DataError
        When a covariance becomes singular.
    """
    with prompt(), one_blas_thread():
        evaluator = Evaluator.open(open_source(rows.x, weights=rows.weights), LocalEngine(), 0, 1)
        if seen is None:
            mixture = mixture.expressed_in(model_of(settings, evaluator).pilot.coordinates)
        spreads = np.sqrt(mixture.spread.variances().max(axis=0))
        pilot = Pilot(mixture.coordinates, spreads)
        # The batch is summed in the coordinates of the rows before it, or the sums would not add.
        within = Evaluator(evaluator.source, evaluator.executor, evaluator.summary, {True: pilot, False: pilot})
        model = model_of(settings, within)
        if seen is None:
            seen = statistics_behind(mixture, weight, model)
        request = model.expectation(mixture, anchors=seen.anchors, anchored=True)
        batch: Statistics = within.answer([request])[0]
        try:
            blended = blend(seen, batch)
            improved = maximized(blended, model, mixture.spread)
        except Collapsed as error:
            raise DataError(ILL_DEFINED) from error
    return Step(improved, blended.centred(), batch.log_likelihood / batch.weight, batch.weight)


def blend(seen: Statistics, batch: Statistics) -> Statistics:
    """Return (1 - g) seen + g batch, g being the step size, each per unit of weight; times the weight of both."""
    if seen.weight == 0.0:
        return batch
    share = step_size(seen.weight, batch.weight)
    total = seen.weight + batch.weight
    return seen.scaled((1.0 - share) * total / seen.weight) + batch.scaled(share * total / batch.weight)


def statistics_behind(mixture: Mixture, weight: float, model: Model) -> Statistics:
    """Return statistics of rows of a given weight that the mixture is the M-step of."""
    moment, d, k = model.structure.moment, mixture.n_features, mixture.n_components
    mass = mixture.weights * weight
    dense = np.broadcast_to(mixture.spread.dense(), (k, d, d)) * mass[:, None, None]
    values = {
        Moment.TRACE: lambda: np.trace(dense, axis1=1, axis2=2),
        Moment.DIAGONAL: lambda: np.diagonal(dense, axis1=1, axis2=2),
        Moment.POOLED: lambda: dense.sum(axis=0)[None],
        Moment.FULL: lambda: dense,
    }[moment]()
    scatter = Scatter(moment, mass, values, d)
    added = model.regularization
    if isinstance(added, AddedDiagonal):  # the next M-step adds it again
        scatter = scatter.plus_diagonal(-added.variances, mass)
    return Statistics.of_scatter(mixture.coordinates, scatter, mixture.centres)
