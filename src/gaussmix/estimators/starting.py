"""Where scikit-learn's mixtures start: its `init_params`, from the same random state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus

from gaussmix._linalg import Array
from gaussmix.covariance import Covariances, Diagonal, Moment, Scatter
from gaussmix.engine.assignment import Assignment, Given, Labelled
from gaussmix.engine.evaluator import Evaluator
from gaussmix.estimators.checks import Rows
from gaussmix.estimators.climbing import improve
from gaussmix.fitting.maximize import Model
from gaussmix.mixture import Mixture


@final
@dataclass(frozen=True, eq=False)
class Fixed:
    """The parameters that the user starts from, each None where it is to be found."""

    weights: Array | None
    means: Array | None
    spread: Covariances | None


def start(
    rows: Rows, n_components: int, kind: str, random_state: RandomState, model: Model, evaluator: Evaluator, own: Fixed
) -> Mixture:
    """Return the mixture that a fit starts from.

    Parameters
    ----------
    rows : Rows
        What is fitted.
    n_components : int
        K.
    kind : str
        "kmeans", "k-means++", "random" or "random_from_data".
    random_state : RandomState
        Drawn from as scikit-learn does, and left alone where all parameters are given.
    model, evaluator : Model, Evaluator
        How parameters are estimated.
    own : Fixed
        Parameters that are not to be found.

    Raises
    ------
    Collapsed
        When a covariance is singular.
    """
    if own.weights is not None and own.means is not None and own.spread is not None:
        return _with(model, own.weights, own.means, own.spread)
    if kind in ("kmeans", "random"):
        found = mixture_of_groups(_shares(rows, n_components, kind, random_state), n_components, model, evaluator)
    else:
        found = _of_single_rows(rows, _chosen_rows(rows, n_components, kind, random_state), model)
    weights = found.weights if own.weights is None else own.weights
    if own.means is None and own.spread is None:
        return Mixture.within(found.coordinates, weights, found.centres, found.spread, found.structure)
    means = found.means if own.means is None else own.means
    spread = found.spread.scaled(found.coordinates.scale) if own.spread is None else own.spread
    return _with(model, weights, means, spread)


def _with(model: Model, weights: Array, means: Array, spread: Covariances) -> Mixture:
    coordinates = model.pilot.coordinates
    inward = spread.scaled(1.0 / coordinates.scale)
    return Mixture.within(coordinates, weights, coordinates.inward(means), inward, _name(model))


def _shares(rows: Rows, n_components: int, kind: str, random_state: RandomState) -> Assignment:
    """Share the rows out by k-means, or by lot."""
    if kind == "kmeans":
        search = cast(Any, KMeans)(n_clusters=n_components, n_init=1, random_state=random_state)
        labels = search.fit(rows.x, sample_weight=rows.weights).labels_
        return Labelled(np.asarray(labels, dtype=np.int64), n_components)
    shares = random_state.uniform(size=(len(rows.x), n_components))
    return Given(shares / shares.sum(axis=1, keepdims=True))


def _chosen_rows(rows: Rows, n_components: int, kind: str, random_state: RandomState) -> NDArray[np.int64]:
    """Choose a row for each component: far apart, or by lot."""
    if kind == "k-means++":
        return kmeans_plusplus(rows.x, n_components, sample_weight=rows.weights, random_state=random_state)[1]
    odds = None if rows.weights is None else rows.weights / rows.weights.sum()
    return random_state.choice(len(rows.x), size=n_components, replace=False, p=odds)


def mixture_of_groups(shares: Assignment, n_components: int, model: Model, evaluator: Evaluator) -> Mixture:
    """Return the mixture of rows that have been shared out.

    Raises
    ------
    Collapsed
        When a covariance is singular.
    """
    spreads = model.pilot.spreads
    nowhere = Mixture.within(
        model.pilot.coordinates,
        np.full(n_components, 1.0 / n_components),
        np.zeros((n_components, len(spreads))),
        Diagonal(len(spreads), spreads[None] ** 2),
        _name(model),
    )
    request = model.expectation(nowhere, assignment=shares, anchored=True)
    return improve(request, evaluator.answer([request])[0], model, evaluator)


def _of_single_rows(rows: Rows, chosen: NDArray[np.int64], model: Model) -> Mixture:
    """Return the mixture whose components each have one row, and no scatter.

    A covariance that all share is given what scikit-learn gives it: the second moments about zero of all other rows,
    over the number of components.
    """
    coordinates, k, d = model.pilot.coordinates, len(chosen), rows.x.shape[1]
    centres = coordinates.inward(rows.x[chosen])
    scatters = {
        Moment.TRACE: np.zeros(k),
        Moment.DIAGONAL: np.zeros((k, d)),
        Moment.POOLED: np.zeros((1, d, d)),
        Moment.FULL: np.zeros((k, d, d)),
    }
    moment = model.structure.moment
    if _name(model) in ("EEE", "E"):
        z = rows.x / coordinates.scale
        others = z.T @ (z if rows.weights is None else z * rows.weights[:, None]) - z[chosen].T @ z[chosen]
        scatters[Moment.POOLED] = others[None]
        scatters[Moment.TRACE] = np.full(k, others[0, 0] / k)
    return model.fitted(Scatter(moment, np.ones(k), scatters[moment], d), centres, None)


def _name(model: Model) -> str:
    return model.structure.name
