"""What scikit-learn's `verbose` prints while a mixture is fitted."""

from __future__ import annotations

from time import perf_counter
from typing import final


@final
class Teller:
    """Prints how starts and iterations go.

    Parameters
    ----------
    verbose : int
        0 for nothing, 1 for where the fit is, 2 for times and gains too.
    interval : int
        Iterations between two lines.
    """

    def __init__(self, verbose: int, interval: int) -> None:
        self._verbose = int(verbose)
        self._interval = interval
        self._started = self._last = perf_counter()

    def begin(self, number: int) -> None:
        """Tell that a start begins."""
        self._started = self._last = perf_counter()
        if self._verbose:
            print(f"Initialization {number}")

    def iteration(self, number: int, change: float) -> None:
        """Tell of an iteration, if it is its turn."""
        if not self._verbose or number % self._interval:
            return
        now = perf_counter()
        more = f"\t time lapse {now - self._last:.5f}s\t ll change {change:.5f}" if self._verbose > 1 else ""
        print(f"  Iteration {number}{more}")
        self._last = now

    def end(self, converged: bool, lower_bound: float) -> None:
        """Tell how a start ended."""
        if not self._verbose:
            return
        lapse = perf_counter() - self._started
        more = f" time lapse {lapse:.5f}s\t lower bound {lower_bound:.5f}." if self._verbose > 1 else ""
        print(f"Initialization {'converged' if converged else 'did not converge'}.{more}")
