"""gaussmix as it comes: `gaussmix.fit` from a given mixture, plain maximum likelihood."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival("gaussmix", ("gaussmix", "numba", "numpy"), ("gaussmix",), predicts=True, selects=True, home="here")
NAMES = {"full": "VVV", "tied": "EEE", "diagonal": "VVI"}


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make one pass more than M-steps: gaussmix returns the mixture whose likelihood the last pass has seen.

    The tolerance is the default, since it also says how many digits a pass must keep, and with that which form a pass
    takes; a fit that converges before its time is an error here.
    """
    import gaussmix as gm

    k = len(start.weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few passes did not converge
        result = gm.fit(
            x,
            k,
            NAMES[structure],
            start=gm.Mixture(*start),
            max_passes=passes + 1,
            regularization=None,
        )
    if result.passes != passes + 1:
        raise RuntimeError(f"made {result.passes} passes ({result.reason}) instead of {passes + 1}")
    mixture = result.mixture
    return Parameters(mixture.weights, mixture.means, mixture.covariances)


def responsibilities(x: Array, start: Parameters, structure: str) -> Array:
    """Score all rows; labels, uncertainties and log densities come with it."""
    import gaussmix as gm

    return gm.predict(gm.Mixture(*start), x).responsibilities


def select(x: Array, prune: bool = True) -> dict[str, Any]:
    """Search the whole grid; return the log-likelihood of every cell that was fitted to the end, and the winner."""
    import gaussmix as gm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        selection = gm.select(x, range(1, 10), "all", prune=prune)
    cells = {  # of a pruned search hardly any is fitted to the end
        f"{row.structure},{row.n_components}": row.log_likelihood
        for row in selection.table
        if np.isfinite(row.log_likelihood) and not prune
    }
    degenerate = sum(row.degenerate for row in selection.table)
    best = selection.best
    winner = f"{best.mixture.structure},{best.mixture.n_components}"
    return {"cells": cells, "degenerate": degenerate, "best": winner, "bic": best.bic}
