"""How uncertain rows are between groups of components, and what joining two of the groups would take away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.data.source import Chunk
from gaussmix.engine.fold import Fold
from gaussmix.engine.kernels.kernel import Kernel
from gaussmix.engine.plan import Plan
from gaussmix.engine.scoring import score_rows
from gaussmix.mixture import Mixture


@final
@dataclass(frozen=True, eq=False)
class GroupEntropies:
    """Sums over all rows, for G groups of components whose responsibilities t_ng are those of their members together.

    Parameters
    ----------
    entropies : array (G,)
        Minus the sum of w t log t: the groups' parts of the entropy.
    joined : array (P,)
        The same of two groups joined, for each of the pairs asked about.
    assigned : array (G,)
        Weight of the rows whose most probable group this is.
    """

    entropies: Array
    joined: Array
    assigned: Array


@final
@dataclass(frozen=True, eq=False)
class GroupEntropyFold(Fold[Array, GroupEntropies]):
    """One read; the state is an array (2 G + P,), and no more rows than a segment's are held.

    Parameters
    ----------
    plan, kernel, mixture
        As `score_rows` takes them.
    membership : array (K, G)
        One where a component belongs to a group, else zero.
    pairs : sequence of pairs of groups
        Which unions to look at.
    """

    plan: Plan
    kernel: Kernel
    mixture: Mixture
    membership: Array
    pairs: tuple[tuple[int, int], ...]

    @property
    def state_bytes(self) -> int:
        """Bytes of the sums."""
        return 8 * (2 * self.membership.shape[1] + len(self.pairs))

    def segment(self, chunk: Chunk) -> Array:
        """Return the sums of one segment; rows of weight zero do not count."""
        scores = score_rows(self.plan, self.kernel, self.mixture, chunk)
        used = scores.labels >= 0
        shares = np.ascontiguousarray((scores.responsibilities[used] @ self.membership).T)
        weights = np.ones(shares.shape[1]) if chunk.weights is None else np.asarray(chunk.weights[used], np.float64)
        own = [_entropy(each, weights) for each in shares]
        joined = [_entropy(shares[i] + shares[j], weights) for i, j in self.pairs]
        assigned = np.bincount(shares.argmax(axis=0), weights, minlength=len(shares))
        return np.concatenate([own, joined, assigned])

    def merge(self, left: Array, right: Array) -> Array:
        """Add."""
        return left + right

    def finish(self, state: Array) -> GroupEntropies:
        """Name the sums."""
        n_groups, n_pairs = self.membership.shape[1], len(self.pairs)
        own, joined, assigned = np.split(state, [n_groups, n_groups + n_pairs])
        return GroupEntropies(own, joined, assigned)


def _entropy(shares: Array, weights: Array) -> float:
    """Minus the sum of w t log t, with 0 log 0 = 0."""
    logs = np.log(np.where(shares > 0.0, shares, 1.0))
    return -float(weights @ (shares * logs))
