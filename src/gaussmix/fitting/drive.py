"""The driver: reads the source once, answers every method that is still asking, and tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from gaussmix.engine.evaluator import Evaluator, is_sampled
from gaussmix.fitting.interrupt import Interrupts
from gaussmix.fitting.method import Conversation, Ending, Method
from gaussmix.fitting.stopping import Reason


@final
@dataclass(frozen=True)
class Progress:
    """How far a drive is.

    Parameters
    ----------
    reads : int
        Reads of the source so far.
    asking, total : int
        Methods still under way, and all of them.
    """

    reads: int
    asking: int
    total: int


@final
class Driver:
    """Advances methods until they have ended; an interrupt ends them, and all that come later, with the best they have.

    Parameters
    ----------
    evaluator : Evaluator
        Answers requests.
    watch : callable, optional
        Told after every read how far the drive is.
    """

    def __init__(self, evaluator: Evaluator, watch: Callable[[Progress], None] | None = None) -> None:
        self._evaluator = evaluator
        self._watch = watch
        self.interrupted = False

    def run(self, methods: Sequence[Method[Ending]]) -> list[Ending | None]:
        """Drive `methods` together, so that one read answers all of them; return their results in order."""
        conversation = Conversation(methods)
        try:
            with Interrupts() as interrupts:
                while conversation.asking and not self.interrupted:
                    self._advance(conversation, interrupts)
                self.interrupted |= interrupts.pending
        except KeyboardInterrupt:
            self.interrupted = True
        if self.interrupted:
            conversation.stop_all(Reason.INTERRUPTED)
        return conversation.results

    def _advance(self, conversation: Conversation[Ending], interrupts: Interrupts) -> None:
        """Read once; answer the methods that are asking.

        Those that ask only for the row sample go first, for its reads cost little: nobody waits in a read of all rows.
        """
        asking = conversation.asking
        chosen = [i for i, requests in asking.items() if all(is_sampled(request) for request in requests)]
        chosen = chosen or list(asking)
        requests = [request for index in chosen for request in asking[index]]
        with interrupts.allowed():
            answers = self._evaluator.answer(requests)
        for index in chosen:
            count = len(asking[index])
            mine, answers = answers[:count], answers[count:]
            conversation.tell(index, mine)
        if self._watch is not None:
            self._watch(Progress(self._evaluator.reads, len(asking), len(conversation.results)))
