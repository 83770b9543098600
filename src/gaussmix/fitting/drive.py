"""The driver: reads the source once, answers every method that is still asking, and tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from gaussmix.engine.evaluator import Evaluator, is_sampled
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


def advance(conversation: Conversation[Ending], evaluator: Evaluator) -> Progress:
    """Read once; answer the methods that are asking.

    Those that ask only for the row sample go first, for its reads cost little: so nobody waits in a read of all rows.
    """
    asking = conversation.asking
    chosen = [i for i, requests in asking.items() if all(is_sampled(request) for request in requests)] or list(asking)
    requests = [request for index in chosen for request in asking[index]]
    answers = evaluator.answer(requests)
    for index in chosen:
        count = len(asking[index])
        mine, answers = answers[:count], answers[count:]
        conversation.tell(index, mine)
    return Progress(evaluator.reads, len(conversation.asking), len(conversation.results))


def run(
    methods: Sequence[Method[Ending]],
    evaluator: Evaluator,
    watch: Callable[[Progress], None] | None = None,
) -> list[Ending | None]:
    """Advance `methods` until all have ended; an interrupt ends them with the best they have.

    Parameters
    ----------
    methods : sequence of Method
        Driven together, so that one read answers all of them.
    evaluator : Evaluator
        Answers their requests.
    watch : callable, optional
        Told after every read how far the drive is.
    """
    conversation = Conversation(methods)
    try:
        while conversation.asking:
            progress = advance(conversation, evaluator)
            if watch is not None:
                watch(progress)
    except KeyboardInterrupt:
        conversation.stop_all(Reason.INTERRUPTED)
    return conversation.results
