"""mlpack's `gmm_train` binding. It takes no start: a model handed in is trained anew from its own k-means."""

from __future__ import annotations

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "mlpack",
    ("mlpack",),
    ("mlpack",),
    requirements=("mlpack",),
    structures=("full", "diagonal"),
    given_start=False,
    most_passes=2,
    remark="from its own k-means",
)


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations; its counter begins at 1, so one more is asked for."""
    import mlpack

    output = mlpack.gmm_train(
        input_=x,
        gaussians=len(start.weights),
        max_iterations=passes + 1,
        tolerance=1e-300,
        diagonal_covariance=structure == "diagonal",
        kmeans_max_iterations=1,
        seed=1,
    )
    model = output["output_model"].get_cpp_params()["GMM"]
    means = np.array([each["mean"].ravel() for each in model["dists"]])
    covariances = np.array([each["covariance"] for each in model["dists"]])
    return Parameters(model["weights"].ravel(), means, covariances)
