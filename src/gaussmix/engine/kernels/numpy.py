"""The reference kernel: plain NumPy, both forms, every assignment."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array, pack
from gaussmix.covariance import Moment
from gaussmix.engine.assignment import SOFT, Assignment
from gaussmix.engine.kernels.kernel import Kernel, RowScores, Sums
from gaussmix.engine.plan import Form, Plan


@final
class NumpyKernel(Kernel):
    """Blocks of rows through NumPy and BLAS, in arrays of (components, rows)."""

    def accumulate(self, plan: Plan, x: NDArray[np.floating], weights: Array | None, sums: Sums) -> None:
        """Add one segment's sums under the mixture's own responsibilities."""
        self.assign(plan, x, weights, sums, SOFT, 0)

    def assign(
        self,
        plan: Plan,
        x: NDArray[np.floating],
        weights: Array | None,
        sums: Sums,
        assignment: Assignment,
        start: int,
    ) -> None:
        """Add one segment's sums under `assignment`; `start` is the segment's position in the source."""
        for low in range(0, x.shape[0], plan.block_rows):
            block = slice(low, low + plan.block_rows)
            z = plan.coordinates.inward(x[block])
            w = np.ones(z.shape[0]) if weights is None else weights[block]
            features = _features(plan, z)
            log_densities = _log_densities(plan, z, features) if assignment.needs_densities else None
            shares, log_prob = assignment.shares(log_densities, start + low, z.shape[0])
            shares *= w
            sums.kish[:] += np.square(shares).sum(axis=1)
            weighted = w * log_prob
            sums.scalars[:] += weighted.sum(), np.abs(weighted).sum(), w.sum()
            if plan.form is Form.QUADRATIC:
                sums.totals[:] += shares @ features.T
            else:
                _add_moments(plan, z, shares, sums)

    def densities(self, plan: Plan, x: NDArray[np.floating]) -> Array:
        """Log of mixing weight times density, (K, rows)."""
        values = np.empty((plan.n_components, x.shape[0]))
        for low in range(0, x.shape[0], plan.block_rows):
            block = slice(low, low + plan.block_rows)
            z = plan.coordinates.inward(x[block])
            values[:, block] = _log_densities(plan, z, _features(plan, z))
            if plan.precision is not None:
                values[:, block] -= 0.5 * ((z @ plan.precision) * z).sum(axis=1)
        return values

    def score(self, plan: Plan, x: NDArray[np.floating], scores: RowScores) -> None:
        """Write labels, responsibilities, uncertainty and log density of the rows."""
        shares, scores.log_prob[:] = SOFT.shares(self.densities(plan, x), 0, x.shape[0])
        scores.labels[:] = shares.argmax(axis=0)
        scores.responsibilities[:] = shares.T
        scores.uncertainty[:] = 1.0 - shares.max(axis=0)

    def appraise(self, plan: Plan, x: NDArray[np.floating], weights: Array | None) -> Array:
        """Totals (3 + 3K,) of one segment of rows."""
        shares, log_prob = SOFT.shares(self.densities(plan, x), 0, x.shape[0])
        w = np.ones(len(log_prob)) if weights is None else weights
        logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
        best = shares.argmax(axis=0)
        weighted = shares * w
        return np.concatenate(
            [
                [(w * log_prob)[w > 0.0].sum(), w @ logs.max(axis=0), -(weighted * logs).sum()],
                weighted.sum(axis=1),
                np.square(weighted).sum(axis=1),
                np.bincount(best, weights=w, minlength=len(shares)),
            ]
        )


def _features(plan: Plan, z: Array) -> Array:
    """Features (1 + D + S, rows) of the quadratic form: 1, z, and second moments in packed order."""
    if plan.form is Form.ANCHORED:
        return np.empty((0, 0))
    d, columns = plan.n_features, np.ascontiguousarray(z.T)
    features = np.empty((plan.natural.shape[1], z.shape[0]))
    features[0] = 1.0
    features[1 : d + 1] = columns
    if plan.moment is Moment.TRACE:
        np.square(columns).sum(axis=0, out=features[d + 1])
    elif plan.moment is Moment.DIAGONAL:
        np.square(columns, out=features[d + 1 :])
    elif plan.moment is Moment.FULL:
        at = d + 1
        for i in range(d):
            np.multiply(columns[i], columns[: i + 1], out=features[at : at + i + 1])
            at += i + 1
    return features


def _log_densities(plan: Plan, z: Array, features: Array) -> Array:
    """Log of mixing weight times density (K, rows), without the common quadratic term of a pooled plan."""
    if plan.form is Form.QUADRATIC:
        return plan.natural @ features
    white = _whitened(plan, z[None] - plan.centres[:, None])
    with np.errstate(over="ignore"):
        return plan.constants[:, None] - 0.5 * np.einsum("knd,knd->kn", white, white)


def _whitened(plan: Plan, deviations: Array) -> Array:
    """Deviations (K, rows, D) divided by the covariance factors."""
    whiteners = plan.whiteners
    if whiteners.ndim == 3:
        return deviations @ np.swapaxes(whiteners, 1, 2)
    return deviations * whiteners.reshape(whiteners.shape[0], 1, -1)


def _add_moments(plan: Plan, z: Array, shares: Array, sums: Sums) -> None:
    """Add moments about the anchors, for `shares` (K, rows) of weight times responsibility."""
    d = plan.n_features
    deviations = z[None] - plan.anchors[:, None]
    sums.totals[:, 0] += shares.sum(axis=1)
    sums.totals[:, 1 : d + 1] += (shares[:, None] @ deviations)[:, 0]
    if plan.moment in (Moment.TRACE, Moment.DIAGONAL):
        squares = (shares[:, None] @ np.square(deviations))[:, 0]
        sums.totals[:, d + 1 :] += squares.sum(axis=1, keepdims=True) if plan.moment is Moment.TRACE else squares
        return
    products = np.swapaxes(deviations * shares[:, :, None], 1, 2) @ deviations
    if plan.moment is Moment.POOLED:
        sums.pooled[:] += products.sum(axis=0)
    else:
        sums.totals[:, d + 1 :] += pack(products)
