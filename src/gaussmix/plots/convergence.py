"""How every start of a fit ended, and how the best one got there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gaussmix.errors import ParameterError
from gaussmix.fitting.contest import StartRecord
from gaussmix.fitting.result import FitResult
from gaussmix.plots.palette import INK, PALETTE, titled
from gaussmix.plots.subject import axes_of, figure_of


def convergence(trace: Sequence[float], starts: Sequence[StartRecord], ax: Axes) -> Axes:
    """Draw the objective at every pass of the returned start, and a mark where every start on all rows ended.

    Hollow marks are starts that were given up because others did better.

    Parameters
    ----------
    trace : sequence of float
        As in `FitResult.trace`.
    starts : sequence of StartRecord
        As in `FitResult.starts`; those run on a sample only have objectives of their own and are counted in the title.
    ax : Axes
        Where to draw.
    """
    ax.plot(range(1, len(trace) + 1), trace, color=PALETTE[0], linewidth=1.6, label="the start returned")
    whole = [start for start in starts if not start.on_sample and start.passes > 0]
    for marked, ended in enumerate(dict.fromkeys(start.reason for start in whole)):
        mine = [start for start in whole if start.reason == ended]
        color = PALETTE[(1 + marked) % len(PALETTE)]
        ax.plot(
            [start.passes for start in mine],
            [start.objective for start in mine],
            "o",
            color=color,
            markerfacecolor=color if ended == "converged" else "none",
            label=f"{len(mine)} {ended}",
        )
    sampled = len(starts) - len(whole)
    ax.legend(frameon=False, fontsize="small", loc="lower right")
    titled(ax, "pass", "objective, higher is better", f"{sampled} more on a sample of the rows" if sampled else "")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color=INK, alpha=0.12)
    return ax


@final
class ConvergenceDisplay:
    """How the starts of a fit ended.

    Parameters
    ----------
    trace : sequence of float
    starts : sequence of StartRecord
    """

    def __init__(self, trace: Sequence[float], starts: Sequence[StartRecord] = ()) -> None:
        self.trace, self.starts = trace, starts

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = convergence(self.trace, self.starts, axes_of(ax))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: object, *, ax: Axes | None = None) -> Self:
        """Draw the fit of a FitResult, a Selection's best, or the `lower_bounds_` of an estimator.

        Raises
        ------
        ParameterError
            When it is none of these.
        """
        selection = getattr(estimator, "selection_", estimator)
        result = selection if isinstance(selection, FitResult) else getattr(selection, "best", None)
        if isinstance(result, FitResult):
            return cls(result.trace, result.starts).plot(ax)
        bounds = getattr(estimator, "lower_bounds_", None)
        if bounds is None:
            raise ParameterError(
                f"expected a FitResult, a Selection or a fitted estimator with lower_bounds_, found "
                f"{type(estimator).__name__}"
            )
        return cls(list(bounds)).plot(ax)
