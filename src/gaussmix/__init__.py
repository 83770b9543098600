"""Gaussian mixture models: soft clustering, density estimation and model selection.

>>> import gaussmix as gm
>>> result = gm.fit("examples/faithful.csv", 2)
>>> selection = gm.select("examples/faithful.csv")
"""

# Every name is imported when it is first asked for, so that `gaussmix --help` does not wait for NumPy. The imports
# below are what a type checker reads; `_HOMES` says the same to Python, and a test compares the two.

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gaussmix import errors

if TYPE_CHECKING:
    from gaussmix.api import fit, load, resume, select
    from gaussmix.comparing import compare
    from gaussmix.covariance.eigenvalue_ratio import EigenvalueRatio
    from gaussmix.covariance.prior import ConjugatePrior
    from gaussmix.covariance.regularization import AddedDiagonal, PseudoObservations, Unregularized
    from gaussmix.detection import Outliers, density_threshold, detect, iterate_outliers
    from gaussmix.engine.executors.dask import DaskEngine
    from gaussmix.engine.executors.local import LocalEngine
    from gaussmix.estimators.classifier import MixtureClassifier
    from gaussmix.estimators.detector import MixtureOutlierDetector
    from gaussmix.estimators.mixture import GaussianMixture
    from gaussmix.estimators.search import GaussianMixtureSearch
    from gaussmix.estimators.transformer import ResponsibilityTransformer
    from gaussmix.fitting.result import FitResult
    from gaussmix.foresight import Forecast, forecast
    from gaussmix.inference.bootstrap import Bootstrap, bootstrap
    from gaussmix.inference.likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
    from gaussmix.merging import Merging, merge
    from gaussmix.mixture import Mixture
    from gaussmix.mixture.comparison import Comparison
    from gaussmix.prediction import Assignments, iterate_predictions, predict, score
    from gaussmix.reporting.facts import summarize
    from gaussmix.reporting.sketch import sketch
    from gaussmix.reporting.text import report_text
    from gaussmix.reporting.verb import report
    from gaussmix.selection.search import Selection
    from gaussmix.shards import PassStatistics, Update, add_up, collect, update

_HOMES = {
    "AddedDiagonal": "gaussmix.covariance.regularization",
    "Assignments": "gaussmix.prediction",
    "Bootstrap": "gaussmix.inference.bootstrap",
    "Comparison": "gaussmix.mixture.comparison",
    "ConjugatePrior": "gaussmix.covariance.prior",
    "DaskEngine": "gaussmix.engine.executors.dask",
    "EigenvalueRatio": "gaussmix.covariance.eigenvalue_ratio",
    "FitResult": "gaussmix.fitting.result",
    "Forecast": "gaussmix.foresight",
    "GaussianMixture": "gaussmix.estimators.mixture",
    "GaussianMixtureSearch": "gaussmix.estimators.search",
    "LikelihoodRatioTest": "gaussmix.inference.likelihood_ratio",
    "LocalEngine": "gaussmix.engine.executors.local",
    "Merging": "gaussmix.merging",
    "Mixture": "gaussmix.mixture",
    "MixtureClassifier": "gaussmix.estimators.classifier",
    "MixtureOutlierDetector": "gaussmix.estimators.detector",
    "Outliers": "gaussmix.detection",
    "PassStatistics": "gaussmix.shards",
    "PseudoObservations": "gaussmix.covariance.regularization",
    "ResponsibilityTransformer": "gaussmix.estimators.transformer",
    "Selection": "gaussmix.selection.search",
    "Unregularized": "gaussmix.covariance.regularization",
    "Update": "gaussmix.shards",
    "add_up": "gaussmix.shards",
    "bootstrap": "gaussmix.inference.bootstrap",
    "collect": "gaussmix.shards",
    "compare": "gaussmix.comparing",
    "density_threshold": "gaussmix.detection",
    "detect": "gaussmix.detection",
    "fit": "gaussmix.api",
    "forecast": "gaussmix.foresight",
    "iterate_outliers": "gaussmix.detection",
    "iterate_predictions": "gaussmix.prediction",
    "likelihood_ratio_test": "gaussmix.inference.likelihood_ratio",
    "load": "gaussmix.api",
    "merge": "gaussmix.merging",
    "predict": "gaussmix.prediction",
    "report": "gaussmix.reporting.verb",
    "report_text": "gaussmix.reporting.text",
    "resume": "gaussmix.api",
    "score": "gaussmix.prediction",
    "select": "gaussmix.api",
    "sketch": "gaussmix.reporting.sketch",
    "summarize": "gaussmix.reporting.facts",
    "update": "gaussmix.shards",
}

__all__ = [
    "AddedDiagonal",
    "Assignments",
    "Bootstrap",
    "Comparison",
    "ConjugatePrior",
    "DaskEngine",
    "EigenvalueRatio",
    "FitResult",
    "Forecast",
    "GaussianMixture",
    "GaussianMixtureSearch",
    "LikelihoodRatioTest",
    "LocalEngine",
    "Merging",
    "Mixture",
    "MixtureClassifier",
    "MixtureOutlierDetector",
    "Outliers",
    "PassStatistics",
    "PseudoObservations",
    "ResponsibilityTransformer",
    "Selection",
    "Unregularized",
    "Update",
    "add_up",
    "bootstrap",
    "collect",
    "compare",
    "density_threshold",
    "detect",
    "errors",
    "fit",
    "forecast",
    "iterate_outliers",
    "iterate_predictions",
    "likelihood_ratio_test",
    "load",
    "merge",
    "predict",
    "report",
    "report_text",
    "resume",
    "score",
    "select",
    "sketch",
    "summarize",
    "update",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gaussmix' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
