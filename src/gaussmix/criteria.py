"""Information criteria; of every one, lower is better."""

from __future__ import annotations

import math

PENALISED = ("bic", "aic", "aicc")
"""Criteria of which the log-likelihood needed for a given value can be told beforehand."""

NAMES = ("bic", "icl", "aic", "aicc")
"""Criteria computed from the data that were fitted."""


def bic(log_likelihood: float, n_parameters: int, n: float) -> float:
    """-2 LL + p log n (Schwarz 1978)."""
    return -2.0 * log_likelihood + n_parameters * math.log(n)


def aic(log_likelihood: float, n_parameters: int) -> float:
    """-2 LL + 2 p (Akaike 1974)."""
    return -2.0 * log_likelihood + 2.0 * n_parameters


def aicc(log_likelihood: float, n_parameters: int, n: float) -> float:
    """AIC + 2 p (p + 1) / (n - p - 1), infinite when n - p - 1 <= 0 (Hurvich & Tsai 1989)."""
    left = n - n_parameters - 1
    if left <= 0:
        return math.inf
    return aic(log_likelihood, n_parameters) + 2.0 * n_parameters * (n_parameters + 1) / left


def icl(log_likelihood: float, n_parameters: int, n: float, classification: float) -> float:
    """BIC - 2 sum w log max_k r_k, as mclust has it (after Biernacki, Celeux & Govaert 2000)."""
    return bic(log_likelihood, n_parameters, n) - 2.0 * classification


def penalty(name: str, n_parameters: int, n: float) -> float:
    """Return what one of the `PENALISED` criteria adds to -2 LL."""
    if name == "bic":
        return bic(0.0, n_parameters, n)
    return aic(0.0, n_parameters) if name == "aic" else aicc(0.0, n_parameters, n)
