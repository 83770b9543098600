"""Whether one more component is more than chance: the bootstrap likelihood-ratio test."""

from __future__ import annotations

import math
import warnings as python_warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np

from gaussmix import _validation
from gaussmix._linalg import Array, read_only
from gaussmix.arguments import family_of, open_ground, recipe_of
from gaussmix.covariance import family
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.resampling import Drawn, generator
from gaussmix.errors import ConvergenceWarning, ParameterError
from gaussmix.fitting.candidate import Fitted, Recipe
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.fit import Ground, infeasible
from gaussmix.fitting.method import Method
from gaussmix.fitting.race import Runner
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture

_STARTS = 1 << 32  # key of the seeds of starts, beyond the numbers of any rows


@final
@dataclass(frozen=True, eq=False)
class LikelihoodRatioTest:
    """K components against K + 1.

    Parameters
    ----------
    null, alternative : FitResult
        Fits of K and of K + 1 components to the data.
    replicates : array (R,)
        The statistic of data sets drawn from the null's mixture; infinite where no fit was found, so that it counts
        against the alternative.
    seed : int
        Of the replicates.
    """

    null: FitResult
    alternative: FitResult
    replicates: Array
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicates", read_only(self.replicates))

    @property
    def statistic(self) -> float:
        """Twice the gain in log-likelihood, at least 0."""
        return _statistic(self.null.log_likelihood, self.alternative.log_likelihood)

    @property
    def n(self) -> int:
        """Number of replicates R."""
        return len(self.replicates)

    @property
    def p_value(self) -> float:
        """(r + 1) / (R + 1), r being the number of replicates that come up to the statistic (McLachlan 1987)."""
        return (int((self.replicates >= self.statistic).sum()) + 1) / (self.n + 1)

    def __repr__(self) -> str:
        k = self.null.requested
        return (
            f"<LikelihoodRatioTest of {k} against {k + 1} components: statistic {self.statistic:.4g}, "
            f"p {self.p_value:.3g} from {self.n} replicates>"
        )


def likelihood_ratio_test(
    data: object,
    n_components: int,
    covariance: str = "VVV",
    *,
    n: int = 99,
    seed: int = 0,
    resume: LikelihoodRatioTest | None = None,
    weights: object = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    n_starts: int | Literal["auto"] = "auto",
    effort: Literal["quick", "default", "thorough"] = "default",
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    engine: Engine | None = None,
) -> LikelihoodRatioTest:
    """Test K components against K + 1 by parametric bootstrap (McLachlan 1987, JRSS C 36).

    Data sets of as many rows are drawn from the fit with K components, and both mixtures are fitted to each of them
    just as they are to the data; a fit with K components also from the mixture that the rows were drawn from.

    Parameters
    ----------
    data : array, dataframe, Arrow table, path or glob
        Rows (N, D).
    n_components : int
        K.
    covariance : str
        Structure of both mixtures.
    n : int
        Replicates in all, those resumed from included; p-values are no smaller than 1 / (n + 1).
    seed : int
        The same seed gives the same replicates, on any number of threads.
    resume : LikelihoodRatioTest, optional
        Of the same data, K, structure and seed: only replicates that it lacks are made.
    weights, features, missing, n_starts, effort, tol, max_passes, regularization, engine
        As in `fit`.

    Returns
    -------
    LikelihoodRatioTest
        With fewer replicates, and a warning, if the user interrupts.

    Raises
    ------
    ParameterError
        When an argument makes no sense, or `resume` is of something else.
    """
    k, n = _validation.positive_integer(n_components, "n_components"), _validation.positive_integer(n, "n")
    recipe = recipe_of("auto", n_starts, tol, max_passes, "em", seed, effort)
    test = _Test(k, covariance, recipe, regularization, seed, engine)
    done = test.begun(data, weights, features, missing) if resume is None else test.resumed(resume)
    found: list[float] = []
    for number in range(done.n, n):
        try:
            found.append(test.replicate(done.null, number))
        except KeyboardInterrupt:
            message = f"interrupted after {number} of {n} replicates; go on with resume="
            python_warnings.warn(message, ConvergenceWarning, stacklevel=2)
            break
    return replace(done, replicates=np.concatenate([done.replicates, found]))


@final
@dataclass(frozen=True, eq=False)
class _Test:
    """How both mixtures are fitted to any rows."""

    n_components: int
    covariance: str
    recipe: Recipe
    regularization: Regularization | Literal["auto"] | None
    seed: int
    engine: Engine | None

    def begun(
        self, data: object, weights: object, features: Sequence[str | int] | None, missing: Literal["error", "drop"]
    ) -> LikelihoodRatioTest:
        """Fit both mixtures to the data."""
        with self._ground(data, weights, features, missing, self.seed) as ground:
            null, alternative = (ground.result(fitted) for fitted in self._fits(ground))
        return LikelihoodRatioTest(null, alternative, np.empty(0), self.seed)

    def resumed(self, before: LikelihoodRatioTest) -> LikelihoodRatioTest:
        """Check that replicates made before are of this test."""
        mixture, k = before.null.mixture, before.null.requested
        expected = family(self.covariance, mixture.n_features).name
        if (k, mixture.structure, before.seed) != (self.n_components, expected, self.seed):
            raise ParameterError(
                f"resume: found a test of {k} components, {mixture.structure}, seed {before.seed}, expected "
                f"{self.n_components}, {expected}, {self.seed}; call with its arguments, or begin anew"
            )
        return before

    def replicate(self, null: FitResult, number: int) -> float:
        """Return the statistic of rows drawn from the null's mixture."""
        rows = Drawn(null.mixture, round(null.weight), self.seed, number)
        seed = int(generator(self.seed, number, _STARTS).integers(2**31))
        with self._ground(rows, None, None, "error", seed) as ground:
            below, above, truth = self._fits(ground, null.mixture)
        known = [each.appraisal.log_likelihood for each in (below, truth) if each.appraisal is not None]
        if above.appraisal is None or not known:
            return math.inf
        return _statistic(max(known), above.appraisal.log_likelihood)

    def _ground(
        self,
        data: object,
        weights: object,
        features: Sequence[str | int] | None,
        missing: Literal["error", "drop"],
        seed: int,
    ) -> AbstractContextManager[Ground]:
        return open_ground(
            *(data, weights, "frequency", features, missing, self.regularization, self.recipe, seed, self.engine),
            self.n_components + 1,
        )

    def _fits(self, ground: Ground, truth: Mixture | None = None) -> list[Fitted]:
        """Fit K, K + 1, and where a mixture of K is given K from there, all by the same reads."""
        structure = family_of(self.covariance, ground.evaluator.source.n_features)
        counts = (self.n_components, self.n_components + 1)
        candidates = ground.candidates
        methods = [
            candidates.fit(structure, k) if ground.feasible(k) else _known(infeasible(structure, k)) for k in counts
        ]
        if truth is not None:
            methods.append(candidates.fit(structure, counts[0], [Runner("given", truth)]))
        driver = Driver(ground.evaluator)
        results = driver.run(methods)
        if driver.interrupted or None in results:
            raise KeyboardInterrupt
        return [each for each in results if each is not None]


def _known(fitted: Fitted) -> Method[Fitted]:
    """Return a method that asks nothing."""
    yield from ()
    return fitted


def _statistic(below: float, above: float) -> float:
    """Twice the gain; the larger model holds the smaller one, so less than nothing is a fit not found."""
    return max(0.0, 2.0 * (above - below))
