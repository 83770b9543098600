"""Laws of fits by labels: classification EM climbs its own likelihood, stochastic EM depends on its seed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import NAMES, family
from gaussmix.data import open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.errors import ParameterError, TooFewRowsError
from gaussmix.fitting.classification import PASSES_BY_LOT, cem, sem
from gaussmix.fitting.drive import Driver, Progress
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.stopping import Reason, StoppingRule

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

CLOSE = 1e-9  # a few passes from the same parameters, on rows that are the same but for rounding
CLOSE_BY_DESCENT = 1e-7  # the common orientation of EVE and VVE is found by descent, up to this much
DESCENTS = ("EVE", "VVE")
seeds = st.integers(0, 2**32 - 1)


def clusters(rng: np.random.Generator, n: int, d: int, k: int = 3, apart: float = 2.0) -> np.ndarray:
    """Rows of k round clusters, in turn; with `apart` beyond 10 no two of them touch."""
    means = apart * np.arange(k)[:, None] * np.where(np.arange(d) % 2 == 0, 1.0, -1.0)
    return means[np.arange(n) % k] + rng.standard_normal((n, d))


def penalty(d: int) -> gm.PseudoObservations:
    """Pseudo-observations that do not depend on the rows."""
    return gm.PseudoObservations(1e-3, np.linspace(1.0, 2.0, d))


def start_of(rng: np.random.Generator, x: np.ndarray, structure: str, k: int = 3) -> gm.Mixture:
    """A mixture of the structure, of rows by the nearest of k that lie apart."""
    structure = structure[0] if x.shape[1] == 1 else structure
    order = np.argsort(x[:, 0] + 0.5 * rng.standard_normal(len(x)), kind="stable")
    labels = np.empty(len(x), dtype=int)
    labels[order] = np.arange(len(x)) * k // len(x)
    return gm.fit(x, k, structure, start=labels, max_passes=1, regularization=penalty(x.shape[1])).mixture


def from_start(start: gm.Mixture, x: np.ndarray, algorithm: str, passes: int, **call: Any) -> gm.FitResult:
    options = {"max_passes": passes, "regularization": penalty(x.shape[1])} | call
    return gm.fit(x, start.n_components, start.structure, start=start, algorithm=algorithm, **options)  # type: ignore[arg-type]


def driven(method: Callable[..., Method[Outcome]], start: gm.Mixture, x: np.ndarray, **call: Any) -> Outcome:
    """A method's own outcome, without races, new rows for dead components and appraisals."""
    w, plain = call.pop("w", None), call.pop("plain", False)
    evaluator = Evaluator.open(open_source(x, weights=w), gm.LocalEngine(1))
    chosen = family(start.structure, x.shape[1])
    pilot = evaluator.pilots[chosen.axis_equivariant]
    regularization = gm.Unregularized() if plain else penalty(x.shape[1]).in_units(pilot.coordinates.scale)
    model = Model(chosen, regularization, pilot, 1e-9)
    (outcome,) = Driver(evaluator).run([method(start, model, StoppingRule(1e-8, 60), **call)])
    assert outcome is not None
    return outcome


def classification_likelihood(mixture: gm.Mixture, x: np.ndarray, w: np.ndarray) -> float:
    return float(w @ mixture.component_log_prob(x).max(axis=1))


# Classification EM


@pytest.mark.parametrize("structure", NAMES)
@settings(max_examples=8)
@given(seed=seeds, d=st.integers(1, 4), weighted=st.booleans(), plain=st.booleans())
def test_the_objective_of_labels_never_falls(structure: str, seed: int, d: int, weighted: bool, plain: bool) -> None:
    rng = np.random.default_rng(seed)
    x = clusters(rng, 150, d)
    w = rng.exponential(size=150) if weighted else np.ones(150)
    outcome = driven(cem, start_of(rng, x, structure), x, w=w, plain=plain)
    rounding = 1e-11 * (w.sum() + np.abs(outcome.trace).max())
    for first, last in pairwise((*outcome.segments, len(outcome.trace))):  # a component left out begins a new climb
        assert (np.diff(outcome.trace[first:last]) >= -rounding).all()
    assert outcome.reason in (Reason.CONVERGED, Reason.DROPPED, Reason.MAX_PASSES, Reason.COLLAPSED)
    assert outcome.reason is not Reason.COLLAPSED or plain
    if plain:
        found = classification_likelihood(outcome.mixture, x, w)
        assert outcome.objective == pytest.approx(found, rel=1e-10, abs=rounding)


@pytest.mark.parametrize("structure", NAMES)
@settings(max_examples=5)
@given(seed=seeds, d=st.integers(1, 4), weighted=st.booleans())
def test_the_trace_is_of_labels_and_the_likelihood_of_the_mixture(
    structure: str, seed: int, d: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = clusters(rng, 150, d)
    w = rng.exponential(size=150) if weighted else np.ones(150)
    result = from_start(start_of(rng, x, structure), x, "cem", 60, weights=w, regularization=None)
    mixture = result.mixture
    assert result.trace[-1] == pytest.approx(classification_likelihood(mixture, x, w), rel=1e-10)
    assert result.log_likelihood == pytest.approx(float(w @ mixture.log_prob(x)), rel=1e-10)
    assert result.trace[-1] == pytest.approx(result.log_likelihood + result.classification, rel=1e-10)
    assert result.trace[-1] < result.log_likelihood


@pytest.mark.parametrize("structure", NAMES)
@settings(max_examples=5)
@given(seed=seeds, d=st.integers(1, 4))
def test_a_pass_is_labelling_and_fitting_to_labels(structure: str, seed: int, d: int) -> None:
    """By hand: label by the specification's densities, begin again from those labels."""
    rng = np.random.default_rng(seed)
    x = clusters(rng, 150, d)
    start = start_of(rng, x, structure)
    by_hand = start
    for _ in range(3):
        labels = by_hand.component_log_prob(x).argmax(axis=1)
        assume((np.bincount(labels, minlength=3) > 0).all())
        options: dict[str, Any] = {"start": labels, "max_passes": 1, "regularization": penalty(d)}
        by_hand = gm.fit(x, 3, start.structure, **options).mixture
    found = from_start(start, x, "cem", 4)
    # Structures without a closed form go on from the pass before, where labels begin anew.
    iterative = structure in ("VEI", "VEE", "VEV", *DESCENTS)
    close = 1e-4 if iterative else CLOSE
    if found.reason == "max_passes":
        wanted = float(by_hand.log_prob(x).sum())
        assert found.log_likelihood == pytest.approx(wanted, rel=close)


@pytest.mark.parametrize("structure", NAMES)
@settings(max_examples=5)
@given(seed=seeds, d=st.integers(1, 3))
def test_weights_repeat_rows_by_labels_too(structure: str, seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x = clusters(rng, 80, d)
    start = start_of(rng, x, structure)
    times = rng.integers(0, 4, 80)
    weighted = from_start(start, x, "cem", 5, weights=times)
    repeated = from_start(start, np.repeat(x, times, axis=0), "cem", 5)
    close = CLOSE_BY_DESCENT if structure in DESCENTS else CLOSE
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=close)
    np.testing.assert_allclose(weighted.trace, repeated.trace, rtol=close)
    np.testing.assert_allclose(weighted.mixture.weights, repeated.mixture.weights, rtol=1e-7)


def lloyd(x: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lloyd's iterations until nothing moves, and the labels on the way."""
    seen: list[np.ndarray] = []
    while True:
        labels = np.square(x[:, None] - means).sum(axis=2).argmin(axis=1)
        if seen and (labels == seen[-1]).all():
            return means, seen
        seen.append(labels)
        means = np.array([x[labels == k].mean(axis=0) for k in range(len(means))])


@given(seed=seeds, d=st.integers(1, 3))
def test_spheres_of_equal_weights_are_k_means(seed: int, d: int) -> None:
    """In a table and its mirror image both clusters always weigh the same, so that labels go by distance alone."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((60, d)) + 0.8
    x, first = np.concatenate([half, -half]), rng.standard_normal(d)
    means, seen = lloyd(x, np.array([first, -first]))
    assume(len(seen) > 2)
    start = gm.Mixture([0.5, 0.5], [first, -first], np.array([np.eye(d)] * 2), structure="E" if d == 1 else "EII")
    found = gm.fit(x, 2, start.structure, start=start, algorithm="cem", regularization=None)
    np.testing.assert_allclose(sorted(found.mixture.means.tolist()), sorted(means.tolist()), atol=1e-9)
    # One pass for the last means, and two that see that there is nothing left to gain; a third where rounding differs.
    assert found.passes - len(seen) in (3, 4)


def test_labels_find_rest_sooner_and_cut_overlaps(rng: np.random.Generator) -> None:
    x = clusters(rng, 2000, 2, k=2, apart=2.0)
    start = gm.Mixture([0.5, 0.5], [[0.0, 0.0], [2.0, -2.0]], np.array([np.eye(2)] * 2), structure="VVV")
    hard, soft = (from_start(start, x, name, 1000) for name in ("cem", "em"))
    assert hard.converged and soft.converged
    assert hard.log_likelihood < soft.log_likelihood
    assert hard.trace[-1] > classification_likelihood(soft.mixture, x, np.ones(2000))
    again = from_start(hard.mixture, x, "cem", 1000)
    assert again.trace[0] == pytest.approx(hard.trace[-1], rel=1e-12)
    assert again.trace[-1] == pytest.approx(hard.trace[-1], rel=1e-8)


@pytest.mark.parametrize("algorithm", ["cem", "sem"])
def test_a_cluster_without_rows_is_put_on_others_or_left_out(algorithm: str, rng: np.random.Generator) -> None:
    x = clusters(rng, 300, 2, k=2, apart=20.0)
    means = [[0.0, 0.0], [20.0, -20.0], [1e4, 1e4]]
    start = gm.Mixture([0.4, 0.4, 0.2], means, np.array([np.eye(2)] * 3), structure="VVV")
    result = gm.fit(x, 3, start=start, algorithm=algorithm)  # type: ignore[arg-type]
    assert np.abs(result.mixture.means).max() < 30.0
    assert np.isfinite(result.log_likelihood)
    assert result.reason == ("converged" if result.mixture.n_components == 3 else "dropped")
    assert (result.effective_rows > 0.0).all()


# Both


@pytest.mark.parametrize("structure", ["EII", "VVV", "EEE", "VVE", "VEI"])
@settings(max_examples=5)
@given(seed=seeds, k=st.integers(2, 4))
def test_all_ways_agree_on_clusters_that_do_not_touch(structure: str, seed: int, k: int) -> None:
    x = clusters(np.random.default_rng(seed), 60 * k, 2, k=k, apart=25.0)
    for algorithm in ("em", "cem", "sem"):
        labels = gm.predict(gm.fit(x, k, structure, algorithm=algorithm, n_starts=3), x).labels  # type: ignore[arg-type]
        pairs = set(zip(labels.tolist(), (np.arange(60 * k) % k).tolist(), strict=True))
        assert len(pairs) == k, algorithm


class Chunked(Source):
    """Rows in chunks that end where they are told to."""

    def __init__(self, x: np.ndarray, w: np.ndarray, stops: list[int]) -> None:
        self.x, self.w, self.edges = x, w, sorted({0, *stops, len(x)})

    n_features = 3
    feature_names = None
    n_rows = None
    description = "chunks"

    def chunks(self) -> Iterator[Chunk]:
        for a, b in pairwise(self.edges):
            yield Chunk(self.x[a:b], self.w[a:b], a)


def numbers(result: gm.FitResult) -> bytes:
    mixture = result.mixture
    arrays = (mixture.weights, mixture.centres, mixture.spread.arrays, np.array([result.log_likelihood, *result.trace]))
    return b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)


@pytest.mark.parametrize("algorithm", ["cem", "sem"])
@pytest.mark.parametrize("structure", ["VVV", "EEE", "VII"])
@settings(max_examples=4)
@given(seed=seeds, n=st.integers(1500, 6000), stops=st.lists(st.integers(1, 1499), max_size=6))
def test_threads_and_chunks_change_no_bit(algorithm: Any, structure: str, seed: int, n: int, stops: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x, w = clusters(rng, n, 3), rng.exponential(size=n)
    options: dict[str, Any] = {"algorithm": algorithm, "max_passes": 12, "n_starts": 1, "start": "kmeans", "seed": 3}
    wanted = numbers(gm.fit(x, 3, structure, weights=w, engine=gm.LocalEngine(1), **options))
    for threads in (2, 3):
        found = gm.fit(Chunked(x, w, stops), 3, structure, engine=gm.LocalEngine(threads), **options)
        assert numbers(found) == wanted


# Stochastic EM


def test_lots_are_the_seeds(rng: np.random.Generator) -> None:
    x = clusters(rng, 300, 2)
    start = start_of(rng, x, "VVV")
    again, one, other = (from_start(start, x, "sem", 60, seed=seed) for seed in (1, 1, 2))
    assert numbers(again) == numbers(one)
    assert one.trace[0] == other.trace[0]  # both begin at the start
    assert set(one.trace[1:30]).isdisjoint(other.trace[1:30])


@pytest.mark.parametrize("structure", NAMES)
@settings(max_examples=3)
@given(seed=seeds, d=st.integers(1, 3), weighted=st.booleans())
def test_drawn_labels_first_then_em_from_the_best(structure: str, seed: int, d: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    x = clusters(rng, 200, d)
    w = rng.exponential(size=200) if weighted else None
    outcome = driven(partial(sem, seed=seed, max_passes=100), start_of(rng, x, structure), x, w=w)
    wandered, climbed = np.array(outcome.trace[:50]), np.array(outcome.trace[50:])
    assert (np.diff(wandered) < 0.0).any()
    assert climbed[0] == pytest.approx(wandered.max(), rel=1e-10)
    assert outcome.segments[:2] == (0, 50)
    for first, last in pairwise((*outcome.segments[1:], outcome.passes)):
        assert (np.diff(outcome.trace[first:last]) >= -1e-10 * np.abs(climbed).max()).all()
    assert outcome.objective == outcome.trace[-1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_components_that_drew_few_rows_are_not_the_best(seed: int) -> None:
    """Eight components for 40 rows: labels by lot soon leave some of them three, whose likelihood has no bound."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, 2))
    outcome = driven(partial(sem, seed=1, max_passes=80), start_of(rng, x, "VVV", 8), x, plain=True)
    # Where such components are let be, the wandering comes to 80 and more above its start; otherwise to about 20.
    assert max(outcome.trace[:40]) < outcome.trace[0] + 40.0


def test_the_number_of_passes_by_lot_is_as_stated(rng: np.random.Generator) -> None:
    x = clusters(rng, 300, 2, apart=1.5)
    result = from_start(start_of(rng, x, "EEE"), x, "sem", 1000)
    wandered, climbed = result.trace[:PASSES_BY_LOT], result.trace[PASSES_BY_LOT:]
    assert climbed[0] == pytest.approx(max(wandered), rel=1e-10)
    assert result.converged and result.passes == len(wandered) + len(climbed)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 30])
def test_passes_by_lot_count_as_passes(most: int, rng: np.random.Generator) -> None:
    x = clusters(rng, 300, 2, apart=1.5)
    result = from_start(start_of(rng, x, "VVV"), x, "sem", most)
    assert (result.passes, result.reason) == (most, "max_passes")


@given(seed=seeds, structure=st.sampled_from(["EII", "VII", "EEI", "VVI"]))
@settings(max_examples=10)
def test_a_saddle_is_left_behind(seed: int, structure: str) -> None:
    """EM cannot tell components apart that begin as one; lots do."""
    x = clusters(np.random.default_rng(seed), 200, 2, k=2, apart=8.0)
    start = gm.Mixture([0.5, 0.5], [[4.0, -4.0]] * 2, np.array([20.0 * np.eye(2)] * 2), structure=structure)
    drawn, soft = (from_start(start, x, name, 400) for name in ("sem", "em"))
    np.testing.assert_allclose(soft.mixture.means[0], soft.mixture.means[1], atol=1e-6)
    np.testing.assert_allclose(np.sort(drawn.mixture.means[:, 0]), [0.0, 8.0], atol=0.6)  # six standard errors
    assert drawn.log_likelihood > soft.log_likelihood + 50.0


# The public face


def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(ParameterError, match="algorithm='mcmc': expected one of em, cem, sem"):
        gm.fit(np.eye(4), 2, algorithm="mcmc")  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["em", "cem", "sem"])
def test_the_algorithm_is_told(algorithm: Any, rng: np.random.Generator) -> None:
    result = gm.fit(clusters(rng, 90, 2), 2, "EEI", algorithm=algorithm, n_starts=1, max_passes=20)
    assert result.facts["algorithm"] == algorithm


def test_a_search_by_labels_prunes_nothing(rng: np.random.Generator) -> None:
    x = clusters(rng, 200, 2)
    selection = gm.select(x, range(1, 5), ["EII", "VVV"], algorithm="cem", n_starts=3)
    assert {row.reason for row in selection.table} <= {"converged", "dropped"}
    for (structure, k), result in selection.results.items():
        alone = gm.fit(x, k, structure, algorithm="cem", start=result.mixture)
        assert result.bic == pytest.approx(alone.bic, rel=1e-6), "the criteria are of the mixture's own likelihood"
        assert result.trace[-1] <= result.log_likelihood + 1e-6


def test_an_interrupted_fit_by_labels_knows_its_likelihood(rng: np.random.Generator) -> None:
    x = clusters(rng, 3000, 2, apart=1.0)

    def impatient(progress: Progress) -> None:
        if progress.reads >= 3:
            raise KeyboardInterrupt

    result = gm.fit(x, 3, algorithm="cem", watch=impatient)
    assert result.reason == "interrupted"
    assert result.log_likelihood == pytest.approx(float(result.mixture.log_prob(x).sum()), rel=1e-10)


def test_rows_beyond_the_sample_are_explored_on_the_sample(rng: np.random.Generator) -> None:
    x = clusters(rng, 60_000, 2, apart=6.0)
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    assert evaluator.sample is not evaluator, "the rows are too few for this test"
    result = gm.fit(x, 3, "VVV", algorithm="sem", n_starts=2)
    assert result.converged and all(start.on_sample for start in result.starts)
    assert max(start.passes for start in result.starts) > PASSES_BY_LOT > result.passes


def test_too_few_rows_are_still_too_few() -> None:
    with pytest.raises(TooFewRowsError):
        gm.fit(np.ones((5, 2)), 2, algorithm="sem")
