"""Whether rows lie about their components as rows of Gaussians do."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes

from gaussmix._linalg import Array
from gaussmix.engine.distances import quantile
from gaussmix.engine.quantiles import distance_quantiles
from gaussmix.plots.palette import INK, PALETTE, titled
from gaussmix.plots.subject import axes_of, figure_of, portrait


def quantiles(tails: Array, squares: Array, n_features: int, ax: Axes) -> Axes:
    """Draw squared Mahalanobis distances against the chi-square quantiles that rows of Gaussians would have.

    Points on the line say that components are as Gaussian as they claim; above it at the right, that tails are heavier.

    Parameters
    ----------
    tails, squares : arrays (Q,)
        Upper tail probabilities, and the squared distances that these shares of the rows exceed.
    n_features : int
        Degrees of freedom D.
    ax : Axes
        Where to draw.
    """
    expected = quantile(tails, n_features)
    ax.plot(expected, squares, "o", color=PALETTE[0], markersize=4, label="rows")
    ends = [0.0, float(max(expected.max(), np.max(squares)))]
    ax.plot(ends, ends, color=INK, linewidth=0.8, label="as a Gaussian has it")
    ax.legend(frameon=False, fontsize="small")
    titled(ax, f"chi-square quantile, {n_features} degrees of freedom", "squared Mahalanobis distance")
    return ax


@final
class QuantilesDisplay:
    """Squared distances of rows from their components, against chi-square.

    Parameters
    ----------
    tails, squares : arrays (Q,)
    n_features : int
    """

    def __init__(self, tails: Array, squares: Array, n_features: int) -> None:
        self.tails, self.squares, self.n_features = tails, squares, n_features

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = quantiles(self.tails, self.squares, self.n_features, axes_of(ax))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, ax: Axes | None = None) -> Self:
        """Draw the rows X, anything that `gaussmix.fit` reads; of many rows a seeded sample."""
        shown = portrait(estimator, X)
        return cls(*distance_quantiles(shown), shown.mixture.n_features).plot(ax)
