"""Which way a segment takes, by form, moment and number of features.

| route | when | log densities | sums |
|---|---|---|---|
| `Products` | quadratic form | features times natural parameters | shares times features |
| `Streamed` | the same, full moments, many features | the same, a few features at once | gathered rows, or the same |
| `Centred` | anchored form | deviations times inverse factors | loops over deviations |
| `Whitened` | anchored form, many features | the same | gathered rows |
"""

from __future__ import annotations

from gaussmix.covariance import Moment
from gaussmix.engine.kernels.blocks import Route
from gaussmix.engine.kernels.centring import Centred
from gaussmix.engine.kernels.gathering import Whitened
from gaussmix.engine.kernels.products import Products
from gaussmix.engine.kernels.streaming import Streamed
from gaussmix.engine.plan import Form, Plan

_STREAMED_FROM = 40  # features from which all second moments of a block would not stay in cache
_WHITENED_FROM = 48  # features from which products of gathered rows are faster than the loops


def route(plan: Plan) -> Route:
    """Return the route for one plan; it depends on the form, the moment and D only."""
    d = plan.n_features
    full = plan.moment is Moment.FULL
    if plan.form is Form.QUADRATIC:
        return Streamed(plan) if full and d >= _STREAMED_FROM else Products(plan)
    matrices = plan.whiteners.ndim == 3 or plan.moment in (Moment.FULL, Moment.POOLED)
    return Whitened(plan) if matrices and d >= _WHITENED_FROM else Centred(plan)
