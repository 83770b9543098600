"""The rows of small problems, as compiled passes take them."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from gaussmix.data.source import Chunk
from gaussmix.engine.scoring import Appraisal
from gaussmix.engine.summary import Pilot
from gaussmix.engine.terms import Terms, pseudo_observations
from gaussmix.mixture import Mixture

LEAST_MASS = 1e-13
"""Of all weight: a component below it has lost its rows to rounding."""


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

    def arguments(self, terms: Terms, made: int) -> tuple[Any, ...]:
        """Return the first arguments of compiled passes, after some: E-step, M-step, problem and rule."""
        from gaussmix.engine.kernels.small_expectation import expectation

        strength, reference = pseudo_observations(terms.regularization, len(self.spreads))
        penalty = strength, reference, self.coordinates.log_jacobian, self.least_mass(strength)
        problem = self.rows, self.weights, self.spreads, terms.letters, *penalty
        return expectation, terms.estimate, problem, (terms.accelerated, terms.tol, terms.bar, made)

    def appraise(self, mixture: Mixture) -> Appraisal | None:
        """Return what a mixture in these coordinates says of all rows; None where some are too far out to tell."""
        from gaussmix.engine.kernels.small_appraisal import appraisal

        k, d = mixture.centres.shape
        factors = np.empty((k, d, d))
        factors[:] = mixture.spread.triangles()
        whole = np.empty(3 + 3 * k)
        weights, centres = np.array(mixture.weights), np.array(mixture.centres)
        appraisal(self.rows, self.weights, self.coordinates.log_jacobian, weights, centres, factors, whole)
        return Appraisal.of(whole) if np.isfinite(whole).all() else None

    def least_mass(self, strength: float) -> float:
        """Return the mass of which a component has died, with pseudo-observations of this strength."""
        return max(strength, LEAST_MASS * self.total)
