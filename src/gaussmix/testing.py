"""Conformance checks for whoever adds a structure, a source, a kernel or an engine; gaussmix's own pass the same ones.

Each raises AssertionError with what was found; none returns anything.
"""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import Covariances, Moment, Scatter, Structure
from gaussmix.data.rebatch import rebatch
from gaussmix.data.source import Source
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.expectation import ExpectationFold
from gaussmix.engine.kernels.choose import choose
from gaussmix.engine.kernels.kernel import Kernel, Sums
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.plan import make_plan
from gaussmix.engine.records import pack
from gaussmix.engine.scoring import AppraisalFold
from gaussmix.engine.summary import Pilot, SummaryFold
from gaussmix.mixture import Mixture

__all__ = ["check_engine", "check_kernel", "check_source", "check_structure"]

_ROUNDING = 1e-9  # relative; sums of a few thousand terms in another order


def check_structure(structure: Structure, n_components: int = 3, n_features: int = 4, seed: int = 0) -> None:
    """Check that a structure's estimate is a maximum over rescaled neighbours, and finite and positive.

    Parameters
    ----------
    structure : Structure
        To be checked.
    n_components, n_features : int
        K and D of the random scatters.
    seed : int
        Of the scatters.
    """
    rng = np.random.default_rng(seed)
    mass = rng.uniform(20.0, 200.0, n_components)
    roots = rng.normal(size=(n_components, n_features, n_features + 3))
    scatter = Scatter(Moment.FULL, mass, mass[:, None, None] * roots @ np.swapaxes(roots, 1, 2), n_features)
    estimate = structure.estimate(scatter, None)
    assert np.isfinite(estimate.arrays).all(), "the estimate is not finite"
    assert (estimate.variances() > 0.0).all(), "a variance is not positive"
    assert estimate.n_groups in (1, n_components), f"{estimate.n_groups} covariances for {n_components} components"
    best = _expected(estimate, scatter)
    for factor in (0.999, 1.001):
        neighbour = estimate.scaled(np.full(n_features, factor))
        assert _expected(neighbour, scatter) <= best + _ROUNDING * abs(best), "a rescaled covariance is better"
    again = structure.estimate(scatter, estimate)
    assert _expected(again, scatter) >= best - _ROUNDING * abs(best), "a second estimate fell below the first"
    assert structure.n_own_parameters(n_features) * n_components <= structure.n_parameters(n_components, n_features)


def check_source(source: Source) -> None:
    """Check that a source gives the same consecutive rows at every reading, however they are cut.

    Parameters
    ----------
    source : Source
        To be checked; it is read four times.
    """
    first, second = list(source.chunks()), list(source.chunks())
    assert first, "a source without rows"
    expected = 0
    for chunk in first:
        assert chunk.start == expected, f"a chunk starts at {chunk.start}, the last one stopped at {expected}"
        assert len(chunk.x) > 0, "an empty chunk"
        assert chunk.x.shape[1] == source.n_features, f"{chunk.x.shape[1]} columns instead of {source.n_features}"
        assert chunk.weights is None or chunk.weights.shape == chunk.x.shape[:1], "one weight for each row"
        expected = chunk.stop
    rows = np.concatenate([chunk.x for chunk in first])
    assert np.array_equal(rows, np.concatenate([chunk.x for chunk in second]), equal_nan=True), "two readings differ"
    for size in (1, max(1, len(rows) // 3)):
        cut = np.concatenate([chunk.x for chunk in rebatch(source, size)])
        assert np.array_equal(rows, cut, equal_nan=True), f"rows cut to {size} differ"
    assert source.n_rows in (None, len(rows)), f"n_rows is {source.n_rows}, but {len(rows)} were read"


def check_kernel(kernel: Kernel, n_rows: int = 3000, n_features: int = 3, seed: int = 0) -> None:
    """Check a kernel against the reference, in both forms, with and without weights.

    Parameters
    ----------
    kernel : Kernel
        To be checked.
    n_rows, n_features : int
        Of the random rows.
    seed : int
        Of the random rows and mixture.
    """
    rng = np.random.default_rng(seed)
    reference = NumpyKernel()
    x = rng.normal(size=(n_rows, n_features))
    roots = rng.normal(size=(4, n_features, n_features + 2))
    mixture = Mixture(rng.dirichlet(np.full(4, 5.0)), x[:4], roots @ np.swapaxes(roots, 1, 2))
    pilot = Pilot(mixture.coordinates, np.ones(n_features))
    for weights in (None, rng.integers(0, 3, n_rows).astype(np.float64)):
        for anchored in (False, True):
            plan = make_plan(mixture, pilot, Moment.FULL, precision=1e-9, anchored=anchored)
            mine, theirs = Sums.zero(plan), Sums.zero(plan)
            kernel.accumulate(plan, x, weights, mine)
            reference.accumulate(plan, x, weights, theirs)
            if kernel.by_columns:
                again = Sums.zero(plan)
                kernel.accumulate(plan, np.asfortranarray(x), weights, again)
                assert all(map(np.array_equal, mine, again)), "rows that lie column by column give other bits"
            for name, one, other in zip(Sums._fields, mine, theirs, strict=True):
                _require_close(one, other, f"{plan.form.value} {name}")
            _require_close(kernel.densities(plan, x), reference.densities(plan, x), f"{plan.form.value} densities")


def check_engine(engine: Engine, source: Source) -> None:
    """Check that an engine gives what one thread of this process gives, and the same bits each time.

    Parameters
    ----------
    engine : Engine
        To be checked.
    source : Source
        That it can read.
    """
    n_features = source.n_features
    centres = np.stack([np.zeros(n_features), np.ones(n_features)])
    mixture = Mixture([0.5, 0.5], centres, [np.eye(n_features)] * 2)
    pilot = Pilot(mixture.coordinates, np.ones(n_features))
    plan = make_plan(mixture, pilot, Moment.FULL, precision=0.0, anchored=True)
    folds = [ExpectationFold(plan, choose()), AppraisalFold(plan, choose()), SummaryFold(0, 100)]
    theirs = LocalEngine(1).reduce(folds, source, source.n_rows)
    first, second = (engine.reduce(folds, source, source.n_rows) for _ in range(2))
    for mine, again, other in zip(first, second, theirs, strict=True):
        (arrays, _), (repeated, _), (expected, _) = pack(mine), pack(again), pack(other)
        for name, array in arrays.items():
            assert np.array_equal(array, repeated[name], equal_nan=True), f"{name} has other bits the second time"
            _require_close(array.astype(np.float64), expected[name].astype(np.float64), name)
    assert first[2].rows_read == theirs[2].rows_read, "some rows were not read, or read twice"


def _require_close(one: Array, other: Array, what: str) -> None:
    scale = float(np.abs(other).max(initial=1.0))
    gap = float(np.abs(one - other).max(initial=0.0))
    assert gap <= _ROUNDING * scale, f"{what} differ from the reference by {gap:.3g} at a scale of {scale:.3g}"


def _expected(covariances: Covariances, scatter: Scatter) -> float:
    """Sum over components of -n/2 log|Sigma| - tr(Sigma^-1 W)/2."""
    total = 0.0
    logs, whiteners = covariances.log_determinants(), covariances.whiteners()
    for k, (n, w) in enumerate(zip(scatter.mass, scatter.matrices(), strict=True)):
        group = covariances.group(k)
        white = whiteners[group] @ w @ whiteners[group].T
        total -= 0.5 * (n * logs[group] + np.trace(white))
    return float(total)
