"""The density of two features, with the regions that hold most of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes

from gaussmix.engine.regions import density_on_grid, region_levels, span
from gaussmix.mixture import Mixture
from gaussmix.plots.palette import PALETTE, titled
from gaussmix.plots.subject import axes_of, figure_of, mixture_of, names_of

COVERAGES = (0.25, 0.5, 0.75, 0.95)
_GRID = 160


def density(
    mixture: Mixture,
    ax: Axes,
    *,
    features: tuple[int, int] = (0, 1),
    coverages: Sequence[float] = COVERAGES,
    ranges: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> Axes:
    """Draw the marginal density of two features and its highest-density regions, each labelled with its coverage.

    Parameters
    ----------
    mixture : Mixture
    ax : Axes
        Where to draw.
    features : pair of int
        Positions of the features along x and y.
    coverages : sequence of float
        Shares of the mass that the regions hold.
    ranges : pair of (low, high), optional
        What to show of each feature; by default all that matters.
    """
    x_range, y_range = ranges or (span(mixture, features[0]), span(mixture, features[1]))
    x, y, values = density_on_grid(mixture, features, x_range, y_range, _GRID)
    shares = sorted(coverages, reverse=True)
    levels = region_levels(values, shares)
    ax.contourf(x, y, values, levels=[*levels, max(values.max(), levels[-1] * (1 + 1e-9))], cmap="Blues", alpha=0.85)
    lines = ax.contour(x, y, values, levels=levels, colors=PALETTE[0], linewidths=0.9)
    words = {level: f"{100 * share:g} %" for level, share in zip(lines.levels, shares, strict=True)}
    ax.clabel(lines, fmt=words, fontsize="x-small")
    names = names_of(mixture)
    titled(ax, names[features[0]], names[features[1]])
    return ax


@final
class DensityDisplay:
    """The density of two features of a mixture.

    Parameters
    ----------
    mixture : Mixture
    features : pair of int
    rows : array (N, D), optional
        Drawn as points.
    """

    def __init__(self, mixture: Mixture, features: tuple[int, int] = (0, 1), rows: Any = None) -> None:
        self.mixture, self.features, self.rows = mixture, features, rows

    def plot(self, ax: Axes | None = None, *, coverages: Sequence[float] = COVERAGES) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = density(self.mixture, axes_of(ax), features=self.features, coverages=coverages)
        if self.rows is not None:
            points = np.asarray(self.rows)[:, list(self.features)]
            self.ax_.scatter(*points.T, s=4, color="black", alpha=0.4, linewidths=0)
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any = None, *, features: tuple[int, int] = (0, 1), ax: Axes | None = None
    ) -> Self:
        """Draw the density of a fitted estimator, with the rows X (N, D) as points where they are given."""
        return cls(mixture_of(estimator), features, X).plot(ax)
