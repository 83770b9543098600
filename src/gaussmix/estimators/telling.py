"""Who is told how the fit of a mixture goes: whoever reads what `verbose` prints, and scikit-learn's callbacks."""

from __future__ import annotations

from time import perf_counter
from typing import Any, final

from gaussmix.estimators.callbacks import Task
from gaussmix.estimators.parameters import Parameters, parameters_of
from gaussmix.mixture import Mixture


@final
class Teller:
    """Tells how starts and iterations go.

    Parameters
    ----------
    settings : GaussianMixture
        Only its constructor's parameters are looked at: `verbose` is 0 for nothing, 1 for where the fit is, 2 for times
        and gains too, with a line every `verbose_interval` iterations.
    fit : Task
        What callbacks are told of.
    """

    def __init__(self, settings: Any, fit: Task) -> None:
        self._verbose = int(settings.verbose)
        self._interval = int(settings.verbose_interval)
        self._covariance_type: str = settings.covariance_type
        self._max_iter = int(settings.max_iter)
        self._fit = self._start = self._iteration = fit
        self._started = self._last = perf_counter()

    def begin(self, number: int) -> None:
        """Tell that a start begins."""
        self._start = self._fit.begin("start", self._max_iter)
        self._started = self._last = perf_counter()
        if self._verbose:
            print(f"Initialization {number}")

    def begin_iteration(self) -> None:
        """Tell that an iteration begins."""
        self._iteration = self._start.begin("iteration")

    def iteration(self, number: int, change: float, mixture: Mixture) -> bool:
        """Tell of an iteration, in print if it is its turn; say whether a callback asks to stop."""
        if self._verbose and number % self._interval == 0:
            now = perf_counter()
            more = f"\t time lapse {now - self._last:.5f}s\t ll change {change:.5f}" if self._verbose > 1 else ""
            print(f"  Iteration {number}{more}")
            self._last = now
        return self._iteration.end(lambda: attributes_of(mixture, self._covariance_type))

    def abandon(self) -> None:
        """Tell callbacks that a start has led to nothing."""
        self._start.end()

    def end(self, converged: bool, lower_bound: float) -> None:
        """Tell how a start ended."""
        self._start.end()
        if not self._verbose:
            return
        lapse = perf_counter() - self._started
        more = f" time lapse {lapse:.5f}s\t lower bound {lower_bound:.5f}." if self._verbose > 1 else ""
        print(f"Initialization {'converged' if converged else 'did not converge'}.{more}")


def attributes_of(mixture: Mixture, covariance_type: str) -> dict[str, Any]:
    """Return a mixture's parameters by the names of the fitted attributes."""
    written = parameters_of(mixture, covariance_type)
    return {f"{name}_": value for name, value in zip(Parameters._fields, written, strict=True)}
