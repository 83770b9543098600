"""What is to be shown: anything that holds a mixture, known by its public attributes."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.data.open import columns_for
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.portrait import Portrait, portray
from gaussmix.errors import ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection import holding
from gaussmix.selection.search import Selection


def mixture_of(model: Any) -> Mixture:
    """Return the mixture of a Mixture, FitResult, Selection or fitted estimator, scikit-learn's among them.

    Raises
    ------
    ParameterError
        When there is none.
    """
    if isinstance(model, Mixture | FitResult | Selection):
        return holding.mixture_of(model)
    for name in ("mixture_", "best_estimator_", "estimator_"):
        held = getattr(model, name, None)
        if held is not None:
            return mixture_of(held)
    if all(getattr(model, name, None) is not None for name in ("weights_", "means_", "covariances_")):
        return _written_out(model)
    raise ParameterError(
        f"expected a Mixture, a FitResult, a Selection or a fitted estimator, found {type(model).__name__}; "
        "call its fit"
    )


def _written_out(estimator: Any) -> Mixture:
    """Return the mixture of an estimator that follows scikit-learn's conventions."""
    means = np.asarray(estimator.means_, dtype=np.float64)
    covariances = np.asarray(estimator.covariances_, dtype=np.float64)
    count, n_features = means.shape
    kind = getattr(estimator, "covariance_type", "full")
    if kind == "tied":
        covariances = np.broadcast_to(covariances, (count, n_features, n_features))
    elif kind == "diag":
        covariances = covariances[:, :, None] * np.eye(n_features)
    elif kind == "spherical":
        covariances = covariances[:, None, None] * np.eye(n_features)
    names = getattr(estimator, "feature_names_in_", None)
    return Mixture(
        estimator.weights_, means, covariances, feature_names=None if names is None else [str(name) for name in names]
    )


def portrait(
    model: Any, data: object, *, weights: object = None, missing: Literal["error", "drop"] = "error", seed: int = 0
) -> Portrait:
    """Read the data twice, and return all that pictures need of them.

    Parameters
    ----------
    model : Mixture, FitResult, Selection or fitted estimator
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D); read in chunks and never held whole.
    weights : array (N,) or column name, optional
        Row weights.
    missing : {"error", "drop"}
        What to do with rows that have missing values.
    seed : int
        Of the sample of rows that are drawn as points.
    """
    mixture = mixture_of(model)
    source = columns_for(data, mixture.feature_names, n_features=mixture.n_features, weights=weights, missing=missing)
    return portray(mixture, source, LocalEngine(), seed=seed)


def names_of(mixture: Mixture) -> list[str]:
    """Return the features' names, made up where there are none."""
    return list(mixture.feature_names or (f"x{i + 1}" for i in range(mixture.n_features)))


def axes_of(ax: Axes | None, width: float = 6.0, height: float = 4.5) -> Axes:
    """Return the axes to draw in: those given, or those of a new figure."""
    if ax is not None:
        return ax
    _, made = pyplot.subplots(figsize=(width, height), layout="constrained")
    return made


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes belong to."""
    return cast(Figure, ax.get_figure(root=True))


def thinned(portrait: Portrait, most: int) -> tuple[Array, NDArray[np.int64], Array]:
    """Return (rows, labels, uncertainty) of at most `most` rows of the sample, drawn by their keys."""
    keep = np.sort(np.argsort(portrait.summary.keys, kind="stable")[:most])
    scores = portrait.scores
    return portrait.summary.sample[keep], scores.labels[keep], scores.uncertainty[keep]
