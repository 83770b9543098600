"""Standard errors and intervals of a mixture's parameters, by refitting it to replicates of its data."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import numpy as np

from gaussmix import _validation
from gaussmix._linalg import Array, read_only
from gaussmix.arguments import mixture_of, open_ground, recipe_of, source_for
from gaussmix.covariance.regularization import Regularization
from gaussmix.engine.executors.executor import Engine
from gaussmix.errors import ConvergenceWarning, FitError, ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.inference.replicates import KINDS, Replicates
from gaussmix.mixture import Mixture
from gaussmix.mixture.comparison import matched
from gaussmix.selection.search import Selection


class Estimates(NamedTuple):
    """One number for every parameter: `weights` (K,), `means` (K, D), `covariances` (K, D, D), in data units."""

    weights: Array
    means: Array
    covariances: Array


@final
@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Parameters of the replicates, their components in the order of the mixture's.

    Parameters
    ----------
    mixture : Mixture
        The estimate.
    kind : str
        How replicates were made.
    seed : int
        Of the replicates.
    n : int
        Replicates made.
    failed : tuple of int
        Numbers of those in which a component lost its rows or its spread; they are left out.
    weights, means, covariances : arrays (R, K), (R, K, D), (R, K, D, D)
        Of the other replicates, in data units.
    """

    mixture: Mixture
    kind: str
    seed: int
    n: int
    failed: tuple[int, ...]
    weights: Array
    means: Array
    covariances: Array

    def __post_init__(self) -> None:
        for name in Estimates._fields:
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def standard_errors(self) -> Estimates:
        """Standard deviations over the replicates.

        Raises
        ------
        FitError
            When fewer than two replicates have a mixture.
        """
        self._require(2)
        return Estimates(*(each.std(axis=0, ddof=1) for each in self._replicates()))

    @property
    def bias(self) -> Estimates:
        """Means over the replicates, less the estimate.

        Raises
        ------
        FitError
            When no replicate has a mixture.
        """
        self._require(1)
        means = (each.mean(axis=0) for each in self._replicates())
        return Estimates(*(mean - estimate for mean, estimate in zip(means, self._estimate(), strict=True)))

    def intervals(
        self, level: float = 0.95, method: Literal["percentile", "basic"] = "percentile"
    ) -> tuple[Estimates, Estimates]:
        """Return the lower and the upper ends of an interval for every parameter by itself.

        Parameters
        ----------
        level : float
            Share of the replicates inside, between 0 and 1.
        method : {"percentile", "basic"}
            Quantiles of the replicates, or those mirrored in the estimate; the latter may leave the range of the
            parameter.

        Raises
        ------
        ParameterError
            When the level or the method is something else.
        FitError
            When fewer than two replicates have a mixture.
        """
        share = _validation.positive_number(level, "level")
        if share >= 1.0:
            raise ParameterError(f"level={level!r}: expected a share between 0 and 1, such as 0.95")
        if method not in ("percentile", "basic"):
            raise ParameterError(f'method={method!r}: expected "percentile" or "basic"')
        self._require(2)
        tail = 0.5 * (1.0 - share)
        lower, upper = (
            Estimates(*(np.quantile(each, q, axis=0) for each in self._replicates())) for q in (tail, 1 - tail)
        )
        if method == "percentile":
            return lower, upper
        estimate = self._estimate()
        return _mirrored(estimate, upper), _mirrored(estimate, lower)

    def _estimate(self) -> Estimates:
        return Estimates(self.mixture.weights, self.mixture.means, self.mixture.covariances)

    def _replicates(self) -> tuple[Array, Array, Array]:
        return self.weights, self.means, self.covariances

    def _require(self, least: int) -> None:
        if len(self.weights) < least:
            raise FitError(
                f"{len(self.weights)} of {self.n} replicates have a mixture of {self.mixture.n_components} components; "
                "ask for more replicates, or bootstrap a mixture with fewer components"
            )

    def __repr__(self) -> str:
        return f"<Bootstrap: {self.n} {self.kind} replicates of {self.mixture!r}, {len(self.failed)} failed>"


def bootstrap(
    model: Mixture | FitResult | Selection,
    data: object,
    kind: Literal["parametric", "nonparametric", "weighted"] = "weighted",
    *,
    n: int = 199,
    seed: int = 0,
    resume: Bootstrap | None = None,
    weights: object = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    engine: Engine | None = None,
) -> Bootstrap:
    """Refit a mixture to replicates of its data, to tell how sure its parameters are.

    Every replicate is fitted from the mixture itself, and its components are matched to the mixture's by Hellinger's
    distance, so that labels do not switch. Replicates depend on the seed and their number alone: fewer or more of them,
    in one call or several, on any number of threads, are the same to the bit.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted.
    data : array, dataframe, Arrow table, path or glob
        The rows it was fitted to.
    kind : {"parametric", "nonparametric", "weighted"}
        Rows drawn from the mixture; rows of the data drawn with replacement; or exponential weights for the rows (the
        weighted likelihood bootstrap: Newton & Raftery 1994). Of the last two, replicates share reads of large data.
    n : int
        Replicates in all, those resumed from included.
    seed : int
        The same seed gives the same replicates.
    resume : Bootstrap, optional
        Of the same mixture, kind and seed: only replicates that it lacks are made.
    weights, features, missing, tol, max_passes, regularization, engine
        As in `fit`, and as they were for the fit.

    Returns
    -------
    Bootstrap
        With fewer replicates, and a warning, if the user interrupts.

    Raises
    ------
    ParameterError
        When an argument makes no sense, or `resume` is of something else.
    """
    mixture, n = mixture_of(model), _validation.positive_integer(n, "n")
    seed = _validation.positive_integer(seed, "seed", least=0)
    if kind not in KINDS:
        raise ParameterError(f"kind={kind!r}: expected one of {', '.join(KINDS)}")
    done = _begun(mixture, kind, seed) if resume is None else _resumed(resume, mixture, kind, seed)
    if done.n >= n:
        return done
    recipe = recipe_of(mixture, 1, tol, max_passes, "em", seed, "default")
    source = source_for(mixture, data, weights, features, missing)
    with open_ground(
        source, None, "frequency", None, "error", regularization, recipe, seed, engine, mixture.n_components
    ) as ground:
        batches = Replicates(ground, mixture, kind, seed).fits(done.n, n)
        try:
            for batch in batches:
                done = _extended(done, batch)
        except KeyboardInterrupt:
            if done.n == 0:
                raise
            message = f"interrupted after {done.n} of {n} replicates; go on with resume="
            python_warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return done


def _begun(mixture: Mixture, kind: str, seed: int) -> Bootstrap:
    k, d = mixture.n_components, mixture.n_features
    return Bootstrap(mixture, kind, seed, 0, (), np.empty((0, k)), np.empty((0, k, d)), np.empty((0, k, d, d)))


def _resumed(before: Bootstrap, mixture: Mixture, kind: str, seed: int) -> Bootstrap:
    mine, theirs = mixture, before.mixture
    same = (
        mine.structure == theirs.structure
        and np.array_equal(mine.weights, theirs.weights)
        and np.array_equal(mine.means, theirs.means)
        and np.array_equal(mine.covariances, theirs.covariances)
    )
    if not same or (before.kind, before.seed) != (kind, seed):
        raise ParameterError(
            f"resume: found {before.kind} replicates of seed {before.seed}, expected {kind} ones of seed {seed} of the "
            "same mixture; call with its model, kind and seed, or begin anew"
        )
    return before


def _extended(done: Bootstrap, batch: list[Mixture | None]) -> Bootstrap:
    """Return what is done with the next replicates, components in the order of the mixture's."""
    failed = tuple(done.n + i for i, each in enumerate(batch) if each is None)
    aligned = [each.take(matched(done.mixture, each).pairs[:, 1]) for each in batch if each is not None]

    def with_new(before: Array, values: list[Any]) -> Array:
        return np.concatenate([before, np.stack(values)]) if values else before

    return Bootstrap(
        done.mixture,
        done.kind,
        done.seed,
        done.n + len(batch),
        (*done.failed, *failed),
        with_new(done.weights, [each.weights for each in aligned]),
        with_new(done.means, [each.means for each in aligned]),
        with_new(done.covariances, [each.covariances for each in aligned]),
    )


def _mirrored(estimate: Estimates, ends: Estimates) -> Estimates:
    return Estimates(*(2.0 * middle - end for middle, end in zip(estimate, ends, strict=True)))
