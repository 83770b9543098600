"""Which components rest on the regularization, on too few rows, or on chance, rather than on the data.

A component whose covariance is out of line with the others, and which lies on few rows, may be no more than a
coincidence: a few rows that happen to lie close to each other, or next to a plane, buy much likelihood (McLachlan &
Peel 2000, section 3.10; Garcia-Escudero & al. 2018, "Eigenvalues and constraints in mixture modeling"). How few are
too few follows from how many such coincidences chance brings: where the others alone let e rows be expected inside a
component of n, whose covariance has q parameters of its own, q of the n rows are used up by fitting it, and

    N e^-e e^m / m!,    m = n - q,

is about the number of places among N rows with as many as that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.covariance import Structure
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.summary import rounding_variance
from gaussmix.mixture import Mixture

LARGEST_SHARE = 0.01
"""Of a component's scatter in some direction, that the regularization may supply."""
OUT_OF_LINE = 300.0
"""Times that the pooled variance in some direction is the component's: there it is a seventeenth as wide as usual."""
FEW = 5
"""Rows per parameter, above which no covariance is a coincidence."""
_LISTED = 16  # features, up to which a sentence lists a number for each
_DIGITS = 1e-6  # of a variance, for one that a user has copied from a sentence
_COINCIDENCES = 0.01  # of its kind that may be expected where a component is believed


@final
@dataclass(frozen=True)
class Degeneracy:
    """What is wrong with one component.

    Parameters
    ----------
    component : int
        Its position in the mixture.
    share : float
        Largest share, over directions, of its scatter that the regularization supplies.
    features : tuple of int
        The features that this direction is made of.
    rows, least : float, int
        Kish rows that it rests on, and the number that it would need more than.
    rounded : tuple of int
        The features in which it is narrower than the step to which they are rounded.
    ratio : float
        Times that the pooled variance is its own in the direction where it is narrowest, if that is out of line and
        chance may have brought its rows so close; 0 otherwise.
    """

    component: int
    share: float
    features: tuple[int, ...]
    rows: float
    least: int
    rounded: tuple[int, ...] = ()
    ratio: float = 0.0

    def sentence(self, feature_names: tuple[str, ...], steps: Array | None = None) -> str:
        """Say what was found and what to do; where the `steps` (D,) of rounding are known, in data units, also how."""
        who = f"component {self.component + 1}"
        if self.rows <= self.least:
            return (
                f"{who} rests on {self.rows:.3g} rows, and needs more than {self.least} for its covariance; "
                "use fewer components, a simpler structure, or check those rows"
            )
        if self.rounded and (self.share <= LARGEST_SHARE or set(self.features) <= set(self.rounded)):
            columns = ", ".join(feature_names[i] for i in self.rounded)
            return (
                f"{who} is narrower in {columns} than the step to which the values are rounded; use fewer components, "
                f"one structure for all (EEE), or leave such columns out{_cure(steps)}"
            )
        if self.ratio and self.share <= LARGEST_SHARE:
            return (
                f"{who} rests on {self.rows:.3g} rows, and the others' variance in some direction is {self.ratio:.3g} "
                "times its own: chance may have brought so few rows so close; use fewer components, one structure for "
                "all (EEE), or regularization=gaussmix.EigenvalueRatio(50)"
            )
        columns = ", ".join(feature_names[i] for i in self.features)
        return (
            f"{who} has almost no spread in {columns}: {self.share:.0%} of it there is regularization; leave out "
            "constant or redundant columns, or use fewer components"
        )


def _cure(steps: Array | None) -> str:
    if steps is None or len(steps) > _LISTED:
        return ""
    variances = ", ".join(f"{value:.9g}" for value in rounding_variance(steps))
    return f"; regularization=gaussmix.AddedDiagonal([{variances}]) counts what rounding hides as variance"


def find_degenerate(
    mixture: Mixture,
    structure: Structure,
    regularization: Regularization,
    mass: Array,
    kish_rows: Array,
    steps: Array | None = None,
) -> tuple[Degeneracy, ...]:
    """Find the degenerate components of a mixture.

    Parameters
    ----------
    mixture : Mixture
        In the coordinates of `regularization`.
    structure, regularization : Structure, Regularization
        With which it was fitted.
    mass, kish_rows : array (K,)
        Rows' worth of weight in each component, and equally weighted rows that it rests on.
    steps : array (D,), optional
        To which the features are rounded, in the mixture's coordinates. Rounding alone spreads values by a twelfth of
        the step's square: a variance below that has been bought with ties, and one that is added to make up for it is
        no artefact.
    """
    least = max(2, structure.n_own_parameters(mixture.n_features))
    narrow = np.zeros((len(mass), mixture.n_features), dtype=bool)
    if steps is not None:
        narrow |= mixture.spread.variances() < (1.0 - _DIGITS) * rounding_variance(steps)
        regularization = regularization.beyond(rounding_variance(steps))
    ratios = _coincidences(mixture, structure, mass, kish_rows, least)
    sane = (kish_rows > least).all() and not narrow.any() and not ratios.any()
    if sane and regularization.supplies_less(mixture.spread, mass, LARGEST_SHARE):
        return ()
    shares, directions = regularization.shares(mixture.spread, mass)
    wrong = np.flatnonzero((shares > LARGEST_SHARE) | (kish_rows <= least) | narrow.any(axis=1) | (ratios > 0.0))
    return tuple(
        Degeneracy(
            *(int(k), float(shares[k]), _leading(directions[k]), float(kish_rows[k]), least),
            tuple(int(i) for i in np.flatnonzero(narrow[k])),
            float(ratios[k]),
        )
        for k in wrong
    )


def _coincidences(mixture: Mixture, structure: Structure, mass: Array, kish_rows: Array, least: int) -> Array:
    """Ratios (K,) of the pooled variance to the least of every component that chance may have made; 0 for others."""
    ratios, d = np.zeros(len(mass)), mixture.n_features
    own = structure.n_own_parameters(d)
    few = np.flatnonzero((kish_rows > least) & (kish_rows <= FEW * least))
    if own == 0 or len(mass) == 1 or not len(few):
        return ratios
    shape = len(mass), d, d
    pooled = np.tensordot(mixture.weights, np.broadcast_to(mixture.spread.dense(), shape), 1)
    whiteners = np.broadcast_to(mixture.spread.whiteners(), shape)[few]
    seen = whiteners @ pooled @ np.swapaxes(whiteners, 1, 2)
    # No eigenvalue is above the sum of all.
    doubtful = np.trace(seen, axis1=1, axis2=2) > OUT_OF_LINE
    for k, matrix in zip(few[doubtful], seen[doubtful], strict=True):
        ratio = float(np.linalg.eigvalsh(matrix)[-1])
        if ratio > OUT_OF_LINE:
            spare = float(kish_rows[k]) - own
            # Where more are expected than there are, that is no feat at all.
            expected = min(_log_expected(mixture, int(k), mass.sum()), np.log(spare))
            logs = np.log(mass.sum()) - np.exp(expected) + spare * expected - math.lgamma(spare + 1.0)
            ratios[k] = ratio if logs > np.log(_COINCIDENCES) else 0.0
    return ratios


def _log_expected(mixture: Mixture, component: int, n_rows: float) -> float:
    """Log of the number of rows that the other components let expect inside a component.

    Inside is where a uniform density of its covariance would be: within sqrt(D + 2) standard deviations.
    """
    spread, centre, d = mixture.spread, mixture.centres[component], mixture.n_features
    logs = spread.log_determinants()
    others = [
        np.log(mixture.weights[j])
        - 0.5 * (logs[spread.group(j)] + np.square(spread.whiten(j, (centre - mixture.centres[j])[None])).sum())
        for j in range(mixture.n_components)
        if j != component
    ]
    volume = 0.5 * (d * np.log(d + 2.0) + logs[spread.group(component)]) - math.lgamma(0.5 * d + 1.0)
    return float(np.log(n_rows) + np.logaddexp.reduce(others) - 0.5 * d * np.log(2.0) + volume)


def _leading(direction: NDArray[np.float64]) -> tuple[int, ...]:
    size = np.abs(direction)
    return tuple(int(i) for i in np.flatnonzero(size >= 0.3 * size.max()))
