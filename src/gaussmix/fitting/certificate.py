"""How sure a fit is to be at an optimum, and that there is no better one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.fitting.contest import StartRecord
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.stopping import Reason


@final
@dataclass(frozen=True)
class Certificate:
    """What speaks for a fit.

    Parameters
    ----------
    remaining : float
        Estimate of the log-likelihood per row that more passes would gain (Boehning et al. 1994).
    gradient : float
        Length of the gradient of the log-likelihood per row by the means, each in its component's standard deviations.
    starts : int
        Starts and moves that were tried.
    reached : int
        Those that ended at the optimum returned; others were stopped before they ended, or ended lower.
    runner_up : float or None
        By how much the objective of the next best optimum is lower, in nats of the rows that starts were run on; None
        where no other was seen.
    condition : float
        Largest condition number of a component's covariance, in units of the features' standard deviations.
    """

    remaining: float
    gradient: float
    starts: int
    reached: int
    runner_up: float | None
    condition: float

    def sentence(self) -> str:
        """Say it in one sentence."""
        if self.starts < 2:
            return "one start was tried, so nothing is known of other optima"
        said = f"{self.reached} of {self.starts} starts and moves ended here"
        if self.runner_up is None:
            return f"{said}, and no other optimum was seen"
        return f"{said}; the next best optimum is {self.runner_up:.3g} nats lower"


def certify(
    outcome: Outcome, starts: Sequence[StartRecord], spreads: Array, same: float, most: float = np.inf
) -> Certificate:
    """Return the certificate of a fit.

    Parameters
    ----------
    outcome : Outcome
        How it ended.
    starts : sequence of StartRecord
        How all starts ended, on the same rows.
    spreads : array (D,)
        Standard deviations of the features, in the outcome's coordinates.
    same : float
        Difference of two objectives up to which they are those of one optimum.
    most : float
        The objective of the outcome, where it is one of the starts' rows: what is higher was found to be spurious.
    """
    ended = [start.objective for start in starts if start.reason == Reason.CONVERGED.value]
    ended = [objective for objective in ended if objective <= most + same]
    best = max(ended, default=-np.inf)
    lower = [objective for objective in ended if objective < best - same]
    mixture = outcome.mixture
    return Certificate(
        outcome.remaining,
        _gradient(outcome),
        len(starts),
        len(ended) - len(lower),
        float(best - max(lower)) if lower else None,
        _condition(mixture.spread.triangles() / spreads[:, None]),
    )


def _condition(factors: Array) -> float:
    """Return the largest condition number of the covariances with these factors (G, D, D)."""
    spreads = np.linalg.svd(factors, compute_uv=False)
    with np.errstate(divide="ignore", over="ignore"):
        return float(np.square(spreads[:, 0] / spreads[:, -1]).max())


def _gradient(outcome: Outcome) -> float:
    """|sum_n r_nk Sigma_k^-1/2 (x_n - mu_k)| over all components, per unit of weight."""
    mixture, statistics = outcome.mixture, outcome.statistics
    offsets = statistics.mass[:, None] * (statistics.means() - mixture.centres)
    white = np.linalg.solve(mixture.spread.triangles(), offsets[:, :, None])
    return float(np.sqrt(np.square(white).sum()) / statistics.weight)
