"""The ways to climb from a start to a maximum, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import final

from gaussmix.fitting.anderson import anderson
from gaussmix.fitting.classification import cem, sem
from gaussmix.fitting.em import Reseed, em
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Method, Outcome
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.mixture import Mixture

NAMES = ("em", "cem", "sem")
ACCELERATIONS = ("squarem", "anderson", "none")

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


_CLIMBERS: dict[str, Climber] = {"squarem": _ACCELERATED, "anderson": anderson, "none": em}


def algorithm(name: str, seed: int, max_passes: int, acceleration: str = "squarem") -> Algorithm:
    """Return the algorithm of that name, one of `NAMES`.

    Parameters
    ----------
    name : str
    seed : int
        Of the lots that it draws.
    max_passes : int
        Passes of one start.
    acceleration : str
        How EM leaves out passes where it is slow, one of `ACCELERATIONS`; CEM ends too soon to need it.
    """
    climber = _CLIMBERS[acceleration]
    known = {
        "em": EM if acceleration == "squarem" else Algorithm("em", climber, climber),
        "cem": Algorithm("cem", cem, cem, by_likelihood=False),
        "sem": Algorithm("sem", partial(sem, seed=seed, max_passes=max_passes), climber),
    }
    return known[name]
