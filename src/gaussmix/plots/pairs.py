"""Features two by two: rows coloured by component, ellipses, and the marginal densities on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.engine.portrait import Portrait, coarser
from gaussmix.engine.regions import ellipses, span, telling
from gaussmix.mixture import Mixture
from gaussmix.plots.palette import INK, colors, faded, titled
from gaussmix.plots.subject import names_of, portrait, thinned

MOST_POINTS = 4000
MOST_FEATURES = 6
_FINE = 240


def pair(
    mixture: Mixture,
    ax: Axes,
    *,
    features: tuple[int, int] = (0, 1),
    rows: Array | None = None,
    labels: NDArray[np.int64] | None = None,
    uncertainty: Array | None = None,
    coverage: float = 0.95,
) -> Axes:
    """Draw two features: rows coloured by component and paler where they are unsure, and an ellipse per component.

    Parameters
    ----------
    mixture : Mixture
    ax : Axes
        Where to draw.
    features : pair of int
        Positions of the features along x and y.
    rows : array (N, D), optional
        Points; a sample where there are many.
    labels, uncertainty : arrays (N,), optional
        Their components and how unsure they are; computed where they are not given.
    coverage : float
        Share of a component's mass inside its ellipse.
    """
    names, count = names_of(mixture), mixture.n_components
    if rows is not None:
        shades = faded(*_judged(mixture, rows, labels, uncertainty), count)
        ax.scatter(*rows[:, list(features)].T, s=9, c=shades, linewidths=0)
    outlines = ellipses(mixture, features, coverage)
    for k, (outline, color) in enumerate(zip(outlines, colors(count), strict=True)):
        ax.plot(*outline.T, color=color, linewidth=1.6)
        x, y = mixture.means[k, list(features)]
        ax.text(x, y, str(k + 1), ha="center", va="center", fontweight="bold", color=INK)
    titled(ax, names[features[0]], names[features[1]])
    return ax


def _judged(
    mixture: Mixture, rows: Array, labels: NDArray[np.int64] | None, uncertainty: Array | None
) -> tuple[NDArray[np.int64], Array]:
    if labels is None or uncertainty is None:
        responsibilities = mixture.responsibilities(rows)
        return responsibilities.argmax(axis=1), 1.0 - responsibilities.max(axis=1)
    return labels, uncertainty


def marginal(
    mixture: Mixture, feature: int, ax: Axes, *, edges: Array | None = None, counts: Array | None = None
) -> Axes:
    """Draw the density of one feature, its components', and a histogram of the rows where one is given.

    Parameters
    ----------
    mixture : Mixture
    feature : int
        Its position.
    ax : Axes
        Where to draw.
    edges, counts : arrays (B + 1,) and (B,), optional
        Bins of the rows and the weight in each; what lies outside is told by a density that does not reach 1.
    """
    low, high = span(mixture, feature) if edges is None else (float(edges[0]), float(edges[-1]))
    x = np.linspace(low, high, _FINE)
    one = mixture.marginal([feature])
    if edges is not None and counts is not None:
        edges, counts = coarser(edges, counts)
        heights = counts / (counts.sum() * np.diff(edges))
        ax.bar(edges[:-1], heights, np.diff(edges), align="edge", color=INK, alpha=0.18, linewidth=0)
    each = np.exp(one.component_log_prob(x[:, None]))
    for k, color in enumerate(colors(mixture.n_components)):
        ax.plot(x, each[:, k], color=color, linewidth=1.4)
    ax.plot(x, each.sum(axis=1), color=INK, linewidth=1.0, linestyle="--")
    titled(ax, names_of(mixture)[feature], "density")
    return ax


def pairs(portrait: Portrait, axes: Any, *, features: Sequence[int], coverage: float = 0.95) -> Any:
    """Draw all pairs of some features into a square of axes, and their marginal densities on its diagonal.

    Parameters
    ----------
    portrait : Portrait
        Of the rows; points are a sample of them, histograms count all.
    axes : array (F, F) of Axes
        Where to draw.
    features : sequence of int
        Positions of F of the features that the portrait counts.
    coverage : float
        Share of a component's mass inside its ellipse.
    """
    mixture = portrait.mixture
    rows, labels, uncertainty = thinned(portrait, MOST_POINTS)
    for row, vertical in enumerate(features):
        for column, horizontal in enumerate(features):
            ax = axes[row, column]
            if row == column:
                place = portrait.features.index(vertical)
                counts = portrait.tally.single[place].sum(axis=0)[1:-1]
                marginal(mixture, vertical, ax, edges=portrait.edges[place], counts=counts)
                ax.set_yticks([])
            else:
                pair(
                    mixture,
                    ax,
                    features=(horizontal, vertical),
                    rows=rows,
                    labels=labels,
                    uncertainty=uncertainty,
                    coverage=coverage,
                )
                ax.set_ylim(portrait.range_of(vertical))
            ax.set_xlim(portrait.range_of(horizontal))
            ax.label_outer()
    return axes


@final
class PairsDisplay:
    """Rows under a mixture, features two by two.

    Parameters
    ----------
    portrait : Portrait
    features : sequence of int, optional
        Positions; by default the six that tell the components apart best.
    """

    def __init__(self, portrait: Portrait, features: Sequence[int] | None = None) -> None:
        self.portrait = portrait
        self.features = list(features or telling(portrait.mixture, MOST_FEATURES))

    def plot(self, axes: Any = None, *, coverage: float = 0.95) -> Self:
        """Draw, into a new figure where no axes (F, F) are given; `axes_` and `figure_` hold them."""
        count = len(self.features)
        if axes is None:
            size = max(4.0, 2.2 * count)
            _, axes = pyplot.subplots(count, count, figsize=(size, size), squeeze=False, layout="constrained")
        self.axes_ = pairs(self.portrait, axes, features=self.features, coverage=coverage)
        self.figure_ = axes[0, 0].get_figure(root=True)
        return self

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, features: Sequence[int] | None = None, coverage: float = 0.95, axes: Any = None
    ) -> Self:
        """Draw the rows X, anything that `gaussmix.fit` reads, under a fitted estimator."""
        return cls(portrait(estimator, X), features).plot(axes, coverage=coverage)
