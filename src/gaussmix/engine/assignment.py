"""How rows are shared out among the components: by probability, to the best one, by lot, or as told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.errors import ParameterError, ShapeError


class Assignment(ABC):
    """The rule by which log densities (K, rows) become shares (K, rows) that sum to 1 over the components."""

    needs_densities: bool = True

    @abstractmethod
    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Share out the rows at positions `start` and following.

        Returns
        -------
        shares : array (K, rows)
            New, free to be changed.
        log_prob : array (rows,)
            What each row adds to the objective, per unit of weight.
        """


@final
@dataclass(frozen=True)
class Soft(Assignment):
    """Responsibilities: EM."""

    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Softmax over the components, and the log density of each row."""
        assert log_densities is not None
        top = log_densities.max(axis=0)
        far = ~np.isfinite(top)
        if far.any():
            return _with_far_rows(log_densities, far)
        shares = np.exp(log_densities - top)
        total = shares.sum(axis=0)
        shares /= total
        return shares, top + np.log(total)


def _with_far_rows(log_densities: Array, far: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Give rows whose every density underflows to their best component; the rest as usual."""
    top = np.where(far, 0.0, log_densities.max(axis=0))
    shares = np.exp(log_densities - top)
    shares[:, far] = np.arange(len(shares))[:, None] == log_densities[:, far].argmax(axis=0)
    total = shares.sum(axis=0)
    return shares / total, np.where(far, -np.inf, top + np.log(total))


@final
@dataclass(frozen=True)
class Hard(Assignment):
    """Everything to the most probable component: classification EM (Celeux & Govaert 1992)."""

    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Ones and zeros, and the best component's log density of each row."""
        assert log_densities is not None
        best = log_densities.argmax(axis=0)
        shares = (np.arange(len(log_densities))[:, None] == best).astype(np.float64)
        return shares, log_densities.max(axis=0)


@final
@dataclass(frozen=True)
class Sampled(Assignment):
    """A component drawn by the responsibilities: stochastic EM (Celeux & Diebolt 1985).

    The draw depends on (seed, number of the pass, position of the row's block) alone.
    """

    seed: int
    number: int

    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Ones and zeros, and the log density of each row."""
        shares, log_prob = SOFT.shares(log_densities, start, n_rows)
        draws = np.random.default_rng([self.seed, self.number, start]).random(n_rows)
        chosen = np.minimum((np.cumsum(shares, axis=0) < draws).sum(axis=0), len(shares) - 1)
        return (np.arange(len(shares))[:, None] == chosen).astype(np.float64), log_prob


@final
@dataclass(frozen=True, eq=False)
class Given(Assignment):
    """Shares told by the caller.

    Parameters
    ----------
    responsibilities : array (rows, K)
        Of all rows of the source, in order.
    """

    responsibilities: Array
    needs_densities = False

    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Return the rows' own shares; they add nothing to the objective.

        Raises
        ------
        ShapeError
            When the source has more rows than there are responsibilities.
        """
        mine = self.responsibilities[start : start + n_rows]
        if len(mine) < n_rows:
            raise ShapeError(
                f"the start has {len(self.responsibilities)} rows, but the data have more; give one row of labels or "
                "responsibilities for each row of data"
            )
        return np.array(mine.T, order="C"), np.zeros(n_rows)


@final
@dataclass(frozen=True, eq=False)
class Labelled(Assignment):
    """Labels (rows,) told by the caller, for K components."""

    labels: NDArray[np.int64]
    n_components: int
    needs_densities = False

    def shares(self, log_densities: Array | None, start: int, n_rows: int) -> tuple[Array, Array]:
        """Ones and zeros; they add nothing to the objective.

        Raises
        ------
        ShapeError
            When the source has more rows than there are labels.
        """
        mine = self.labels[start : start + n_rows]
        if len(mine) < n_rows:
            raise ShapeError(
                f"the start has {len(self.labels)} labels, but the data have more rows; give one for each row"
            )
        return (np.arange(self.n_components)[:, None] == mine).astype(np.float64), np.zeros(n_rows)


SOFT = Soft()


def given(start: Array) -> Given:
    """Check user-made responsibilities (rows, K) and make an assignment of them.

    Raises
    ------
    ParameterError
        When they are negative, or a row does not sum to 1 within 1e-6.
    """
    sums = start.sum(axis=1)
    wrong = np.flatnonzero((start < 0.0).any(axis=1) | (np.abs(sums - 1.0) > 1e-6))
    if len(wrong):
        raise ParameterError(
            f"start: responsibilities must be at least 0 and sum to 1 in every row; row {wrong[0]} is "
            f"{start[wrong[0]].tolist()}"
        )
    return Given(start / sums[:, None])
