"""A sample that stands for all rows: its statistics, corrected by what all rows said of one mixture.

Under a mixture t all rows have the statistics S(t), and a sample of them, weighted up to their weight, s(t). Where both
are known for one mixture t0, s(t) + S(t0) - s(t0) is near S(t) for all mixtures near t0, without another read. Passes
with such statistics climb

    l(t) + <natural parameters of t, S(t0) - s(t0)>,

l being the sample's log-likelihood: EM's M-step still maximises a lower bound of it. Its gradient at t0 is that of all
rows, so the maximum is not the sample's but nearly that of all rows: the error shrinks, from one read of all rows to
the next, by about the sample's own relative error, however slow EM is (Jordan, Lee & Yang 2019,
"Communication-efficient distributed statistical inference", equation 5).

Where EM is slower than the sample is exact, that function need not have a maximum. So S(t0) may be given a share in
the statistics: a step towards t0 in the metric of EM itself (a proximal point, as in Chretien
& Hero 2000), after which the gradient at t0 is still that of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from gaussmix._linalg import LOG_2PI, Array, unpack
from gaussmix.covariance import Moment
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics


@final
@dataclass(frozen=True, eq=False)
class Correction:
    """What all rows say beyond a sample of them, under one mixture.

    Parameters
    ----------
    scale : float
        Weight of all rows over that of the sample.
    beyond : Statistics
        Statistics of all rows minus those of the sample, weighted up; its log-likelihood makes up the difference
        of theirs under that mixture.
    whole : Statistics
        Of all rows, under that mixture; its log-likelihood has the complete one under it taken off.
    hold : float
        Share that these are given, from 0 to below 1.
    """

    scale: float
    beyond: Statistics
    whole: Statistics
    hold: float = 0.0

    @classmethod
    def between(cls, whole: Statistics, sample: Statistics, mixture: Mixture) -> Self:
        """Return the correction by what all rows, and the sample, said of `mixture`."""
        scale = whole.weight / sample.weight
        part = sample.scaled(scale).about(whole.anchors)
        pooled = None if whole.pooled is None or part.pooled is None else whole.pooled - part.pooled
        beyond = replace(whole, totals=whole.totals - part.totals, pooled=pooled)
        level = whole.log_likelihood - part.log_likelihood - complete_log_likelihood(beyond, mixture)
        start = whole.log_likelihood - complete_log_likelihood(whole, mixture)
        return cls(scale, replace(beyond, log_likelihood=level), replace(whole, log_likelihood=start))

    def applied(self, sample: Statistics, mixture: Mixture) -> Statistics:
        """Return what stands for the statistics of all rows under `mixture`, of which the sample's are given."""
        step = 1.0 - self.hold
        part = sample.scaled(self.scale)
        parts = [(step, part), (step, self.beyond.about(sample.anchors)), (self.hold, self.whole.about(sample.anchors))]
        log_likelihood = step * part.log_likelihood
        log_likelihood += sum(
            share * (each.log_likelihood + complete_log_likelihood(each, mixture)) for share, each in parts[1:]
        )
        pooled = [share * each.pooled for share, each in parts if each.pooled is not None]
        return replace(
            part,
            totals=sum((share * each.totals for share, each in parts), np.zeros_like(part.totals)),
            pooled=sum(pooled[1:], pooled[0]) if pooled else None,
            kish=sample.kish * self.scale,
            log_likelihood=log_likelihood,
            rounding=part.rounding + self.beyond.rounding,
        )


def complete_log_likelihood(statistics: Statistics, mixture: Mixture) -> float:
    """Return the log-likelihood of rows and labels together, of statistics that need not be any mixture's own.

    Sum over components of mass times (log weight plus log of the density's constant) minus half the trace of the
    precision times the scatter about the component's mean.
    """
    d, spread = mixture.n_features, mixture.spread
    about = statistics.about(mixture.centres)
    with np.errstate(divide="ignore"):
        constants = np.log(mixture.weights) - 0.5 * spread.log_determinants()
    constants = constants - 0.5 * d * LOG_2PI - mixture.coordinates.log_jacobian
    return float(constants @ about.mass - 0.5 * _traces(about, mixture).sum())


def _traces(about: Statistics, mixture: Mixture) -> Array:
    """Traces of precision times second moment, of every component (K,), or of the one that all share."""
    whiteners = mixture.spread.whiteners()
    precisions = np.swapaxes(whiteners, 1, 2) @ whiteners
    second = about.totals[:, 1 + about.n_features :]
    if about.moment is Moment.TRACE:
        return second[:, 0] * precisions[:, 0, 0]
    if about.moment is Moment.DIAGONAL:
        return (second * np.diagonal(precisions, axis1=1, axis2=2)).sum(axis=1)
    moments = unpack(second, about.n_features) if about.pooled is None else about.pooled[None]
    return (moments * precisions).sum(axis=(1, 2))
