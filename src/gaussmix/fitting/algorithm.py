"""The ways to climb from a start to a maximum, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import final

from gaussmix.fitting.classification import cem, sem
from gaussmix.fitting.em import Reseed, em
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.mixture import Mixture

NAMES = ("em", "cem", "sem")

Climber = Callable[[Start | Mixture | Outcome, Model, StoppingRule, Reseed | None], Method[Outcome]]
"""What `em` is: a coroutine from a start to an outcome."""


@final
@dataclass(frozen=True)
class Algorithm:
    """How one start climbs.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    explore : Climber
        From a start.
    finish : Climber
        On from where that has led.
    by_likelihood : bool
        Whether its objective is the (penalised) log-likelihood, so that it tells how far a criterion can come.
    compiled : bool
        Whether it is the one that compiled races run.
    """

    name: str
    explore: Climber
    finish: Climber
    by_likelihood: bool = True
    compiled: bool = False

    @property
    def finishing(self) -> Algorithm:
        """The same for mixtures that have been explored on other rows."""
        return replace(self, explore=self.finish)


_ACCELERATED = partial(em, accelerated=True)

EM = Algorithm("em", _ACCELERATED, _ACCELERATED, compiled=True)


def algorithm(name: str, seed: int, max_passes: int) -> Algorithm:
    """Return the algorithm of that name, one of `NAMES`.

    Parameters
    ----------
    name : str
    seed : int
        Of the lots that it draws.
    max_passes : int
        Passes of one start.
    """
    known = {
        "em": EM,
        "cem": Algorithm("cem", cem, cem, by_likelihood=False),
        "sem": Algorithm("sem", partial(sem, seed=seed, max_passes=max_passes), _ACCELERATED),
    }
    return known[name]
