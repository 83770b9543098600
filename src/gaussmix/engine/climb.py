"""Small problems: several passes as one request, answered by compiled code without coming back in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Family, Moment, Scatter
from gaussmix.covariance.regularization import PseudoObservations, Regularization, Unregularized
from gaussmix.data.source import Chunk
from gaussmix.engine.kernels.choose import compiled
from gaussmix.engine.summary import Pilot, Summary
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

MOST_WORK = 1 << 19
"""Rows times (D + 1)^2: beyond it BLAS is worth its calls."""
MOST_FEATURES = 16
LEAST_MASS = 1e-13
"""Of all weight: a component below it has lost its rows to rounding."""

Parameters = tuple[Array, Array, Array]

_CODES = {"I": 0, "E": 1, "V": 2}


@final
@dataclass(frozen=True, eq=False)
class Groups:
    """Masses, scatters and means of K groups of rows: an M-step makes a mixture of them.

    Parameters
    ----------
    scatter : Scatter
        Full ones, in the fit's coordinates.
    centres : array (K, D)
        Group means.
    """

    scatter: Scatter
    centres: Array


@final
@dataclass(frozen=True, eq=False, slots=True)
class Position:
    """A mixture on its way, as compiled code has it: made into values only where somebody looks.

    Parameters
    ----------
    coordinates, family : Coordinates, Family
        What the arrays mean.
    parameters : tuple of arrays
        Weights (K,), means (K, D), lower triangular factors (K, D, D).
    sums : tuple of arrays or None
        Totals (K, 1 + D + D(D+1)/2), Kish sums (K,), scalars (3,) of all rows under it, where they are known.
    """

    coordinates: Coordinates
    family: Family
    parameters: Parameters
    sums: Parameters | None = None

    def mixture(self) -> Mixture:
        """Return the mixture."""
        weights, centres, factors = self.parameters
        return Mixture.within(self.coordinates, weights, centres, self.family.stored(factors), self.family.name)

    def statistics(self) -> Statistics:
        """Return the statistics of all rows under the mixture; full moments about its means."""
        assert self.sums is not None
        totals, kish, (log_likelihood, magnitude, weight) = self.sums
        centres = self.parameters[1]
        moment = Moment.FULL
        return Statistics(self.coordinates, moment, centres, totals, None, kish, log_likelihood, magnitude, 0.0, weight)


@final
@dataclass(frozen=True, eq=False, slots=True)
class Climb:
    """A request: a few EM passes, all of them about its rows.

    Parameters
    ----------
    start : Position, Mixture or Groups
        Where to begin, in the fit's coordinates; groups are given an M-step first.
    family : Family
        Of the covariances.
    regularization : Regularization
        In the fit's coordinates; pseudo-observations or none.
    per_feature : bool
        Which coordinates.
    sampled : bool
        Ask the row sample instead of all rows.
    passes : int
        How many at most.
    accelerated : bool
        Whether to leap where EM is slow.
    tol, bar : float
        Of the stopping rule: once it is met, or cannot be, no more passes are made.
    """

    start: Position | Mixture | Groups
    family: Family
    regularization: Regularization
    per_feature: bool
    sampled: bool
    passes: int
    accelerated: bool = False
    tol: float = 0.0
    bar: float = -math.inf


@final
@dataclass(frozen=True, eq=False, slots=True)
class Climbed:
    """The answer to a `Climb`.

    Parameters
    ----------
    objectives : list of float
        Log-likelihood less the penalty, at every pass; of the best mixture where a leap failed.
    remaining : float
        Estimate of what is left to gain, per unit of weight.
    settled : bool
        Whether the rule is met, or cannot be.
    last : Position or None
        The best mixture evaluated, the last one unless a leap failed; without sums when the objective fell and it is
        the one before; None when even the M-step of the groups needs the general code.
    following : Position or None
        Where to go on; None when the M-step needs the general code, or the rule is met.
    """

    objectives: list[float]
    remaining: float
    settled: bool
    last: Position | None
    following: Position | None


def can_climb(regularization: Regularization, summary: Summary) -> bool:
    """Whether a problem is small enough, and of a kind, for compiled passes."""
    n_features = summary.means.shape[0]
    return (
        isinstance(regularization, PseudoObservations | Unregularized)
        and n_features <= MOST_FEATURES
        and summary.rows_read * (n_features + 1) ** 2 <= MOST_WORK
        and compiled()
    )


@final
class SmallRows:
    """All rows of a small source, transposed, in one set of coordinates."""

    def __init__(self, chunks: list[Chunk], pilot: Pilot) -> None:
        z = np.concatenate([pilot.coordinates.inward(chunk.x) for chunk in chunks])
        weights = [np.ones(len(chunk.x)) if chunk.weights is None else chunk.weights for chunk in chunks]
        self.coordinates = pilot.coordinates
        self.spreads = pilot.spreads.copy()
        self.rows = np.ascontiguousarray(z.T)
        self.weights = np.concatenate(weights)
        self.total = float(self.weights.sum())

    def answer(self, request: Climb) -> Climbed:
        """Make the passes."""
        from gaussmix.engine.kernels.small import FELL, GOING, SETTLED, climb
        from gaussmix.engine.kernels.small_expectation import expectation
        from gaussmix.engine.kernels.small_families import estimate

        family = request.family
        letters = _CODES[family.volume], _CODES[family.shape], _CODES[family.orientation]
        mixture = _parameters(request.start)
        n_components, n_features = mixture[1].shape
        evaluated = np.empty_like(mixture[0]), np.empty_like(mixture[1]), np.empty_like(mixture[2])
        width = 1 + n_features + n_features * (n_features + 1) // 2
        sums = np.empty((n_components, width)), np.empty(n_components), np.empty(3)
        objectives = np.empty(request.passes)
        strength, reference = _pseudo_observations(request.regularization, n_features)
        made, ending, remaining = climb(
            *(expectation, estimate(*letters[1:])),
            *(self.rows, self.weights, self.spreads, letters),
            *(strength, reference, self.coordinates.log_jacobian, max(strength, LEAST_MASS * self.total)),
            *(isinstance(request.start, Groups), request.accelerated, request.tol, request.bar),
            *(mixture, evaluated, sums, objectives),
        )
        if made == 0:
            return Climbed([], remaining, False, None, None)
        last = Position(self.coordinates, family, evaluated, None if ending == FELL else sums)
        following = Position(self.coordinates, family, mixture) if ending == GOING else None
        return Climbed(objectives[:made].tolist(), remaining, ending == SETTLED, last, following)


def _parameters(start: Position | Mixture | Groups) -> Parameters:
    """Copies for compiled code to write to: weights, means and factors; of groups masses, means and scatters."""
    if isinstance(start, Groups):
        return start.scatter.mass.copy(), start.centres.copy(), start.scatter.matrices().copy()
    if isinstance(start, Position):
        weights, centres, factors = start.parameters
        return weights.copy(), centres.copy(), factors.copy()
    factors = start.spread.triangles()
    shape = (start.n_components, *factors.shape[1:])
    return start.weights.copy(), start.centres.copy(), np.broadcast_to(factors, shape).copy()


def _pseudo_observations(regularization: Regularization, n_features: int) -> tuple[float, Array]:
    if isinstance(regularization, PseudoObservations):
        return regularization.strength, regularization.variances.copy()
    return 0.0, np.zeros(n_features)
