"""A candidate on its way: its starts, and how those that have run ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

from gaussmix.covariance import Family
from gaussmix.fitting.judge import Judge
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.race import Runner, winner
from gaussmix.fitting.stopping import Reason


@final
@dataclass(frozen=True)
class StartRecord:
    """How one start of a candidate ended.

    Parameters
    ----------
    kind : str
        How it was found.
    objective : float
        Best (penalised) log-likelihood it came to, of the rows it was run on.
    passes : int
        Passes it made.
    reason : str
        Why it ended.
    on_sample : bool
        Whether it was run on the row sample only.
    """

    kind: str
    objective: float
    passes: int
    reason: str
    on_sample: bool = False


@final
@dataclass(frozen=True, eq=False)
class Contest:
    """A candidate between two stages: its runners so far.

    Parameters
    ----------
    family, n_components : Family, int
        What is fitted.
    model : Model
        The family with its regularization, in the coordinates of all rows.
    judge : Judge
        Of its outcomes.
    field : tuple of Runner
        Every start and how it ended.
    sampled : bool
        Whether they were run on the row sample only.
    earlier : tuple of StartRecord
        How others ended on the row sample, before the best of them went on to all rows.
    """

    family: Family
    n_components: int
    model: Model
    judge: Judge
    field: tuple[Runner, ...]
    sampled: bool
    earlier: tuple[StartRecord, ...] = ()

    @cached_property
    def leader(self) -> Outcome | None:
        """The best outcome so far."""
        best = winner(self.field, self.judge.spurious)
        return None if best is None else best.outcome

    @property
    def records(self) -> tuple[StartRecord, ...]:
        """How every start ended so far; those that a sample was the trial of stand for themselves."""
        runners = [runner for runner in self.field if not (self.earlier and runner.finished)]
        return (*self.earlier, *(_record(runner, self.sampled) for runner in runners))


def _record(runner: Runner, on_sample: bool) -> StartRecord:
    outcome = runner.outcome
    if outcome is None:
        return StartRecord(runner.kind, float("-inf"), 0, (runner.lost or Reason.INTERRUPTED).value, on_sample)
    return StartRecord(runner.kind, outcome.objective, outcome.passes, outcome.reason.value, on_sample)
