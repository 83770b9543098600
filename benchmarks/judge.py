"""One judge for everybody: the log-likelihood of a model by `gaussmix.Mixture.log_prob`, the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import gaussmix as gm
from benchmarks.simulation import Array, Parameters

_CHUNK = 1 << 22  # numbers in a chunk of rows times components times features
_SAME = 1e-3  # log-likelihoods this close are called equal


def mean_log_likelihood(model: Parameters, x: Array) -> float:
    """Return the mean log density per row.

    Weights are made to sum to 1 and covariances symmetric first, since float32 rivals miss both by rounding.
    """
    weights, means, covariances = (np.asarray(each, dtype=np.float64) for each in model)
    mixture = gm.Mixture(weights / weights.sum(), means, (covariances + covariances.transpose(0, 2, 1)) / 2.0)
    rows = max(1, _CHUNK // means.size)
    return sum(float(mixture.log_prob(x[i : i + rows]).sum()) for i in range(0, len(x), rows)) / len(x)


def largest_difference(start: Parameters, x: Array, shares: Array) -> float:
    """Return the largest error of responsibilities of the first rows."""
    expected = gm.Mixture(*start).responsibilities(x[: len(shares)])
    return float(np.abs(expected - shares).max())


def compare_cells(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    """Compare log-likelihoods cell by cell: equal within 1e-3, better, worse, or only there on one side."""
    shared = ours.keys() & theirs.keys()
    gains = {cell: ours[cell] - theirs[cell] for cell in shared}
    worse = {cell: gain for cell, gain in gains.items() if gain < -_SAME}
    return {
        "equal": sum(abs(gain) <= _SAME for gain in gains.values()),
        "better": sum(gain > _SAME for gain in gains.values()),
        "worse": len(worse),
        "only_ours": len(ours.keys() - theirs.keys()),
        "only_theirs": len(theirs.keys() - ours.keys()),
        "worst": [{"cell": cell, "gain": gain} for cell, gain in sorted(worse.items(), key=lambda each: each[1])[:5]],
    }
