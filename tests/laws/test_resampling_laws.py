"""Laws of resampling: what a lot draws, and that replicates are what fits to their rows are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nature import random_mixture, seeds

import gaussmix as gm
from gaussmix.data.open import open_source
from gaussmix.data.rebatch import rebatch
from gaussmix.data.source import Chunk
from gaussmix.engine import climb
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.resampling import BlockTotals, Drawn, Exponential, Lot, Multinomial, Resampled


def lots(seed: int, x: np.ndarray, weights: np.ndarray) -> list[Lot]:
    totals = LocalEngine(1).reduce([BlockTotals()], open_source(x, weights=weights), len(x))[0]
    np.testing.assert_allclose(totals, [weights[i : i + 1024].sum() for i in range(0, len(x), 1024)])
    return [Exponential(seed, 3), Multinomial.among(seed, 3, totals)]


def drawn_weights(x: np.ndarray, weights: np.ndarray, lot: Lot) -> np.ndarray:
    chunks = list(Resampled(open_source(x, weights=weights), lot).chunks())
    return np.concatenate([chunk.weights for chunk in chunks if chunk.weights is not None])


@given(seeds, st.integers(1, 5000))
def test_lots_do_not_depend_on_how_rows_are_read(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((n, 1)), rng.integers(0, 3, n) + 0.0
    weights[0] = 1.0
    for lot in lots(seed, x, weights):
        whole = drawn_weights(x, weights, lot)
        for rows in (1024, 2048, 32768):
            pieces = [lot.draw(chunk) for chunk in rebatch(open_source(x, weights=weights), rows)]
            assert (
                np.concatenate([piece.weights for piece in pieces if piece.weights is not None]).tolist()
                == whole.tolist()
            )
        assert (whole[weights == 0.0] == 0.0).all()
        assert (whole >= 0.0).all()
        if isinstance(lot, Multinomial):
            assert whole.sum() == weights.sum()
            assert (whole == np.round(whole)).all()


def test_lots_have_the_moments_that_they_should() -> None:
    """Means and variances of 400 draws; the chance of a false alarm is below 1e-7 (5.4 standard errors)."""
    n, replicates = 1500, 400
    x, weights = np.zeros((n, 1)), np.tile([0.0, 1.0, 4.0], n // 3)
    totals = BlockTotals().merge(
        BlockTotals().segment(Chunk(x[:1024], weights[:1024], 0)),
        BlockTotals().segment(Chunk(x[1024:], weights[1024:], 1024)),
    )
    for kind in ("weighted", "nonparametric"):
        draws = np.array(
            [
                drawn_weights(x, weights, Exponential(7, r) if kind == "weighted" else Multinomial.among(7, r, totals))
                for r in range(replicates)
            ]
        )
        for weight in (1.0, 4.0):
            mine = draws[:, weights == weight]
            assert abs(mine.mean() - weight) < 5.4 * np.sqrt(weight / mine.size)
            # The fourth moments of gamma and Poisson variates: the variance's error.
            error = np.sqrt((2 * weight**2 + 6 * weight) / mine.size)
            assert abs(mine.var() - weight) < 5.4 * error + 10 * weight / n


@settings(max_examples=8)
@given(seeds, st.sampled_from(["VVV", "EEE", "VII"]))
def test_replicates_are_fits_to_their_rows(seed: int, structure: str) -> None:
    rng = np.random.default_rng(seed)
    truth = random_mixture(rng, structure, 2, 2, apart=6.0)
    x, weights = truth.sample(300, rng), rng.integers(0, 3, 300) + 0.0
    result = gm.fit(x, 2, structure, weights=weights, regularization=None, effort="quick")
    exponential, multinomial = (
        drawn_weights(x, weights, lot)
        for lot in (
            Exponential(5, 1),
            Multinomial.among(5, 1, np.array([weights.sum()])),
        )
    )
    rows = np.concatenate([chunk.x for chunk in Drawn(result.mixture, int(weights.sum()), 5, 1).chunks()])
    for kind, data, its_weights in (
        ("weighted", x, exponential),
        ("nonparametric", x, multinomial),
        ("parametric", rows, None),
    ):
        found = gm.bootstrap(result, x, kind, n=2, seed=5, weights=weights, regularization=None)  # type: ignore[arg-type]
        if found.failed:
            continue
        alone = gm.fit(data, 2, structure, weights=its_weights, start=result, regularization=None).mixture
        aligned = alone.take(gm.compare(result, alone).pairs[:, 1])
        # EM stops a root of 1e-8 short of the optimum, along its slowest direction.
        np.testing.assert_allclose(found.weights[1], aligned.weights, atol=2e-3)
        np.testing.assert_allclose(found.means[1], aligned.means, atol=0.02)


@pytest.mark.parametrize("structure", ["VVV", "EEE", "VVI"])
@pytest.mark.parametrize("kind", ["weighted", "nonparametric", "parametric"])
def test_shared_reads_say_what_small_climbs_do(structure: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    x = random_mixture(rng, structure, 2, 2, apart=4.0).sample(3000, rng)
    result = gm.fit(x, 2, structure)
    small = gm.bootstrap(result, x, kind, n=3)  # type: ignore[arg-type]
    monkeypatch.setattr(climb, "MOST_WORK", 0)
    large = gm.bootstrap(result, x, kind, n=3)  # type: ignore[arg-type]
    assert small.failed == large.failed == ()
    for a, b in ((small.weights, large.weights), (small.means, large.means), (small.covariances, large.covariances)):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
    halves = gm.bootstrap(result, x, kind, n=3, resume=gm.bootstrap(result, x, kind, n=1, engine=gm.LocalEngine(1)))  # type: ignore[arg-type]
    assert halves.means.tolist() == large.means.tolist(), "to the bit"
    assert halves.covariances.tolist() == large.covariances.tolist()
