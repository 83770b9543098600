"""The verbs: fit, select, resume, load."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from gaussmix import _validation
from gaussmix.arguments import (
    counts_of,
    families_of,
    family_of,
    fits_of,
    given_runners,
    holdout_of,
    open_ground,
    recipe_of,
)
from gaussmix.checkpoints import call_of, recorded
from gaussmix.covariance.regularization import Regularization
from gaussmix.data.open import open_source
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.kernels.choose import prompt, waiting
from gaussmix.errors import ConvergenceWarning, DegenerateFitWarning, ParameterError
from gaussmix.fitting.drive import Driver, Progress
from gaussmix.fitting.fit import infeasible
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection, search

Watch = Callable[[Progress], None]


def fit(
    data: object,
    n_components: int,
    covariance: str = "VVV",
    *,
    weights: object = None,
    weight_kind: Literal["frequency", "importance"] = "frequency",
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    start: object = "auto",
    n_starts: int | Literal["auto"] = "auto",
    effort: Literal["quick", "default", "thorough"] = "default",
    algorithm: Literal["em", "cem", "sem"] = "em",
    acceleration: Literal["squarem", "anderson", "none"] = "squarem",
    allow_spurious: bool = False,
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    seed: int = 0,
    engine: Engine | None = None,
    watch: Watch | None = None,
    checkpoint: str | Path | None = None,
) -> FitResult:
    """Fit a Gaussian mixture with a given number of components.

    Parameters
    ----------
    data : array, dataframe, Arrow table or stream, path, folder or glob, Dask collection, or function
        Rows (N, D); files are read in chunks and never held whole. Streams are read once and kept, in a temporary file
        where they are large; a function returns an iterable of batches, and is called anew for every read.
    n_components : int
        Number of components K.
    covariance : str
        Covariance structure: one of mclust's fourteen names, or "full", "tied", "diag", "spherical".
    weights : array (N,) or column name, optional
        Row weights; they count as frequencies.
    weight_kind : {"frequency", "importance"}
        With "importance", weights are rescaled to sum to the effective number of rows, (sum w)^2 / sum w^2.
    features : sequence of column names or positions, optional
        Columns to use; all by default.
    missing : {"error", "drop"}
        What to do with rows that have missing values.
    start : "auto", "kmeans", "hierarchical", "random", "rows", Mixture, labels (N,) or responsibilities (N, K)
        Where to begin; several starts are raced unless you give one.
    n_starts : int or "auto"
        Number of starts; by default as many as the effort says.
    effort : {"quick", "default", "thorough"}
        How much to spend on looking for a better optimum. "quick" is one start, from the model-based hierarchy, as
        mclust does it; "thorough" has three times the starts of the default.
    algorithm : {"em", "cem", "sem"}
        How to climb from a start. "em" is for the likelihood. "cem" gives every row wholly to its most probable
        component, and climbs the likelihood of those labels: fewer passes, and clusters cut where they overlap. "sem"
        first draws labels by lot, to leave poor starts behind, for 100 passes or half of `max_passes`, then goes on by
        EM from the best mixture met.
    acceleration : {"squarem", "anderson", "none"}
        How EM leaves out passes where it is slow: by leaps (Varadhan & Roland 2008), by steps mixed of the last ones
        (Anderson's, damped and restarted: Henderson & Varadhan 2019), or not at all. The optima are the same.
    allow_spurious : bool
        By default an optimum that a degenerate component has bought is returned only where no start has led to another;
        with ``True`` the highest is, whatever it rests on. Either way its components are marked and warned of.
    tol : float
        Stop when the gain per row, and the estimate of all that is left to gain, are below this twice running.
    max_passes : int
        Most passes of one start.
    regularization : "auto", None or Regularization
        "auto" gives every component a millionth of a row's worth of scatter; None is plain maximum likelihood. Values:
        `PseudoObservations`, `AddedDiagonal`, `ConjugatePrior` (the mode of a posterior), `EigenvalueRatio`.
    seed : int
        The same seed gives the same bits, whatever the number of threads.
    engine : LocalEngine or DaskEngine, optional
        Who computes; `LocalEngine(threads=n, memory_limit="2GB")` bounds threads and memory. By default threads of this
        process; for a Dask collection the cluster of this process's client.
    watch : callable, optional
        Told after every read of the data how far the fit is.
    checkpoint : path, optional
        A file that every pass over all rows is written to as soon as it has been made. Where it exists, the passes in
        it are not made again: the same call on the same data goes on where it was broken off, and ends with the bits of
        an undisturbed one. It grows by the size of a pass's statistics at a time, and is yours to remove.

    Returns
    -------
    FitResult
        With reason "interrupted" and the best mixture so far if the user interrupts.

    Raises
    ------
    DataError
        When the rows cannot be used as they are.
    ParameterError
        When an argument makes no sense.
    CheckpointError
        When the checkpoint is of another call or of other data.
    """
    asked = dict(locals())
    n_components = _validation.positive_integer(n_components, "n_components")
    recipe = recipe_of(start, n_starts, tol, max_passes, algorithm, seed, effort, acceleration, allow_spurious)
    with (
        prompt() if checkpoint is None else waiting(),  # a checkpoint is gone on with when all is compiled
        recorded("fit", asked) as engine,
        open_ground(
            data, weights, weight_kind, features, missing, regularization, recipe, seed, engine, n_components
        ) as ground,
    ):
        structure = family_of(covariance, ground.evaluator.source.n_features)
        runners = given_runners(start, n_components, structure, ground)
        if not runners and not ground.feasible(n_components):
            fitted = infeasible(structure, n_components)
        else:
            (fitted,) = Driver(ground.evaluator, watch).run([ground.candidates.fit(structure, n_components, runners)])
        if fitted is None:
            raise KeyboardInterrupt
        result = ground.result(fitted)
    _warn(result)
    return result


def select(
    data: object,
    n_components: int | Iterable[int] = range(1, 10),
    covariance: str | Iterable[str] = "all",
    *,
    criterion: str = "bic",
    prune: bool = True,
    holdout: float = 0.2,
    weights: object = None,
    weight_kind: Literal["frequency", "importance"] = "frequency",
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    start: str = "auto",
    n_starts: int | Literal["auto"] = "auto",
    effort: Literal["quick", "default", "thorough"] = "default",
    algorithm: Literal["em", "cem", "sem"] = "em",
    acceleration: Literal["squarem", "anderson", "none"] = "squarem",
    allow_spurious: bool = False,
    tol: float = 1e-8,
    max_passes: int = 1000,
    regularization: Regularization | Literal["auto"] | None = "auto",
    seed: int = 0,
    engine: Engine | None = None,
    watch: Watch | None = None,
    checkpoint: str | Path | None = None,
) -> Selection:
    """Choose the number of components and the covariance structure.

    Parameters
    ----------
    data : array, dataframe, Arrow table or stream, path, folder or glob, Dask collection, or function
        Rows (N, D), as in `fit`.
    n_components : int or iterable of int
        Numbers of components to try.
    covariance : str or iterable of str
        Structures to try; "all" for every one.
    criterion : {"bic", "icl", "aic", "aicc", "heldout"}
        By which the best is chosen; of each lower is better. "heldout" is minus twice the log-likelihood of rows that
        were kept from the fits; the winner then is fitted again, from where it ended, to all rows.
    holdout : float
        Share of the rows to hold out, drawn by their positions; only for "heldout".
    prune : bool
        Stop candidates early that are not going to come near the best, by ten times the estimate of what they have
        left to gain, and give them fewer starts; the table marks them. With ``False`` every candidate has all starts
        and is fitted to the end, which finds better optima where clusters are far from Gaussian. CEM never prunes.
    weights, weight_kind, features, missing, n_starts, algorithm, acceleration, tol, max_passes, regularization
        As in `fit`.
    seed, engine, watch
        As in `fit`.
    allow_spurious : bool
        As in `fit`; candidates with degenerate components then may win.
    effort : {"quick", "default", "thorough"}
        As in `fit`; with "quick" candidates do not suggest starts to their neighbours, with "thorough" they do so
        more often.
    start : "auto", "kmeans", "hierarchical", "random" or "rows"
        Kind of starts.
    checkpoint : path, optional
        As in `fit`.

    Returns
    -------
    Selection
        The best fit, and a table of all candidates.

    Raises
    ------
    DataError
        When the rows cannot be used as they are, or no candidate has a mixture.
    ParameterError
        When an argument makes no sense.
    """
    asked = {**locals(), "n_components": counts_of(n_components)}
    counts: list[int] = asked["n_components"]
    share = holdout_of(criterion, holdout)
    if not isinstance(cast(object, start), str):
        raise ParameterError("start: labels, responsibilities and mixtures are for one fit; name a kind of starts here")
    recipe = recipe_of(start, n_starts, tol, max_passes, algorithm, seed, effort, acceleration, allow_spurious)
    n_fits = fits_of(len(counts), covariance, recipe, prune=prune)
    with prompt(n_fits) if checkpoint is None else waiting(), recorded("select", asked) as engine:
        if share is not None:
            # Opened once, for streams can be read but once.
            data = open_source(data, features=features, weights=weights, missing=missing, budget=engine.budget)
            weights, features, missing = None, None, "error"
        with open_ground(
            data, weights, weight_kind, features, missing, regularization, recipe, seed, engine, max(counts), share
        ) as ground:
            families = families_of(covariance, ground.evaluator.source.n_features)
            ground.facts.update(prune=prune, holdout=share)
            selection = search(ground, families, counts, criterion, prune=prune, watch=watch)
        if share is None or selection.best.reason == "interrupted":
            _warn(selection.best)
            return selection
        best = selection.best
        whole = fit(
            data,
            best.mixture.n_components,
            best.mixture.structure,
            weight_kind=weight_kind,
            start=best.mixture,
            algorithm=algorithm,
            acceleration=acceleration,
            allow_spurious=allow_spurious,
            tol=tol,
            max_passes=max_passes,
            regularization=regularization,
            seed=seed,
            engine=engine,
            watch=watch,
        )
    return replace(selection, best=replace(whole, facts=best.facts))


def resume(
    checkpoint: str | Path, *, engine: Engine | None = None, watch: Watch | None = None
) -> FitResult | Selection:
    """Go on with a fit or a search that was broken off, from its checkpoint; the data have to be where they were.

    Parameters
    ----------
    checkpoint : path
        As it was given to `fit` or `select`.
    engine, watch
        As in `fit`; they need not be what they were.

    Raises
    ------
    CheckpointError
        When the data have changed, or the call had been given arrays, which a file does not hold: then call it again.
    """
    verb, asked = call_of(checkpoint)
    again = {"fit": fit, "select": select}[verb]
    return again(**asked, engine=engine, watch=watch, checkpoint=checkpoint)


def load(path: str | Path) -> Mixture:
    """Read a mixture from a model file.

    Parameters
    ----------
    path : path
        As written by `Mixture.save` or `FitResult.save`.

    Raises
    ------
    ModelFileError
        When the file is not a gaussmix model, is damaged, or comes from a newer release.
    """
    return Mixture.load(path)


def _warn(result: FitResult) -> None:
    for message in result.warnings:
        kind = DegenerateFitWarning if message.startswith("component") else ConvergenceWarning
        python_warnings.warn(message, kind, stacklevel=3)
