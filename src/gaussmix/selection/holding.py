"""What holds a mixture: itself, the result of a fit, or the best of a search."""

from __future__ import annotations

from gaussmix.errors import ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection


def mixture_of(model: object) -> Mixture:
    """Return the mixture in whatever was handed in.

    Raises
    ------
    ParameterError
        When there is none.
    """
    if isinstance(model, Selection):
        return model.best.mixture
    if isinstance(model, FitResult):
        return model.mixture
    if isinstance(model, Mixture):
        return model
    raise ParameterError(
        f"expected a Mixture, a FitResult or a Selection, found {type(model).__name__}; load a file with gaussmix.load"
    )
