"""Refitting a mixture to replicates of its data: rows drawn again, or weighted by lot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast, final

import numpy as np

from gaussmix._linalg import Array
from gaussmix.covariance import Moment, family
from gaussmix.data.source import Source
from gaussmix.engine.climb import can_climb
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.expectation import Expectation
from gaussmix.engine.resampling import BlockTotals, Drawn, Exponential, Lot, Multinomial, Redrawn, Resampled
from gaussmix.fitting.em import em
from gaussmix.fitting.fit import Ground
from gaussmix.fitting.maximize import Model
from gaussmix.fitting.method import Conversation, Method, Outcome
from gaussmix.fitting.stopping import Reason
from gaussmix.mixture import Mixture

KINDS = ("parametric", "nonparametric", "weighted")
_AT_ONCE = 32
"""Replicates between which an interrupt is answered, and which share reads."""
_USABLE = (Reason.CONVERGED, Reason.MAX_PASSES, Reason.PRECISION)


@final
@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicates of the data of one fit, each refitted from the mixture that was found.

    All of them are fitted in the coordinates and with the regularization of the data, in this process: lots belong to
    blocks of rows, which partitions on a cluster would cut.

    Parameters
    ----------
    ground : Ground
        What the fit stands on.
    mixture : Mixture
        What was found, and where every replicate starts.
    kind : str
        One of `KINDS`.
    seed : int
        Of the lots.
    """

    ground: Ground
    mixture: Mixture
    kind: str
    seed: int

    def fits(self, first: int, last: int) -> Iterator[list[Mixture | None]]:
        """Yield what came of the replicates numbered `first` to `last` - 1, some at a time; None for failures."""
        totals = self._block_totals()
        for start in range(first, last, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, last))
            yield [_usable(outcome, self.mixture.n_components) for outcome in self._outcomes(numbers, totals)]

    def _outcomes(self, numbers: Sequence[int], totals: Array) -> list[Outcome | None]:
        evaluator = self.ground.evaluator
        if self.kind == "parametric":
            n_rows = round(evaluator.summary.weight)
            return self._apart([Drawn(self.mixture, n_rows, self.seed, number) for number in numbers], n_rows)
        lots: list[Lot] = [
            Exponential(self.seed, number) if self.kind == "weighted" else Multinomial.among(self.seed, number, totals)
            for number in numbers
        ]
        n_rows = evaluator.summary.rows_read
        if self._model(n_rows).small:
            return self._apart([Resampled(evaluator.source, lot) for lot in lots], n_rows)
        return self._together(lots)

    def _apart(self, sources: Sequence[Source], n_rows: int) -> list[Outcome | None]:
        """Fit every replicate by itself: small ones side by side, large ones one after the other by all threads."""
        evaluator, model = self.ground.evaluator, self._model(n_rows)
        executor = evaluator.executor.near
        engine = LocalEngine(threads=1) if model.small else executor
        # The sample of the summary is of the data, not of the replicate, and nothing here asks for one.
        summary = replace(evaluator.summary, rows_read=n_rows, n_rows=evaluator.summary.n_sampled)

        def fitted(source: Source) -> Outcome | None:
            mine = Evaluator(source, engine, summary, evaluator.pilots)
            conversation = Conversation([self._method(model)])
            while conversation.asking:
                conversation.tell(0, mine.answer(conversation.asking[0]))
            return conversation.results[0]

        return executor.each(fitted, sources) if model.small else [fitted(source) for source in sources]

    def _together(self, lots: Sequence[Lot]) -> list[Outcome | None]:
        """Advance all replicates by the same reads."""
        evaluator, model = self.ground.evaluator, self._model(self.ground.evaluator.summary.rows_read)
        if model.structure.moment is Moment.POOLED:
            model = replace(model, precision=0.0)  # anchored, since every lot has another total scatter
        conversation = Conversation([self._method(model) for _ in lots])
        while conversation.asking:
            asking = list(conversation.asking.items())
            folds = [Redrawn(evaluator.fold(cast(Expectation, each)), lots[i]) for i, asked in asking for each in asked]
            answers = evaluator.executor.near.reduce(folds, evaluator.source, evaluator.summary.rows_read)
            for i, asked in asking:
                mine, answers = answers[: len(asked)], answers[len(asked) :]
                conversation.tell(i, mine)
        return conversation.results

    def _method(self, model: Model) -> Method[Outcome]:
        return em(self.mixture, model, self.ground.candidates.recipe.rule, accelerated=True)

    def _model(self, n_rows: int) -> Model:
        model = self.ground.candidates.model(family(self.mixture.structure, self.mixture.n_features))
        summary = replace(self.ground.evaluator.summary, rows_read=n_rows)
        return replace(model, small=can_climb(model.regularization, summary))

    def _block_totals(self) -> Array:
        if self.kind != "nonparametric":
            return np.empty(0)
        evaluator = self.ground.evaluator
        return evaluator.executor.near.reduce([BlockTotals()], evaluator.source, evaluator.summary.rows_read)[0]


def _usable(outcome: Outcome | None, n_components: int) -> Mixture | None:
    """Return the mixture, unless components were lost on the way."""
    if outcome is None or outcome.reason not in _USABLE or outcome.mixture.n_components != n_components:
        return None
    return outcome.mixture
