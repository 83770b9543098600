"""pomegranate's `GeneralMixtureModel` of `Normal` distributions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "pomegranate",
    ("pomegranate", "torch"),
    ("torch", "pomegranate.gmm"),
    requirements=("torch==2.13.0", "pomegranate"),
    structures=("full", "diagonal"),
    predicts=True,
    most_passes=2,
)


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations in float64."""
    import torch

    model = _model(start, structure, passes)
    model.fit(torch.from_numpy(x))
    found = [each.covs.numpy() for each in model.distributions]
    covariances = np.array([each if each.ndim == 2 else np.diag(each) for each in found])
    means = np.array([each.means.numpy() for each in model.distributions])
    return Parameters(model.priors.numpy(), means, covariances)


def responsibilities(x: Array, start: Parameters, structure: str) -> Array:
    """Return `predict_proba` of the start."""
    import torch

    return _model(start, structure, 1).predict_proba(torch.from_numpy(x)).numpy()


def _model(start: Parameters, structure: str, passes: int) -> Any:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    full = structure == "full"
    # Copies, since fitting writes into what it is given.
    parts = [
        Normal(
            torch.tensor(mean),
            torch.tensor(covariance if full else np.diag(covariance)),
            covariance_type="full" if full else "diag",
        )
        for mean, covariance in zip(start.means, start.covariances, strict=True)
    ]
    return GeneralMixtureModel(
        parts, priors=torch.tensor(start.weights), max_iter=passes, tol=-float("inf"), check_data=False
    )
