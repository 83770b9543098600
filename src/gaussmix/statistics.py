"""What one pass over the rows leaves behind: a value whose size does not depend on their number, and that adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from gaussmix._linalg import Array, Integers, pack, read_only, unpack
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Moment, Scatter


def kish_rows(mass: Array, kish: Array) -> Array:
    """Return to how many equally weighted rows (K,) these sums of weights, and of their squares, come (Kish 1965)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(kish > 0.0, mass**2 / kish, 0.0)


@final
@dataclass(frozen=True, eq=False)
class Statistics:
    """Mass, first and second moments of the rows under K responsibilities.

    Parameters
    ----------
    coordinates : Coordinates
        In which everything below is written.
    moment : Moment
        Which second moments are kept.
    anchors : array (K, D)
        The points that deviations are taken from.
    totals : array (K, 1 + D + S)
        Sums over rows of weight times responsibility times (1, d, second moments of d), where d is the row minus
        the component's anchor and S is ``moment.width(D)``; full second moments as packed lower triangles.
    pooled : array (D, D) or None
        With `Moment.POOLED`: the sum of d d' over rows and components.
    kish : array (K,)
        Sums of squared weight times responsibility: mass**2 / kish is the number of rows a component rests on.
    log_likelihood : float
        Sum over rows of weight times log density (per user unit of volume), of the mixture that was asked about.
    magnitude : float
        Sum over rows of weight times |log density|: the scale of the log-likelihood's rounding errors.
    rounding : float
        Sum over rows of weight times the bound on the error of a row's log density that the pass's form allows.
    weight : float
        Sum of the row weights.
    """

    coordinates: Coordinates
    moment: Moment
    anchors: Array
    totals: Array
    pooled: Array | None
    kish: Array
    log_likelihood: float
    magnitude: float
    rounding: float
    weight: float

    def __post_init__(self) -> None:
        for name in ("anchors", "totals", "kish"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __add__(self, other: Statistics) -> Statistics:
        if self.moment is not other.moment or not self.coordinates.same_as(other.coordinates):
            raise ValueError("cannot add statistics of different coordinates or moments: compute both with one plan")
        if self.anchors is not other.anchors and not np.array_equal(self.anchors, other.anchors):
            raise ValueError("cannot add statistics about different anchors: compute both with one plan")
        pooled = None if self.pooled is None or other.pooled is None else self.pooled + other.pooled
        return Statistics(
            self.coordinates,
            self.moment,
            self.anchors,
            self.totals + other.totals,
            pooled,
            self.kish + other.kish,
            self.log_likelihood + other.log_likelihood,
            self.magnitude + other.magnitude,
            self.rounding + other.rounding,
            self.weight + other.weight,
        )

    @classmethod
    def of_scatter(cls, coordinates: Coordinates, scatter: Scatter, means: Array) -> Statistics:
        """Return the statistics, about these means, of rows with these masses and scatters; the rest is not known."""
        k, d = means.shape
        totals = np.concatenate([scatter.mass[:, None], np.zeros((k, d)), _second(scatter)], axis=1)
        pooled = scatter.values[0] if scatter.moment is Moment.POOLED else None
        weight = float(scatter.mass.sum())
        return cls(coordinates, scatter.moment, means, totals, pooled, np.zeros(k), 0.0, 0.0, 0.0, weight)

    def centred(self) -> Statistics:
        """Return the same statistics about their own means; of a component without mass about its anchor."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(self.mass[:, None] > 0.0, self.means(), self.anchors)
        return self.about(means)

    def scaled(self, factor: float) -> Statistics:
        """Return the statistics of the same rows with all their weights multiplied by a factor."""
        return Statistics(
            self.coordinates,
            self.moment,
            self.anchors,
            self.totals * factor,
            None if self.pooled is None else self.pooled * factor,
            self.kish * factor**2,
            self.log_likelihood * factor,
            self.magnitude * factor,
            self.rounding * factor,
            self.weight * factor,
        )

    def take(self, components: Integers) -> Statistics:
        """Return the same statistics with the components in another order."""
        return replace(
            self, anchors=self.anchors[components], totals=self.totals[components], kish=self.kish[components]
        )

    def about(self, anchors: Array) -> Statistics:
        """Return the same moments about other anchors a': with o = a - a', d' = d + o."""
        offsets = self.anchors - anchors
        if not offsets.any():
            return self
        d, mass = self.n_features, self.mass[:, None]
        first, second, pooled = self.totals[:, 1 : d + 1], self.totals[:, d + 1 :], self.pooled
        if self.moment is Moment.TRACE:
            second = second + ((2.0 * first + mass * offsets) * offsets).sum(axis=1, keepdims=True)
        elif self.moment is Moment.DIAGONAL:
            second = second + (2.0 * first + mass * offsets) * offsets
        else:
            crossed = first[:, :, None] * offsets[:, None, :]
            crossed = (
                crossed + crossed.transpose(0, 2, 1) + mass[:, :, None] * offsets[:, :, None] * offsets[:, None, :]
            )
            if self.moment is Moment.FULL:
                second = second + pack(crossed)
            elif pooled is not None:
                pooled = pooled + crossed.sum(axis=0)
        totals = np.concatenate([mass, first + mass * offsets, second], axis=1)
        return replace(self, anchors=anchors, totals=totals, pooled=pooled)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.anchors.shape[1]

    @property
    def mass(self) -> Array:
        """Sum of weight times responsibility (K,)."""
        return self.totals[:, 0]

    @property
    def kish_rows(self) -> Array:
        """Return the number of equally weighted rows (K,) that would carry as much information (Kish 1965)."""
        return kish_rows(self.mass, self.kish)

    def shifts(self) -> Array:
        """Means minus anchors (K, D)."""
        return self.totals[:, 1 : self.n_features + 1] / self.mass[:, None]

    def means(self) -> Array:
        """Means (K, D) of the rows under each component's responsibilities."""
        return self.anchors + self.shifts()

    def scatter(self) -> Scatter:
        """Scatter about the means: the moments about the anchors minus n (m - a)(m - a)'."""
        d, mass, shifts = self.n_features, self.mass, self.shifts()
        second = self.totals[:, d + 1 :]
        if self.moment is Moment.POOLED:
            assert self.pooled is not None
            return Scatter(self.moment, mass, (self.pooled - (shifts.T * mass) @ shifts)[None], d)
        if self.moment is Moment.TRACE:
            return Scatter(self.moment, mass, second[:, 0] - mass * np.square(shifts).sum(axis=1), d)
        if self.moment is Moment.DIAGONAL:
            return Scatter(self.moment, mass, second - mass[:, None] * np.square(shifts), d)
        outer = shifts[:, :, None] * shifts[:, None, :]
        return Scatter(self.moment, mass, unpack(second, d) - mass[:, None, None] * outer, d)


def _second(scatter: Scatter) -> Array:
    """Return the second moments (K, S) of a scatter, as `Statistics.totals` has them."""
    if scatter.moment is Moment.POOLED:
        return np.empty((scatter.n_components, 0))
    if scatter.moment is Moment.TRACE:
        return scatter.values[:, None]
    return scatter.values if scatter.moment is Moment.DIAGONAL else pack(scatter.values)
