"""The M-step: Statistics -> Mixture, and what to do with components that have died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Covariances, Family, Scatter, Structure
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.assignment import SOFT, Assignment
from gaussmix.engine.expectation import Expectation
from gaussmix.engine.plan import LARGEST_BOUND, error_bound
from gaussmix.engine.small_rows import LEAST_MASS
from gaussmix.engine.summary import Pilot
from gaussmix.engine.surrogate import Correction
from gaussmix.engine.terms import Terms
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

_FAR_MOVE = 1e4  # standard deviations beyond which moments about the old means have lost their digits


class Died(Exception):  # noqa: N818 - an event of the fit, handled by its method
    """Components have lost their rows."""

    def __init__(self, components: NDArray[np.int64]) -> None:
        super().__init__(f"components {components.tolist()} have no rows")
        self.components = components


class Collapsed(Exception):  # noqa: N818 - an event of the fit, handled by its method
    """A covariance is singular in float64."""


@final
@dataclass(frozen=True, eq=False)
class Model:
    """What is being fitted, in the coordinates in which it is.

    Parameters
    ----------
    structure : Structure
        Family of the covariances.
    regularization : Regularization
        In the pilot's coordinates.
    pilot : Pilot
        Coordinates and spreads of the rows.
    precision : float
        Tolerated error of a row's log density.
    sampled : bool
        Whether it is fitted to the row sample instead of all rows.
    small : bool
        Whether several passes may be asked for at once.
    n_rows : int
        Rows of a small problem whose starts may be raced by one request, if that does not take too long.
    assignment : Assignment
        How rows are shared out.
    level : int
        The nested sample that it is fitted to instead of all rows; 0 is none.
    correction : Correction, optional
        Makes what the nested sample says stand for all rows.
    """

    structure: Structure
    regularization: Regularization
    pilot: Pilot
    precision: float
    sampled: bool = False
    small: bool = False
    n_rows: int = 0
    assignment: Assignment = SOFT
    level: int = 0
    correction: Correction | None = None

    def expectation(
        self,
        mixture: Mixture,
        *,
        assignment: Assignment | None = None,
        anchors: Array | None = None,
        anchored: bool = False,
    ) -> Expectation:
        """Return the request for the statistics that the M-step needs; shared out in another way where one is given."""
        structure = self.structure
        return Expectation(
            mixture,
            structure.moment,
            self.precision,
            structure.axis_equivariant,
            assignment or self.assignment,
            anchors,
            anchored,
            self.sampled,
            self.level,
            self.correction,
        )

    def terms(self, rule: StoppingRule, *, accelerated: bool = False) -> Terms:
        """Return on what terms the passes of a small problem are made."""
        family = self.structure
        assert isinstance(family, Family)
        accelerated = accelerated and self.regularization.monotone
        return Terms(
            family, self.regularization, family.axis_equivariant, self.sampled, accelerated, rule.tol, rule.bar
        )

    def maximize(self, statistics: Statistics, previous: Covariances | None) -> Mixture:
        """Return the mixture that maximises the expected (penalised) log-likelihood.

        Raises
        ------
        Died
            When a component has no more mass than the regularization supplies.
        Collapsed
            When a covariance is not positive definite.
        """
        mass = statistics.mass
        dead = np.flatnonzero(~(mass > max(self.regularization.mass, LEAST_MASS * statistics.weight)))
        if len(dead):
            raise Died(dead)
        return self.fitted(statistics.scatter(), statistics.means(), previous)

    def fitted(self, scatter: Scatter, centres: Array, previous: Covariances | None) -> Mixture:
        """Return the mixture of given masses, means and scatters.

        Raises
        ------
        Collapsed
            When a covariance is not positive definite.
        """
        # Scatters beyond float64 (columns 1e100 apart in one rotation) overflow on the way; the determinants tell.
        with np.errstate(all="ignore"):
            try:
                spread = self.structure.estimate(self.regularization.prepare(scatter, centres), previous)
            except np.linalg.LinAlgError as error:
                raise Collapsed(str(error)) from error
            if not (np.isfinite(spread.arrays).all() and np.isfinite(spread.log_determinants()).all()):
                raise Collapsed("a covariance is singular in float64")
        weights = scatter.mass / scatter.mass.sum()
        centres = self.regularization.centres(scatter.mass, centres)
        return Mixture.within(self.pilot.coordinates, weights, centres, spread, self.structure.name)

    def objective(self, statistics: Statistics, mixture: Mixture) -> float:
        """Log-likelihood minus the regularization's penalty."""
        return statistics.log_likelihood - self.regularization.penalty(mixture.spread, mixture.centres)

    def repeat(self, request: Expectation, statistics: Statistics, candidate: Mixture) -> Expectation | None:
        """Return the pass to make instead, where `statistics` have lost the digits that `candidate` needs."""
        if request.anchors is not None:
            return None
        if statistics.rounding > 0.0:
            if error_bound(candidate, self.pilot.spreads) <= min(LARGEST_BOUND, self.precision):
                return None
            return self.expectation(request.mixture, assignment=request.assignment, anchored=True)
        moved = np.abs(candidate.centres - statistics.anchors)
        if (moved <= _FAR_MOVE * np.sqrt(candidate.spread.variances())).all():
            return None
        return self.expectation(
            request.mixture, assignment=request.assignment, anchors=candidate.centres, anchored=True
        )
