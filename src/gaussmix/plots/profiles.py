"""Where components lie along every feature, on one scale."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes

from gaussmix.mixture import Mixture
from gaussmix.plots.palette import INK, MARKERS, colors, titled
from gaussmix.plots.subject import axes_of, figure_of, mixture_of, names_of


def profiles(mixture: Mixture, ax: Axes) -> Axes:
    """Draw every component's mean and standard deviation of every feature, in the mixture's own standard deviations.

    Zero is the mean of the whole mixture.

    Parameters
    ----------
    mixture : Mixture
    ax : Axes
        Where to draw.
    """
    weights, means, spreads = mixture.weights, mixture.means, mixture.standard_deviations
    middle = weights @ means
    unit = np.sqrt(weights @ (np.square(spreads) + np.square(means - middle)))
    count, n_features = means.shape
    along = np.arange(n_features)
    for k, color in enumerate(colors(count)):
        aside = along + (k - 0.5 * (count - 1)) * 0.6 / max(count, 1)
        ax.errorbar(
            aside,
            (means[k] - middle) / unit,
            spreads[k] / unit,
            fmt=MARKERS[k % len(MARKERS)],
            color=color,
            elinewidth=1.4,
            markersize=5,
            label=f"{k + 1} ({100 * weights[k]:.0f} %)",
        )
    ax.axhline(0.0, color=INK, linewidth=0.8)
    ax.set_xticks(
        along, names_of(mixture), rotation=30 if n_features > 6 else 0, ha="right" if n_features > 6 else "center"
    )
    ax.legend(frameon=False, fontsize="small", title="component", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    titled(ax, "", "standard deviations from the mean")
    return ax


@final
class ProfilesDisplay:
    """The components' means and spreads along every feature.

    Parameters
    ----------
    mixture : Mixture
    """

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw, into new axes where none are given; `ax_` and `figure_` hold them."""
        self.ax_ = profiles(self.mixture, axes_of(ax, max(6.0, 0.6 * self.mixture.n_features)))
        self.figure_ = figure_of(self.ax_)
        return self

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the profiles of a fitted estimator's components."""
        return cls(mixture_of(estimator)).plot(ax)
