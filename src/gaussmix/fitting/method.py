"""What a method is: a coroutine that yields requests and is sent their answers, and what it ends with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, final

from gaussmix.engine.climb import Position
from gaussmix.engine.evaluator import Request, is_sampled
from gaussmix.fitting.stopping import Reason, Stop
from gaussmix.mixture import Mixture
from gaussmix.statistics import Statistics

Ending = TypeVar("Ending")

Method = Generator[Sequence[Request], list[Any], Ending]
"""Yields requests that one read can answer together; is sent the answers in the same order; returns its result."""


@final
@dataclass(frozen=True, eq=False)
class Evaluated:
    """A mixture and the statistics of all rows under it.

    Parameters
    ----------
    mixture : Mixture
        In the coordinates of the fit.
    statistics : Statistics
        That belong to it.
    """

    mixture: Mixture
    statistics: Statistics


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """How a method ended.

    Parameters
    ----------
    found : Evaluated or Position
        The best mixture, with its statistics; most outcomes are of starts that lose, which nobody looks at.
    objective : float
        Log-likelihood minus the regularization's penalty, of that mixture.
    reason : Reason
        Why it ended.
    trace : tuple of float
        The objective at every pass; a new segment begins after a component was re-seeded.
    segments : tuple of int
        Positions in the trace where segments begin.
    remaining : float
        Estimate of what more passes would have gained, per unit of weight.
    """

    found: Evaluated | Position
    objective: float
    reason: Reason
    trace: tuple[float, ...]
    segments: tuple[int, ...]
    remaining: float

    @property
    def mixture(self) -> Mixture:
        """The best mixture, in the coordinates of the fit."""
        return self.found.mixture

    @property
    def statistics(self) -> Statistics:
        """The statistics of all rows under it."""
        return self.found.statistics

    @property
    def passes(self) -> int:
        """Number of passes made."""
        return len(self.trace)

    def ended(self, reason: Reason) -> Outcome:
        """Return the same outcome with another reason."""
        return replace(self, reason=reason)

    def in_order(self) -> Outcome:
        """Return the same outcome with the components by weight."""
        order = self.mixture.order()
        if isinstance(self.found, Position):
            return replace(self, found=self.found.take(order))
        return replace(self, found=Evaluated(self.mixture.take(order), self.statistics.take(order)))


@final
class Conversation(Generic[Ending]):
    """Methods under way: what each is asking for, and what those that ended returned.

    A method that was stopped before it had anything to return leaves None.
    """

    def __init__(self, methods: Sequence[Method[Ending]]) -> None:
        self._methods = list(methods)
        self.asking: dict[int, Sequence[Request]] = {}
        self.results: list[Ending | None] = [None] * len(self._methods)
        for index, method in enumerate(self._methods):
            self._listen(index, method.__next__)

    def tell(self, index: int, answers: list[Any]) -> None:
        """Send one method its answers."""
        self._listen(index, self._methods[index].send, answers)

    def stop(self, index: int, reason: Reason) -> None:
        """Tell one method to end with what it has."""
        self._listen(index, self._methods[index].throw, Stop(reason))

    def stop_all(self, reason: Reason) -> None:
        """Tell every method to end with what it has."""
        while self.asking:
            for index in list(self.asking):
                self.stop(index, reason)

    def _listen(self, index: int, speak: Callable[..., Sequence[Request]], *words: Any) -> None:
        self.asking.pop(index, None)
        try:
            self.asking[index] = speak(*words)
        except StopIteration as ended:
            self.results[index] = ended.value
        except Stop:
            self.results[index] = None


def together(methods: Sequence[Method[Ending]]) -> Method[list[Ending | None]]:
    """Run methods side by side, so that every read of all rows answers all still under way; return their results."""
    conversation = Conversation(methods)
    while conversation.asking:
        asking = list(conversation.asking.items())
        # Samples first: nobody waits in a read of all rows, and then all of them share it.
        asking = [each for each in asking if all(map(is_sampled, each[1]))] or asking
        try:
            answers = yield [request for _, requests in asking for request in requests]
        except Stop as stop:
            conversation.stop_all(stop.reason)
            break
        for index, requests in asking:
            mine, answers = answers[: len(requests)], answers[len(requests) :]
            conversation.tell(index, mine)
    return conversation.results
