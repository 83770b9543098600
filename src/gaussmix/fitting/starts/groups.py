"""Groups of rows taken from a mixture, and what can be made of them: fewer, more, or others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from gaussmix._linalg import Array, Integers, read_only
from gaussmix.covariance import Moment
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.starts.kmeans import squared_distances
from gaussmix.fitting.starts.start import Start

_APART = 0.8  # standard deviations along its widest axis by which the halves of a component are moved
_NARROW, _WIDE = 0.25, 1.75  # variances of the halves of a component that is cut into a core and a halo
_PLANTED = 0.1  # variance of a group that is planted at a row, of the pooled one
_CROWD = 3  # times (D + 1): rows of a group that is planted where they lie closely
_TRIED = 256  # rows that are asked how closely others lie
_ROUNDED_OFF = 1e-6  # of the pooled variance, so that equal rows make no needle
_PAIRS = 3
"""Mergers that a round of moves tries: those of the components that are nearest to each other."""


def groups_of(outcome: Outcome, model: Model) -> Start | None:
    """Return the groups that a mixture makes of the rows; None where their full scatters were not kept."""
    statistics = outcome.statistics
    if statistics.moment is not Moment.FULL:
        return None
    return _groups(outcome, statistics.scatter().matrices(), model)


def likely_groups(outcome: Outcome, model: Model) -> Start | None:
    """Return the groups that a mixture makes of rows that are spread as it says."""
    mass, mixture = outcome.statistics.mass, outcome.mixture
    matrices = np.broadcast_to(mixture.spread.dense(), (len(mass), mixture.n_features, mixture.n_features))
    return _groups(outcome, mass[:, None, None] * matrices, model)


def _groups(outcome: Outcome, scatters: Array, model: Model) -> Start | None:
    statistics, units = outcome.statistics, model.pilot.spreads
    if not (statistics.mass > 0.0).all():
        return None
    return Start("neighbour", statistics.mass, statistics.means() / units, scatters / (units * units[:, None]))


def moves(groups: Start, z: Array, rng: np.random.Generator) -> Iterator[Start]:
    """Yield ways out of an optimum with as many groups: two made one, and another made elsewhere (Ueda et al. 2000).

    The nearest pairs are merged. With each merger a group that is drawn by its mass times its spread is cut, once
    across its widest axis and once into a core and a halo, and so is the widest group; and small groups are planted: at
    one of the rows `z`, drawn by its squared distance from the nearest mean (as in k-means++), and where rows lie most
    closely for what the groups make of the place.
    """
    k = len(groups.mass)
    if k < 2:
        return
    for first, second in nearest_pairs(groups)[:_PAIRS]:
        merged = merge(groups, first, second)
        drawn, widest = _drawn(merged, rng), int(_badness(merged).argmax())
        for component in {widest, drawn}:
            yield split(merged, component)
            yield hollow(merged, component)
        planted = _plant_drawn(merged, z, rng)
        if planted is not None:
            yield planted
        crowd = crowded(merged, z, rng)
        if crowd is not None:
            yield crowd


def repairs(groups: Start, wrong: Sequence[int], z: Array, rng: np.random.Generator) -> Iterator[Start]:
    """Yield what becomes of an optimum when the rows of some groups are given back and as many are made elsewhere.

    They are all made in one way: by cutting the group with the largest mass times spread, one that is drawn by that, or
    one drawn so into a core and a halo; or planted where rows lie closely, or far from all means.
    """
    kept = [k for k in range(len(groups.mass)) if k not in set(wrong)]
    if not kept:
        return
    left = Start("kept", groups.mass[kept], groups.means[kept], groups.scatters[kept])
    for grow in (_cut_widest, _cut_drawn, _hollow_drawn, _plant_drawn, crowded):
        grown: Start | None = left
        for _ in wrong:
            grown = None if grown is None else grow(grown, z, rng)
        if grown is not None:
            yield grown


def _badness(groups: Start) -> Array:
    return groups.mass * np.maximum(np.trace(groups.scatters, axis1=1, axis2=2), 0.0)


def _drawn(groups: Start, rng: np.random.Generator) -> int:
    badness = _badness(groups)
    return int(rng.choice(len(badness), p=badness / badness.sum())) if badness.sum() > 0.0 else 0


def _cut_widest(groups: Start, z: Array, rng: np.random.Generator) -> Start:
    return split(groups, int(_badness(groups).argmax()))


def _cut_drawn(groups: Start, z: Array, rng: np.random.Generator) -> Start:
    return split(groups, _drawn(groups, rng))


def _hollow_drawn(groups: Start, z: Array, rng: np.random.Generator) -> Start:
    return hollow(groups, _drawn(groups, rng))


def _plant_drawn(groups: Start, z: Array, rng: np.random.Generator) -> Start | None:
    distances = squared_distances(z, groups.means).min(axis=1)
    return plant(groups, z[rng.choice(len(z), p=distances / distances.sum())]) if distances.sum() > 0.0 else None


def split(groups: Start, component: int) -> Start:
    """Return the groups with one of them cut in two along its widest axis."""
    return next(splits(groups, [component]))


def splits(groups: Start, components: Sequence[int]) -> Iterator[Start]:
    """Yield the groups with one after another of some of them cut in two along its widest axis."""
    chosen, (k, d) = np.asarray(components), groups.means.shape
    mass, centres, scatters = groups.mass[chosen], groups.means[chosen], groups.scatters[chosen]
    values, vectors = np.linalg.eigh(scatters / mass[:, None, None])
    steps = _APART * np.sqrt(np.maximum(values[:, -1:], 0.0)) * vectors[:, :, -1]
    halves = 0.5 * (scatters - (mass[:, None] * steps)[:, :, None] * steps[:, None, :])
    # All of them at once, the halves last: a search asks for thousands.
    rest, n = _others(k)[chosen], len(chosen)
    masses, means, matrices = np.empty((n, k + 1)), np.empty((n, k + 1, d)), np.empty((n, k + 1, d, d))
    masses[:, :-2], means[:, :-2], matrices[:, :-2] = groups.mass[rest], groups.means[rest], groups.scatters[rest]
    masses[:, -2:], matrices[:, -2:] = 0.5 * mass[:, None], halves[:, None]
    means[:, -2], means[:, -1] = centres + steps, centres - steps
    for made in zip(read_only(masses), read_only(means), read_only(matrices), strict=True):
        yield Start("split", *made)


def hollow(groups: Start, component: int) -> Start:
    """Return the groups with one of them cut into a core and a halo about the same mean."""
    half, centre = 0.5 * groups.scatters[component], groups.means[component]
    rest = _others(len(groups.mass))[component]
    mass = np.repeat(0.5 * groups.mass[component], 2)
    return Start(
        "core and halo",
        np.append(groups.mass[rest], mass),
        np.concatenate([groups.means[rest], centre[None], centre[None]]),
        np.concatenate([groups.scatters[rest], (_NARROW * half)[None], (_WIDE * half)[None]]),
    )


def plant(groups: Start, row: Array) -> Start:
    """Return the groups with a small one more, about a row."""
    total, k = groups.mass.sum(), len(groups.mass)
    share = 1.0 / (2.0 * (k + 1))
    mass = total * share
    scatter = groups.scatters.sum(axis=0) * (share * _PLANTED)
    return Start(
        "planted",
        np.append(groups.mass * (1.0 - share), mass),
        np.concatenate([groups.means, row[None]]),
        np.concatenate([groups.scatters * (1.0 - share), scatter[None]]),
    )


def crowded(groups: Start, z: Array, rng: np.random.Generator) -> Start | None:
    """Return the groups with one more, of the rows that lie most closely for what the groups make of their place.

    Of a few rows, drawn by lot, the density of their nearest neighbours is compared with that of the groups (in the way
    of Vlassis & Likas 2002, "A greedy EM algorithm for Gaussian mixture learning", who try every row). None where there
    are not enough rows.
    """
    n, d = z.shape
    count = _CROWD * (d + 1)
    if n <= 2 * count:
        return None
    matrices = groups.scatters / groups.mass[:, None, None]
    pooled = np.tensordot(groups.mass / groups.mass.sum(), matrices, 1)
    try:
        factors = np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
        white = z @ np.linalg.inv(np.linalg.cholesky(pooled)).T
    except np.linalg.LinAlgError:
        return None
    tried = rng.choice(n, min(n, _TRIED), replace=False)
    squares = squared_distances(white[tried], white)
    radii = np.partition(squares, count - 1, axis=1)[:, count - 1]
    with np.errstate(divide="ignore"):
        excess = -0.5 * d * np.log(radii) - _log_density(groups, factors, z[tried])
    best = int(excess.argmax())
    rows = z[squares[best] <= radii[best]]
    mass = groups.mass.sum() * len(rows) / n
    scatter = np.cov(rows.T, bias=True).reshape(d, d) + _ROUNDED_OFF * pooled
    shrunk = 1.0 - mass / groups.mass.sum()
    return Start(
        "planted",
        np.append(groups.mass * shrunk, mass),
        np.concatenate([groups.means, rows.mean(axis=0)[None]]),
        np.concatenate([groups.scatters * shrunk, mass * scatter[None]]),
    )


def _log_density(groups: Start, factors: Array, rows: Array) -> Array:
    """Log density (rows,) of the groups as a mixture, up to a constant."""
    logs = np.empty((len(groups.mass), len(rows)))
    for k, factor in enumerate(factors):
        white = np.linalg.solve(factor, (rows - groups.means[k]).T)
        logs[k] = np.log(groups.mass[k]) - np.log(np.diag(factor)).sum() - 0.5 * np.square(white).sum(axis=0)
    return np.logaddexp.reduce(logs, axis=0)


def merge(groups: Start, first: int, second: int) -> Start:
    """Return the groups with two of them made one."""
    pair = [first, second]
    mass = groups.mass[pair].sum()
    mean = groups.mass[pair] @ groups.means[pair] / mass
    gaps = groups.means[pair] - mean
    scatter = groups.scatters[pair].sum(axis=0) + (gaps.T * groups.mass[pair]) @ gaps
    rest = [other for other in range(len(groups.mass)) if other not in pair]
    return Start(
        "merged",
        np.append(groups.mass[rest], mass),
        np.concatenate([groups.means[rest], mean[None]]),
        np.concatenate([groups.scatters[rest], scatter[None]]),
    )


def nearest_pairs(groups: Start) -> list[tuple[int, int]]:
    """Return all pairs of groups, those first whose means are nearest in the metric of the pooled covariance."""
    first, second, distances = _distances(groups)
    order = np.argsort(distances, kind="stable")
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))


def join_nearest(groups: Start) -> Start:
    """Return the groups with the two nearest made one."""
    first, second, distances = _distances(groups)
    nearest = int(distances.argmin())
    return merge(groups, int(first[nearest]), int(second[nearest]))


def _distances(groups: Start) -> tuple[Integers, Integers, Array]:
    """Return both indices of all pairs of groups, and squared distances of their means."""
    pooled = groups.scatters.sum(axis=0) / groups.mass.sum()
    values, vectors = np.linalg.eigh(pooled)
    least = values[-1] * 1e-12 if values[-1] > 0.0 else 1.0  # groups of equal rows alone have no metric of their own
    white = groups.means @ (vectors / np.sqrt(np.maximum(values, least)))
    first, second = _pairs(len(white))
    return first, second, np.square(white[first] - white[second]).sum(axis=1)


@lru_cache(maxsize=64)
def _others(n: int) -> Integers:
    """Return, of each of n, the indices (n, n - 1) of all others."""
    everyone = np.broadcast_to(np.arange(n), (n, n))
    return everyone[~np.eye(n, dtype=bool)].reshape(n, n - 1).astype(np.int64)


@lru_cache(maxsize=64)
def _pairs(n: int) -> tuple[Integers, Integers]:
    """Return both indices of all pairs of n."""
    first, second = np.triu_indices(n, 1)
    return first.astype(np.int64), second.astype(np.int64)
