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
    from gaussmix.api import (
        Assignments,
        fit,
        iterate_predictions,
        load,
        predict,
        score,
        select,
    )
    from gaussmix.comparing import compare
    from gaussmix.covariance.eigenvalue_ratio import EigenvalueRatio
    from gaussmix.covariance.prior import ConjugatePrior
    from gaussmix.covariance.regularization import AddedDiagonal, PseudoObservations, Unregularized
    from gaussmix.detection import Outliers, density_threshold, detect, iterate_outliers
    from gaussmix.engine.executors.local import LocalEngine
    from gaussmix.estimators.classifier import MixtureClassifier
    from gaussmix.estimators.detector import MixtureOutlierDetector
    from gaussmix.estimators.mixture import GaussianMixture
    from gaussmix.estimators.search import GaussianMixtureSearch
    from gaussmix.estimators.transformer import ResponsibilityTransformer
    from gaussmix.fitting.result import FitResult
    from gaussmix.inference.bootstrap import Bootstrap, bootstrap
    from gaussmix.inference.likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
    from gaussmix.merging import Merging, merge
    from gaussmix.mixture import Mixture
    from gaussmix.mixture.comparison import Comparison
    from gaussmix.report.facts import summarize
    from gaussmix.report.text import report_text
    from gaussmix.selection.search import Selection

_HOMES = {
    "AddedDiagonal": "gaussmix.covariance.regularization",
    "Assignments": "gaussmix.api",
    "Bootstrap": "gaussmix.inference.bootstrap",
    "Comparison": "gaussmix.mixture.comparison",
    "ConjugatePrior": "gaussmix.covariance.prior",
    "EigenvalueRatio": "gaussmix.covariance.eigenvalue_ratio",
    "FitResult": "gaussmix.fitting.result",
    "GaussianMixture": "gaussmix.estimators.mixture",
    "GaussianMixtureSearch": "gaussmix.estimators.search",
    "LikelihoodRatioTest": "gaussmix.inference.likelihood_ratio",
    "LocalEngine": "gaussmix.engine.executors.local",
    "Merging": "gaussmix.merging",
    "Mixture": "gaussmix.mixture",
    "MixtureClassifier": "gaussmix.estimators.classifier",
    "MixtureOutlierDetector": "gaussmix.estimators.detector",
    "Outliers": "gaussmix.detection",
    "PseudoObservations": "gaussmix.covariance.regularization",
    "ResponsibilityTransformer": "gaussmix.estimators.transformer",
    "Selection": "gaussmix.selection.search",
    "Unregularized": "gaussmix.covariance.regularization",
    "bootstrap": "gaussmix.inference.bootstrap",
    "compare": "gaussmix.comparing",
    "density_threshold": "gaussmix.detection",
    "detect": "gaussmix.detection",
    "fit": "gaussmix.api",
    "iterate_outliers": "gaussmix.detection",
    "iterate_predictions": "gaussmix.api",
    "likelihood_ratio_test": "gaussmix.inference.likelihood_ratio",
    "load": "gaussmix.api",
    "merge": "gaussmix.merging",
    "predict": "gaussmix.api",
    "report_text": "gaussmix.report.text",
    "score": "gaussmix.api",
    "select": "gaussmix.api",
    "summarize": "gaussmix.report.facts",
}

__all__ = [
    "AddedDiagonal",
    "Assignments",
    "Bootstrap",
    "Comparison",
    "ConjugatePrior",
    "EigenvalueRatio",
    "FitResult",
    "GaussianMixture",
    "GaussianMixtureSearch",
    "LikelihoodRatioTest",
    "LocalEngine",
    "Merging",
    "Mixture",
    "MixtureClassifier",
    "MixtureOutlierDetector",
    "Outliers",
    "PseudoObservations",
    "ResponsibilityTransformer",
    "Selection",
    "Unregularized",
    "bootstrap",
    "compare",
    "density_threshold",
    "detect",
    "errors",
    "fit",
    "iterate_outliers",
    "iterate_predictions",
    "likelihood_ratio_test",
    "load",
    "merge",
    "predict",
    "report_text",
    "score",
    "select",
    "summarize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gaussmix' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
