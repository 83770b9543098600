"""Gaussian mixture models: soft clustering, density estimation and model selection.

>>> import gaussmix as gm
>>> result = gm.fit("examples/faithful.csv", 2)
>>> selection = gm.select("examples/faithful.csv")
"""

from gaussmix import errors
from gaussmix.api import (
    Assignments,
    fit,
    iterate_predictions,
    load,
    predict,
    score,
    select,
)
from gaussmix.covariance.regularization import AddedDiagonal, PseudoObservations, Unregularized
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection

__all__ = [
    "AddedDiagonal",
    "Assignments",
    "FitResult",
    "LocalEngine",
    "Mixture",
    "PseudoObservations",
    "Selection",
    "Unregularized",
    "errors",
    "fit",
    "iterate_predictions",
    "load",
    "predict",
    "score",
    "select",
]
