"""The verb that joins components into clusters, where several Gaussians stand for one group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from gaussmix import _validation
from gaussmix._linalg import Array, Integers, read_only
from gaussmix.arguments import mixture_of, source_for
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import group_entropies, map_scored
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.kernels.kernel import RowScores
from gaussmix.errors import ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection

Model = Mixture | FitResult | Selection
_DRAWN = 1 << 16  # rows that stand in for data: their mean entropy errs by less than 1/256 of a row's spread

Groups = tuple[tuple[int, ...], ...]


class ClusterAssignments(NamedTuple):
    """What merged components say of every row.

    `labels` (N,) integers, the most probable cluster, -1 for a row that was dropped; `responsibilities` (N, G).
    """

    labels: NDArray[np.int64]
    responsibilities: Array


@final
@dataclass(frozen=True, eq=False)
class Merging:
    """A sequence of mergers, from every component by itself to all in one cluster.

    Parameters
    ----------
    mixture : Mixture
        Whose components were joined; its density stays what it is.
    sequence : tuple of (tuple of tuple of int)
        At position g - 1 the g clusters, each as the positions of its components, by the first of them.
    entropies : array (K,)
        At position g - 1 the entropy of g clusters: minus the sum of w t log t over rows and clusters.
    merged_rows : array (K,)
        At position g - 1 the weight of the rows in clusters that are joined on the way from g clusters to one,
        cumulated: the abscissa of Baudry & al.'s normalized curve.
    n_clusters : int
        Where the curve bends: two straight lines that meet in the point of this many clusters fit it best.
    drawn : bool
        Whether rows drawn from the mixture stood in for data.
    """

    mixture: Mixture
    sequence: tuple[Groups, ...]
    entropies: Array
    merged_rows: Array
    n_clusters: int
    drawn: bool

    def __post_init__(self) -> None:
        for name in ("entropies", "merged_rows"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def groups(self, n_clusters: int | None = None) -> Groups:
        """Return the clusters as positions of their components.

        Parameters
        ----------
        n_clusters : int, optional
            From 1 to K; where the curve bends by default.

        Raises
        ------
        ParameterError
            When it is something else.
        """
        most = self.mixture.n_components
        chosen = self.n_clusters if n_clusters is None else _validation.positive_integer(n_clusters, "n_clusters")
        if chosen > most:
            raise ParameterError(f"n_clusters={chosen}: the mixture has only {most} components to join")
        return self.sequence[chosen - 1]

    def labels(self, n_clusters: int | None = None) -> Integers:
        """Return the cluster (K,) of every component.

        Parameters
        ----------
        n_clusters : int, optional
            As for `groups`.
        """
        return _membership(self.groups(n_clusters), self.mixture.n_components).argmax(axis=1)

    def weights(self, n_clusters: int | None = None) -> Array:
        """Return the clusters' weights (G,)."""
        return self.mixture.weights @ _membership(self.groups(n_clusters), self.mixture.n_components)

    def predict(
        self,
        data: object,
        n_clusters: int | None = None,
        *,
        features: Sequence[str | int] | None = None,
        missing: Literal["error", "drop"] = "error",
        engine: Engine | None = None,
    ) -> ClusterAssignments:
        """Say of every row which cluster it most probably belongs to: the one whose components together claim most.

        Parameters
        ----------
        data, features, missing, engine
            As in `gaussmix.predict`.
        n_clusters : int, optional
            As for `groups`.
        """
        membership = _membership(self.groups(n_clusters), self.mixture.n_components)

        def clusters(_: Chunk, scores: RowScores) -> ClusterAssignments:
            shares = scores.responsibilities @ membership
            return ClusterAssignments(np.where(scores.labels < 0, -1, shares.argmax(axis=1)), shares)

        source = source_for(self.mixture, data, None, features, missing)
        parts = list(map_scored(self.mixture, source, engine or usual_engine(data), clusters))
        if not parts:
            return ClusterAssignments(np.empty(0, np.int64), np.empty((0, membership.shape[1])))
        return ClusterAssignments(*(np.concatenate(field) for field in zip(*parts, strict=True)))

    def __repr__(self) -> str:
        return f"<Merging of {self.mixture.n_components} components; the entropy bends at {self.n_clusters} clusters>"


def merge(
    model: Model,
    by: Literal["entropy"] = "entropy",
    data: object = None,
    *,
    weights: object = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    seed: int = 0,
    engine: Engine | None = None,
) -> Merging:
    """Join the components of a mixture into clusters, two at a time, by the greatest fall in entropy.

    Baudry, Raftery, Celeux, Lo & Gottardo (2010), "Combining mixture components for clustering", JCGS 19. Data are
    read once for every merger, and memory does not grow with their number of rows.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted.
    by : {"entropy"}
        What decides which clusters to join.
    data : array, dataframe, Arrow table, path or glob, optional
        The rows whose entropy counts, those of the fit as a rule. Without them 65,536 rows drawn from the mixture
        stand in, as if the mixture were true.
    weights, features, missing, engine
        As in `fit`.
    seed : int
        For rows that are drawn.

    Returns
    -------
    Merging

    Raises
    ------
    ParameterError
        When `by` is unknown.
    """
    if by != "entropy":
        raise ParameterError(f'by={by!r}: expected "entropy"; data are the third argument')
    mixture = mixture_of(model)
    drawn = data is None
    if drawn:
        data = mixture.sample(_DRAWN, _validation.positive_integer(seed, "seed", least=0))
    source = source_for(mixture, data, weights, features, missing)
    sequence, entropies, merged = _joined(mixture, source, engine or usual_engine(data))
    return Merging(mixture, sequence, entropies, merged, _bend(merged, entropies), drawn)


def _joined(mixture: Mixture, source: Source, engine: Engine) -> tuple[tuple[Groups, ...], Array, Array]:
    """Return groups, entropies (K,) and cumulated weights of merged rows (K,), for 1 to K clusters."""
    n = mixture.n_components
    groups: Groups = tuple((k,) for k in range(n))
    sequence: list[Groups] = [groups]
    entropies, merged = np.zeros(n), np.zeros(n)
    pairs = list(combinations(range(n), 2))
    falls: dict[frozenset[tuple[int, ...]], float] = {}
    for count in range(n, 0, -1):
        sums = group_entropies(mixture, source, engine, _membership(groups, n), pairs)
        entropies[count - 1] = sums.entropies.sum()
        for (i, j), joined in zip(pairs, sums.joined, strict=True):
            falls[frozenset((groups[i], groups[j]))] = float(sums.entropies[i] + sums.entropies[j] - joined)
        if count == 1:
            break
        best = max(combinations(range(count), 2), key=lambda pair: falls[frozenset((groups[pair[0]], groups[pair[1]]))])
        merged[count - 1] = sums.assigned[list(best)].sum()
        groups, new = _join(groups, *best)
        # Only unions with the new cluster are not known yet.
        pairs = [(min(new, g), max(new, g)) for g in range(len(groups)) if g != new]
        sequence.append(groups)
    return tuple(reversed(sequence)), entropies, np.cumsum(merged)


def _join(groups: Groups, i: int, j: int) -> tuple[Groups, int]:
    """Return the groups with two of them joined, by their first components, and where the union stands."""
    union = tuple(sorted((*groups[i], *groups[j])))
    left = sorted([*(each for g, each in enumerate(groups) if g not in (i, j)), union])
    return tuple(left), left.index(union)


def _membership(groups: Groups, n_components: int) -> Array:
    membership = np.zeros((n_components, len(groups)))
    for g, members in enumerate(groups):
        membership[list(members), g] = 1.0
    return membership


def _bend(abscissae: Array, values: Array) -> int:
    """Return the number of clusters at which two least-squares lines, sharing that point, fit the curve best.

    Two points are on one line, so two components or fewer stay as they are.
    """
    n = len(values)
    if n < 3:
        return n
    errors = [
        _line_error(abscissae[: at + 1], values[: at + 1]) + _line_error(abscissae[at:], values[at:])
        for at in range(1, n - 1)
    ]
    return 2 + int(np.argmin(errors))


def _line_error(x: Array, y: Array) -> float:
    """Sum of squared deviations from the least-squares line; where all abscissae are one, from the mean."""
    dx, dy = x - x.mean(), y - y.mean()
    spread = float(dx @ dx)
    return float(dy @ dy) - (float(dx @ dy) ** 2 / spread if spread > 0.0 else 0.0)
