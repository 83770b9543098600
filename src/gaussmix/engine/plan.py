"""A mixture made ready for one pass: coordinates, natural parameters, block size, and which form is safe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

from gaussmix._linalg import LOG_2PI, Array, pack
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Moment
from gaussmix.engine.summary import Pilot
from gaussmix.mixture import Mixture

_EPS = float(np.finfo(np.float64).eps)
LARGEST_BOUND = 1e-9  # of a row's log density: no quadratic pass beyond it, whatever the tolerance
_BLOCK_NUMBERS = 1 << 18  # float64 numbers of features and log densities that one block may fill: 2 MB


class Form(Enum):
    """How log densities and moments are computed (docs/mathematics.md, equations 12 and 13)."""

    QUADRATIC = "quadratic"
    """One product of features with natural parameters; loses digits where clusters are thin or far out."""
    ANCHORED = "anchored"
    """Rows centred on each mean and whitened by the covariance factor: safe, and slower."""


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """All that a kernel needs to know of a mixture.

    Parameters
    ----------
    coordinates : Coordinates
        In which the arithmetic runs.
    moment : Moment
        Second moments to accumulate.
    form : Form
        Quadratic or anchored.
    constants : array (K,)
        Log weight plus all of a component's log density that does not depend on the row.
    centres : array (K, D)
        Means, in the coordinates.
    anchors : array (K, D)
        What moments are taken about: zero for the quadratic form.
    natural : array (K, 1 + D + S)
        Natural parameters for the quadratic form, in the order of `Statistics.totals`.
    whiteners : array (G, D, D), (G, D) or (G,)
        Inverse factors for the anchored form: of matrices, of diagonals, of scalars.
    precision : array (D, D) or None
        The common precision matrix of a pooled quadratic pass: its quadratic term is added for all rows at once.
    block_rows : int
        Rows per block.
    bound : float
        Bound on the rounding error of a row's log density.
    """

    coordinates: Coordinates
    moment: Moment
    form: Form
    constants: Array
    centres: Array
    anchors: Array
    natural: Array
    whiteners: Array
    precision: Array | None
    block_rows: int
    bound: float

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return self.centres.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.centres.shape[1]

    @property
    def work(self) -> int:
        """Products of features and shares for one row."""
        d = self.n_features
        return self.n_components * (1 + d + self.moment.width(d))


def make_plan(
    mixture: Mixture,
    pilot: Pilot,
    moment: Moment,
    *,
    precision: float,
    anchors: Array | None = None,
    anchored: bool = False,
) -> Plan:
    """Prepare `mixture` for a pass.

    Parameters
    ----------
    mixture : Mixture
        In any coordinates.
    pilot : Pilot
        Coordinates of the pass, and spreads of the rows in them.
    moment : Moment
        Second moments to accumulate.
    precision : float
        Tolerated error of a row's log density; decides the form.
    anchors : array (K, D), optional
        Points to take moments about; the means by default. Given ones make the pass anchored.
    anchored : bool
        Take the anchored form whatever the bound says.
    """
    mixture = mixture.expressed_in(pilot.coordinates)
    allowed = anchors is None and not anchored and _keeps_enough(moment, mixture)
    bound = error_bound(mixture, pilot.spreads) if allowed else np.inf
    safe = bound <= min(LARGEST_BOUND, precision)
    spread, centres = mixture.spread, mixture.centres
    with np.errstate(divide="ignore"):
        constants = np.log(mixture.weights) - 0.5 * spread.log_determinants()
    constants = constants - 0.5 * centres.shape[1] * LOG_2PI - pilot.coordinates.log_jacobian
    nothing = np.empty((0, 0))
    precisions = _precisions(mixture) if safe else nothing
    return Plan(
        pilot.coordinates,
        moment,
        Form.QUADRATIC if safe else Form.ANCHORED,
        constants,
        centres,
        np.zeros_like(centres) if safe else (centres if anchors is None else anchors),
        _natural(constants, centres, precisions, moment) if safe else nothing,
        nothing if safe else _whiteners(mixture),
        precisions[0] if safe and moment is Moment.POOLED else None,
        block_rows(centres.shape[0], centres.shape[1], moment),
        bound if safe else 0.0,
    )


def block_rows(n_components: int, n_features: int, moment: Moment) -> int:
    """Rows per block: a power of two between 64 and 4,096 by which a block's numbers stay in cache.

    Not fewer than that where there is room: between two blocks the threads of the NumPy kernel queue for the
    interpreter's lock.
    """
    numbers = n_components + 1 + n_features + moment.width(n_features)
    return min(4096, max(64, 1 << ((_BLOCK_NUMBERS // numbers).bit_length() - 1)))


def error_bound(mixture: Mixture, spreads: Array) -> float:
    """Bound on the rounding error of a row's log density in the quadratic form.

    The largest over components of eps * sum_ij |Q_ij| (|m_i m_j| + 10 s_i s_j), with Q the precision matrix, m the mean
    and s the spreads of all rows, in the mixture's coordinates (docs/mathematics.md, equation 14).
    """
    precisions = np.abs(_precisions(mixture))
    centres = np.abs(mixture.centres)
    at_means = np.einsum(
        "kij,ki,kj->k", np.broadcast_to(precisions, (len(centres), *precisions.shape[1:])), centres, centres
    )
    at_rows = 10.0 * np.einsum("gij,i,j->g", precisions, spreads, spreads)
    return _EPS * float((at_means + at_rows).max())


def _precisions(mixture: Mixture) -> Array:
    """Precision matrices (G, D, D), or their diagonals (G, D) where the covariances are diagonal."""
    whiteners = mixture.spread.whiteners()
    return np.swapaxes(whiteners, 1, 2) @ whiteners


def _keeps_enough(moment: Moment, mixture: Mixture) -> bool:
    """Whether the quadratic part of the log densities is a function of the moments kept."""
    if moment is Moment.POOLED:
        return mixture.spread.n_groups == 1
    return moment.width(mixture.n_features) >= mixture.spread.least_moment.width(mixture.n_features)


def _natural(constants: Array, centres: Array, precisions: Array, moment: Moment) -> Array:
    """Natural parameters (K, 1 + D + S): log density = natural . (1, z, second moments of z) (equation 12)."""
    linear = np.einsum("kij,kj->ki", np.broadcast_to(precisions, (len(centres), *precisions.shape[1:])), centres)
    offset = constants - 0.5 * (linear * centres).sum(axis=1)
    d = centres.shape[1]
    natural = np.empty((len(centres), 1 + d + moment.width(d)))
    natural[:, 0], natural[:, 1 : 1 + d] = offset, linear
    if moment is Moment.TRACE:
        natural[:, 1 + d :] = -0.5 * precisions[:, :1, 0]
    elif moment is Moment.DIAGONAL:
        natural[:, 1 + d :] = -0.5 * np.diagonal(precisions, axis1=1, axis2=2)
    elif moment is Moment.FULL:
        halving = 0.5 * np.eye(d)
        for k, precision in enumerate(np.broadcast_to(precisions, (len(centres), d, d))):  # matrices are large
            natural[k, 1 + d :] = pack(-precision + halving * precision)
    return natural


def _whiteners(mixture: Mixture) -> Array:
    """Inverse factors in their cheapest form: (G,), (G, D) or (G, D, D)."""
    arrays = mixture.spread.arrays
    if arrays.ndim < 3:
        return 1.0 / np.sqrt(arrays)
    return mixture.spread.whiteners()
