"""Colours that most colour-blind readers can tell apart, and numbers beside them for all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#999933", "#332288", "#7f7f7f")
"""Six colours of Okabe & Ito (2008), then four of Tol (2021); components beyond the tenth begin again."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
INK = "#444444"


def colors(count: int) -> list[str]:
    """Return a colour for each component."""
    return [PALETTE[k % len(PALETTE)] for k in range(count)]


def faded(labels: NDArray[np.int64], uncertainty: Array, count: int) -> Array:
    """Return colours with opacity (N, 4): the less sure a row is of its component, the paler."""
    from matplotlib.colors import to_rgba

    shades = np.array([to_rgba(color) for color in colors(count)])[labels]
    worst = 1.0 - 1.0 / count if count > 1 else 1.0
    shades[:, 3] = 0.85 - 0.7 * np.minimum(uncertainty / worst, 1.0)
    return shades


def titled(ax: Any, x: str, y: str, title: str = "") -> None:
    """Name the axes, and take away the frame's upper and right side."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if title:
        ax.set_title(title, loc="left", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
