"""The verb that lays two mixtures beside each other."""

from __future__ import annotations

from typing import Literal

from gaussmix.arguments import mixture_of
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.mixture.comparison import Comparison, matched
from gaussmix.selection.search import Selection


def compare(
    a: Mixture | FitResult | Selection,
    b: Mixture | FitResult | Selection,
    *,
    by: Literal["hellinger", "kullback_leibler", "means"] = "hellinger",
) -> Comparison:
    """Match the components of two mixtures, and say how far apart they are.

    Parameters
    ----------
    a, b : Mixture, FitResult or Selection
        Of the same features, with any numbers of components; features are matched by name where both have names.
    by : {"hellinger", "kullback_leibler", "means"}
        The distance whose sum over the pairs is made least: Hellinger's; the mean of both Kullback-Leibler
        divergences; or that of the means in standard deviations of the pooled covariance.

    Returns
    -------
    Comparison
        The pairs, the distances by all three and the overlap, and what stands alone.

    Raises
    ------
    ParameterError
        When the distance is unknown.
    ColumnError, ShapeError
        When the features are not the same.
    """
    return matched(mixture_of(a), mixture_of(b), by)
