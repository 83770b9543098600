"""How much components overlap."""

from __future__ import annotations

from typing import Any, Self, final

from matplotlib.axes import Axes

from gaussmix._linalg import Array
from gaussmix.engine.regions import affinities
from gaussmix.plots.palette import titled
from gaussmix.plots.subject import axes_of, figure_of, mixture_of


def overlap(matrix: Array, ax: Axes) -> Axes:
    """Draw a matrix (K, K) of overlaps between 0 and 1, each with its number.

    Parameters
    ----------
    matrix : array (K, K)
        Such as `gaussmix.engine.regions.affinities` gives: 1 where two components are the same.
    ax : Axes
        Where to draw.
    """
    count = len(matrix)
    ax.imshow(matrix, cmap="Blues", vmin=0.0, vmax=1.0)
    for j in range(count):
        for k in range(count):
            ink = "white" if matrix[j, k] > 0.6 else "black"
            ax.text(k, j, f"{matrix[j, k]:.2f}", ha="center", va="center", color=ink, fontsize="small")
    labels = [str(k + 1) for k in range(count)]
    ax.set_xticks(range(count), labels)
    ax.set_yticks(range(count), labels)
    titled(ax, "component", "component")
    return ax


@final
class OverlapDisplay:
    """Bhattacharyya coefficients of the components.

    Parameters
    ----------
    matrix : array (K, K)
    """

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = overlap(self.matrix, axes_of(ax, 4.5, 4.0))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the overlaps of a fitted estimator's components."""
        return cls(affinities(mixture_of(estimator))).plot(ax)
