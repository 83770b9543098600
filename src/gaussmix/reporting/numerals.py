"""How numbers are written: as many digits as their spread can bear."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_SHOWN_DIGITS = 12  # more characters than this, and a number is shown with an exponent


def decimals(deviations: Sequence[float]) -> int:
    """Return the decimals that give the middle one of some standard deviations three digits."""
    middle = sorted(deviations)[len(deviations) // 2]
    return max(0, 2 - math.floor(math.log10(middle))) if middle > 0.0 else 0


def writer(means: Sequence[float], deviations: Sequence[float]) -> Callable[[float], str]:
    """Return what writes numbers of one feature, given its means and standard deviations."""
    digits = decimals(deviations)
    if max(len(f"{value:.{digits}f}") for value in (*means, *deviations)) <= _SHOWN_DIGITS:
        return lambda value: f"{value:.{digits}f}"
    return lambda value: f"{value:.6g}"


def fixed(value: float | None) -> str:
    """Write a criterion: two decimals, or a dash where it is not known."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) < 1e9 else f"{value:.9g}"


def rows_worth(value: float) -> str:
    """Write how many rows a responsibility sums to."""
    return f"{value:,.1f}" if value < 1e6 else f"{value:,.0f}"


def measured(value: float, deviation: float) -> str:
    """Write a value with the digits that a standard deviation of this size gives it."""
    return writer([value], [deviation])(value)


def percent(share: float) -> str:
    """Write a share: "47.5 %", more digits where it is near 0 or 1."""
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    near = min(share, 1.0 - share)
    if near < 1e-6:
        return "< 0.0001 %" if share < 0.5 else "> 99.9999 %"
    digits = 1 if near >= 0.0005 else -math.floor(math.log10(100 * near))
    return f"{100 * share:.{digits}f} %"
