"""oneDAL's `em_gmm`, through the daal4py that ships in scikit-learn-intelex."""

from __future__ import annotations

import os

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "onedal",
    ("scikit-learn-intelex", "daal"),
    ("daal4py",),
    requirements=("scikit-learn-intelex",),
    structures=("full", "diagonal"),
)


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations."""
    import daal4py

    daal4py.daalinit(int(os.environ["OMP_NUM_THREADS"]))
    full = structure == "full"
    algorithm = daal4py.em_gmm(
        nComponents=len(start.weights),
        maxIterations=passes,
        accuracyThreshold=0.0,
        covarianceStorage="full" if full else "diagonal",
    )
    given = list(start.covariances) if full else [np.diag(each)[None].copy() for each in start.covariances]
    result = algorithm.compute(x, start.weights[None], start.means, given)
    found = [each if full else np.diag(each[0]) for each in result.covariances]
    return Parameters(result.weights[0], result.means, np.array(found))
