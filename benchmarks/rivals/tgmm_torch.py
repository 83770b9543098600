"""tgmm's `GaussianMixture` in PyTorch."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from benchmarks.rivals import Rival
from benchmarks.simulation import Array, Parameters

RIVAL = Rival(
    "tgmm",
    ("tgmm", "torch"),
    ("torch", "tgmm"),
    requirements=("torch==2.13.0", "tgmm"),
    most_passes=2,
)
NAMES = {"full": "full", "tied": "tied_full", "diagonal": "diag"}


def fit(x: Array, start: Parameters, structure: str, passes: int) -> Parameters:
    """Make `passes` iterations in float64."""
    import torch

    model = _model(start, structure, passes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(torch.from_numpy(x))
    covariances = model.covariances_.numpy()
    if structure == "tied":
        covariances = np.repeat(covariances[None], len(start.weights), axis=0)
    if structure == "diagonal":
        covariances = np.array([np.diag(each) for each in covariances])
    return Parameters(model.weights_.numpy(), model.means_.numpy(), covariances)


def _model(start: Parameters, structure: str, passes: int) -> Any:
    import tgmm
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    covariances = start.covariances
    if structure == "tied":
        covariances = covariances[0]
    if structure == "diagonal":
        covariances = np.array([np.diag(each) for each in covariances])
    return tgmm.GaussianMixture(
        n_components=len(start.weights),
        n_features=start.means.shape[1],
        covariance_type=NAMES[structure],
        max_iter=passes,
        tol=1e-300,
        reg_covar=0.0,
        init_weights=torch.tensor(start.weights),
        init_means=torch.tensor(start.means),
        init_covariances=torch.tensor(covariances),
    )
