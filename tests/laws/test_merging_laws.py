"""Merging of components: laws, and mclust's numbers."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import random_mixture, seeds

import gaussmix as gm
from gaussmix.errors import MissingValuesError, ParameterError, ShapeError

# R 4 and mclust 6:
#   m <- Mclust(x, G = g, modelNames = name, control = emControl(tol = c(1e-12, 1e-12), itmax = c(5000, 1000)))
#   cc <- clustCombi(m); entPlot(m$z, cc$combiM, abc = "normalized"); table(cc$classification[[k]])
# Log-likelihood; entropies, abscissae and bend of the normalized curve; sizes of the clusters.
REFERENCES = [
    (
        ("faithful", "VVV", -1107.25381765262),
        [0.0, 7.51443780038638, 19.9651667540506, 36.3988004852884, 95.6828254402053],
        [0, 272, 366, 544, 714],
        4,
        [[272], [178, 94], [178, 81, 13], [170, 81, 13, 8], [126, 81, 44, 13, 8]],
    ),
    (
        ("faithful", "VII", -1511.26852375545),
        [0.0, 1.85143639999396, 8.22160264256668, 15.9790677910076, 25.7503379056494],
        [0, 272, 443, 544, 686],
        3,
        [[272], [171, 101], [142, 101, 29], [142, 63, 38, 29], [79, 63, 63, 38, 29]],
    ),
    (
        ("iris", "EII", -282.686872900817),
        [0.0, 2.71840812535565e-08, 1.88351209068062, 5.96700224250285, 10.1560914598314, 22.089252879079],
        [0, 150, 250, 340, 405, 455],
        5,
        [[150], [100, 50], [90, 50, 10], [65, 50, 25, 10], [50, 40, 25, 25, 10], [40, 28, 25, 25, 22, 10]],
    ),
]


def rows_of(path: Path) -> np.ndarray:
    with path.open() as file:
        return np.array(list(csv.reader(file))[1:], dtype=np.float64)


@pytest.mark.parametrize(("fit", "entropies", "merged", "bend", "sizes"), REFERENCES)
def test_mergers_are_mclusts(
    oracle_data: Path,
    fit: tuple[str, str, float],
    entropies: list[float],
    merged: list[int],
    bend: int,
    sizes: list[list[int]],
) -> None:
    name, structure, log_likelihood = fit
    x = rows_of(oracle_data / f"{name}.csv")
    result = gm.fit(x, len(entropies), structure, regularization=None, tol=1e-12, max_passes=5000, effort="quick")
    assert result.log_likelihood == pytest.approx(log_likelihood, rel=1e-8), "another optimum"
    merging = gm.merge(result, "entropy", x)
    # The entropy is not stationary at the optimum: it carries the root of what EM has left to gain.
    np.testing.assert_allclose(merging.entropies, entropies, rtol=3e-4, atol=1e-12)
    assert merging.merged_rows.tolist() == merged
    assert merging.n_clusters == bend
    for count, expected in enumerate(sizes, 1):
        labels = merging.predict(x, count).labels
        assert sorted(np.bincount(labels, minlength=count), reverse=True) == expected


def brute_entropy(responsibilities: np.ndarray, groups: tuple[tuple[int, ...], ...], weights: np.ndarray) -> float:
    shares = np.stack([responsibilities[:, list(members)].sum(axis=1) for members in groups], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -float(weights @ np.nansum(shares * np.log(shares), axis=1))


@given(seeds, st.integers(1, 5), st.integers(1, 3))
def test_every_merger_takes_most_entropy_away(seed: int, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, "VVV", k, d, apart=1.5)
    x, weights = mixture.sample(200, rng), rng.integers(0, 4, 200) + 0.0
    responsibilities = mixture.responsibilities(x)
    merging = gm.merge(mixture, "entropy", x, weights=weights)
    for count in range(k, 0, -1):
        groups = merging.groups(count)
        assert sorted(sum(groups, ())) == list(range(k)), "every component in one cluster"
        assert len(groups) == count
        assert merging.entropies[count - 1] == pytest.approx(
            brute_entropy(responsibilities, groups, weights), rel=1e-9, abs=1e-9
        )
        if count > 1:
            possible = []
            for i, j in combinations(range(count), 2):
                rest = [each for g, each in enumerate(groups) if g not in (i, j)]
                possible.append(brute_entropy(responsibilities, (*rest, groups[i] + groups[j]), weights))
            assert merging.entropies[count - 2] <= min(possible) + 1e-9
    assert (np.diff(merging.entropies) >= -1e-9).all(), "fewer clusters are never less certain"
    assert 1 <= merging.n_clusters <= k


@given(seeds, st.integers(2, 5))
def test_clusters_claim_what_their_components_do(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, "VVI", k, 2)
    x = mixture.sample(50, rng)
    merging = gm.merge(mixture, "entropy", x)
    for count in range(1, k + 1):
        labels, shares = merging.predict(x, count)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
        expected = np.stack(
            [mixture.responsibilities(x)[:, list(g)].sum(axis=1) for g in merging.groups(count)], axis=1
        )
        np.testing.assert_allclose(shares, expected, atol=1e-9)
        assert (labels == shares.argmax(axis=1)).all()
        assert (merging.labels(count)[[g[0] for g in merging.groups(count)]] == np.arange(count)).all()
        np.testing.assert_allclose(merging.weights(count).sum(), 1.0)


def test_one_cluster_of_two_gaussians_is_found_without_data(rng: np.random.Generator) -> None:
    """A cross of two Gaussians in one place, and two others far away."""
    covariances = [np.diag([9.0, 0.1]), np.diag([0.1, 9.0]), np.eye(2), np.eye(2)]
    mixture = gm.Mixture([0.3, 0.3, 0.2, 0.2], [[0, 0], [0, 0], [30, 0], [0, 30]], covariances)
    drawn, given_rows = gm.merge(mixture), gm.merge(mixture, "entropy", mixture.sample(5000, rng))
    assert drawn.drawn and not given_rows.drawn
    for merging in (drawn, given_rows):
        assert merging.n_clusters == 3
        assert merging.groups() == ((0, 1), (2,), (3,))
    again = gm.merge(mixture, engine=gm.LocalEngine(threads=1))
    assert again.entropies.tolist() == drawn.entropies.tolist(), "to the bit, whatever the threads"


def test_sources_of_all_kinds_give_the_same(oracle_data: Path, tmp_path: Path) -> None:
    path = oracle_data / "faithful.csv"
    result = gm.fit(path, 4, effort="quick")
    on_file, on_array = gm.merge(result, "entropy", path), gm.merge(result, "entropy", rows_of(path))
    assert on_file.entropies.tolist() == on_array.entropies.tolist()
    assert on_file.sequence == on_array.sequence
    assert (on_file.predict(path).labels == on_array.predict(rows_of(path)).labels).all()


def test_what_cannot_be_is_refused() -> None:
    mixture = gm.Mixture([0.5, 0.5], [0.0, 5.0], [1.0, 1.0])
    merging = gm.merge(mixture)
    for wrong in (0, 3):
        with pytest.raises(ParameterError, match="n_clusters"):
            merging.groups(wrong)
    with pytest.raises(ParameterError, match="entropy"):
        gm.merge(mixture, "modes")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        gm.merge(mixture, "entropy", np.ones((5, 2)))
    x = np.array([[0.0], [np.nan], [5.0]])
    with pytest.raises(MissingValuesError):
        gm.merge(mixture, "entropy", x)
    assert merging.predict(x, 2, missing="drop").labels.tolist() == [0, -1, 1]
