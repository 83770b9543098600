"""Covariances that are zero between blocks of features, and free within them."""

from collections.abc import Sequence
from typing import final

import numpy as np

from gaussmix.covariance import Covariances, Dense, Moment, Scatter, Structure


@final
class Blocks(Structure):
    """Each component has its own covariance, block by block.

    Parameters
    ----------
    blocks : sequence of sequences of int
        Positions of the features of each block; together all of them, once each.
    """

    name = "blocks"
    moment = Moment.FULL
    axis_equivariant = True

    def __init__(self, blocks: Sequence[Sequence[int]]) -> None:
        self.blocks = blocks

    def n_own_parameters(self, n_features: int) -> int:
        return sum(len(block) * (len(block) + 1) // 2 for block in self.blocks)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * self.n_own_parameters(n_features)

    def estimate(self, scatter: Scatter, previous: Covariances | None) -> Covariances:
        free = np.zeros((scatter.n_features, scatter.n_features))
        for block in self.blocks:
            free[np.ix_(block, block)] = 1.0
        return Dense.from_matrices(free * scatter.matrices() / scatter.mass[:, None, None])
