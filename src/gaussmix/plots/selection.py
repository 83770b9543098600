"""A criterion against the number of components."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes

from gaussmix.errors import ParameterError
from gaussmix.plots.palette import INK, MARKERS, PALETTE, titled
from gaussmix.plots.subject import axes_of, figure_of
from gaussmix.selection.search import Selection
from gaussmix.selection.table import Row, Table, best_row

NAMES = {"bic": "BIC", "icl": "ICL", "aic": "AIC", "aicc": "AICc", "heldout": "held-out deviance"}


def selection_curves(rows: Iterable[Row], criterion: str, ax: Axes) -> Axes:
    """Draw a criterion against K, a line per structure; the winner is ringed, candidates without a mixture are gaps.

    Hollow marks are candidates that could not have won: degenerate, or stopped before the end.

    Parameters
    ----------
    rows : iterable of Row
        The candidates, as in `Selection.table`.
    criterion : {"bic", "icl", "aic", "aicc", "heldout"}
        What to draw; of each lower is better.
    ax : Axes
        Where to draw.
    """
    lenient = isinstance(rows, Table) and rows.allow_spurious
    table = list(rows)
    counts = sorted({row.n_components for row in table})
    for place, structure in enumerate(dict.fromkeys(row.structure for row in table)):
        mine = {row.n_components: row for row in table if row.structure == structure}
        values = [mine[k].value(criterion) if k in mine else np.nan for k in counts]
        color, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
        dashes = ("-", "--", ":")[place // len(PALETTE) % 3]
        ax.plot(counts, values, color=color, linestyle=dashes, linewidth=1.2, label=structure)
        for k, value in zip(counts, values, strict=True):
            whole = k in mine and mine[k].may_win(lenient)
            ax.plot([k], [value], marker, color=color, markersize=5, markerfacecolor=color if whole else "none")
    best = best_row(table, criterion, lenient)
    if best is not None:
        ax.plot([best.n_components], [best.value(criterion)], "o", markersize=14, color=INK, markerfacecolor="none")
        ax.annotate(
            f"{best.structure}, K = {best.n_components}",
            (best.n_components, best.value(criterion)),
            textcoords="offset points",
            xytext=(8, 12),
        )
    _widen_towards_the_best(ax, [value for row in table if not np.isnan(value := row.value(criterion))])
    ax.set_xticks(counts)
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    titled(ax, "number of components", f"{NAMES[criterion]}, lower is better")
    return ax


def _widen_towards_the_best(ax: Axes, values: list[float]) -> None:
    """Scale the y axis so that near the least value a unit counts, and far from it the order of magnitude only."""
    if not values:
        return
    least, top = min(values), np.log10(1.0 + max(values) - min(values))

    def scaled(value: Any) -> Any:
        return np.log10(np.maximum(1.0 + np.asarray(value) - least, 0.1))

    def unscaled(place: Any) -> Any:
        return least - 1.0 + 10.0 ** np.asarray(place)

    ax.set_yscale("function", functions=(scaled, unscaled))
    ax.set_ylim(least - 1.0 + 10.0 ** (-0.1 * max(top, 1.0)), least - 1.0 + 10.0 ** (1.05 * max(top, 0.1)))
    shown = [
        step for step in (0.0, 2.0, 10.0, 50.0, 200.0, 1e3, 1e4, 1e5, 1e6, 1e7) if np.log10(1.0 + step) <= 1.05 * top
    ]
    ax.set_yticks([least + step for step in shown], [f"{least + step:,.0f}" for step in shown])


@final
class SelectionDisplay:
    """The curves of a search.

    Parameters
    ----------
    selection : Selection
    criterion : str, optional
        What to draw; by default that by which the best was chosen.
    """

    def __init__(self, selection: Selection, criterion: str | None = None) -> None:
        self.selection = selection
        self.criterion = criterion or selection.criterion

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = selection_curves(self.selection.table, self.criterion, axes_of(ax))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, *, criterion: str | None = None, ax: Axes | None = None) -> Self:
        """Draw the search of a Selection, or of a fitted estimator that has one as `selection_`."""
        selection = estimator if isinstance(estimator, Selection) else getattr(estimator, "selection_", None)
        if not isinstance(selection, Selection):
            raise ParameterError(f"expected a Selection, found {type(estimator).__name__}; gaussmix.select makes one")
        return cls(selection, criterion).plot(ax)
