"""The end of a fit, as a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast, final

from gaussmix import criteria
from gaussmix._linalg import Array, read_only
from gaussmix.fitting.certificate import Certificate
from gaussmix.fitting.contest import StartRecord
from gaussmix.mixture import Mixture


@final
@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted mixture, and how it came about.

    Parameters
    ----------
    mixture : Mixture
        Components by weight, largest first.
    log_likelihood : float
        Sum of weight times log density of all rows: that of `mixture`, to rounding.
    classification : float
        Sum of weight times log of the largest responsibility.
    entropy : float
        Minus the sum of weight times responsibility times its log; 0 when every row is certain.
    weight : float
        Sum of the row weights: the n of the criteria.
    n_rows : int
        Rows with a weight above zero.
    requested : int
        Number of components asked for; the mixture has fewer where some were dropped.
    effective_rows : array (K,)
        Rows' worth of weight in each component: sums of weight times responsibility.
    kish_rows : array (K,)
        Equally weighted rows that each component rests on (Kish 1965).
    assigned : array (K,)
        Weight of the rows whose most probable component this is.
    passes : int
        Passes that the returned start made.
    converged : bool
        Whether what is left to gain is below the tolerance.
    reason : str
        Why it stopped.
    trace : tuple of float
        Objective at every pass of the returned start: log-likelihood less the regularization's penalty; with "cem" the
        classification log-likelihood less it; with "sem" the first passes, with drawn labels, may fall.
    remaining : float
        Estimate of the log-likelihood per row that more passes would have gained.
    starts : tuple of StartRecord
        How every start ended.
    certificate : Certificate
        How sure the fit is to be at an optimum, and that there is no better one.
    degenerate : bool
        Whether a component rests on the regularization, or on too few rows, rather than on the data.
    warnings : tuple of str
        What the user should know, each with a cure.
    facts : dict
        How to reproduce it: data, seed, tolerance, version.
    """

    mixture: Mixture
    log_likelihood: float
    classification: float
    entropy: float
    weight: float
    n_rows: int
    requested: int
    effective_rows: Array
    kish_rows: Array
    assigned: Array
    passes: int
    converged: bool
    reason: str
    trace: tuple[float, ...]
    remaining: float
    starts: tuple[StartRecord, ...]
    certificate: Certificate
    degenerate: bool
    warnings: tuple[str, ...]
    facts: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("effective_rows", "kish_rows", "assigned"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def n_parameters(self) -> int:
        """Free parameters of the mixture."""
        return self.mixture.n_parameters

    @property
    def score(self) -> float:
        """Mean log density per unit of weight."""
        return self.log_likelihood / self.weight

    @property
    def bic(self) -> float:
        """Bayesian information criterion; lower is better."""
        return criteria.bic(self.log_likelihood, self.n_parameters, self.weight)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; lower is better."""
        return criteria.aic(self.log_likelihood, self.n_parameters)

    @property
    def aicc(self) -> float:
        """AIC corrected for few rows; lower is better, infinite when there are too few."""
        return criteria.aicc(self.log_likelihood, self.n_parameters, self.weight)

    @property
    def icl(self) -> float:
        """Integrated completed likelihood, mclust's; lower is better."""
        return criteria.icl(self.log_likelihood, self.n_parameters, self.weight, self.classification)

    def save(self, path: str | Path) -> None:
        """Write the mixture and the facts of its fit to one file.

        Parameters
        ----------
        path : path
            Replaced atomically where it exists.
        """
        self.mixture.save(path, facts=self.summary())

    def summary(self) -> dict[str, Any]:
        """JSON-ready facts of the fit, without the mixture's arrays; None for what an interrupted fit does not know."""
        facts = {
            "structure": self.mixture.structure,
            "n_components": self.mixture.n_components,
            "requested": self.requested,
            "n_features": self.mixture.n_features,
            "n_rows": self.n_rows,
            "weight": self.weight,
            "log_likelihood": self.log_likelihood,
            "score": self.score,
            "n_parameters": self.n_parameters,
            "bic": self.bic,
            "icl": self.icl,
            "aic": self.aic,
            "entropy": self.entropy,
            "effective_rows": self.effective_rows.tolist(),
            "kish_rows": self.kish_rows.tolist(),
            "assigned": self.assigned.tolist(),
            "passes": self.passes,
            "converged": self.converged,
            "reason": self.reason,
            "certificate": asdict(self.certificate),
            "degenerate": self.degenerate,
            "warnings": list(self.warnings),
            "trace": list(self.trace),
            "starts": [asdict(start) for start in self.starts],
            **self.facts,
        }
        return _finite(facts)

    def __repr__(self) -> str:
        mixture = self.mixture
        return (
            f"<FitResult {mixture.structure}, {mixture.n_components} components: log-likelihood "
            f"{self.log_likelihood:.6g}, BIC {self.bic:.6g}, {self.reason} after {self.passes} passes>"
        )


def _finite(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put None for what is not finite, which JSON cannot say."""
    return {
        name: None
        if isinstance(value, float) and not math.isfinite(value)
        else _finite(cast("dict[str, Any]", value))
        if isinstance(value, dict)
        else value
        for name, value in facts.items()
    }
