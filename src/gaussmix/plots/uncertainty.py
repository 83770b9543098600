"""How sure rows are of their component."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes

from gaussmix._linalg import Array
from gaussmix.plots.palette import colors, titled
from gaussmix.plots.subject import axes_of, figure_of, portrait


def uncertainty(counts: Array, ax: Axes) -> Axes:
    """Draw how the rows' uncertainty, 1 minus the largest responsibility, is distributed: a bar for each component.

    Parameters
    ----------
    counts : array (K, B)
        Weight of the rows of each component by uncertainty, in B bins from 0 to 1.
    ax : Axes
        Where to draw.
    """
    count, bins = counts.shape
    edges = np.linspace(0.0, 1.0, bins + 1)
    below = np.zeros(bins)
    for k, color in enumerate(colors(count)):
        ax.bar(edges[:-1], counts[k], 1.0 / bins, below, align="edge", color=color, label=str(k + 1), linewidth=0)
        below = below + counts[k]
    ax.set_yscale("symlog", linthresh=max(1.0, 1e-4 * float(counts.sum())))
    ax.set_xlim(0.0, max(1.0 - 1.0 / max(count, 2), edges[1]))
    ax.legend(frameon=False, fontsize="small", title="component")
    titled(ax, "uncertainty of a row", "rows, on a scale of powers")
    return ax


@final
class UncertaintyDisplay:
    """How sure all rows are of their component.

    Parameters
    ----------
    counts : array (K, B)
    """

    def __init__(self, counts: Array) -> None:
        self.counts = counts

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = uncertainty(self.counts, axes_of(ax))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, ax: Axes | None = None) -> Self:
        """Draw the uncertainty of the rows X, anything that `gaussmix.fit` reads."""
        return cls(portrait(estimator, X).tally.uncertainty).plot(ax)
