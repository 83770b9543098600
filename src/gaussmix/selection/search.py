"""The search over structures and numbers of components: shared reads, shared starts, warm starts between neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from gaussmix.covariance import Family
from gaussmix.fitting.candidate import Fitted
from gaussmix.fitting.drive import Progress, run
from gaussmix.fitting.fit import Ground, infeasible
from gaussmix.fitting.result import FitResult
from gaussmix.fitting.stopping import Reason
from gaussmix.selection.neighbours import Key, Neighbours
from gaussmix.selection.table import Row, Table, best_row

_ROUNDS = 2  # of suggestions between neighbours


@final
@dataclass(frozen=True, eq=False)
class Selection:
    """The outcome of a search.

    Parameters
    ----------
    best : FitResult
        The candidate with the least criterion among those neither degenerate nor stopped early.
    table : Table
        Every candidate.
    criterion : str
        By which the best was chosen; lower is better.
    results : mapping from (structure, K) to FitResult
        Every candidate that has a mixture.
    """

    best: FitResult
    table: Table
    criterion: str
    results: Mapping[Key, FitResult]

    def __getitem__(self, key: Key) -> FitResult:
        return self.results[key]

    def __repr__(self) -> str:
        return f"<Selection of {len(self.table)} candidates by {self.criterion}: best {self.best!r}>"


def search(
    ground: Ground,
    families: Sequence[Family],
    n_components: Sequence[int],
    criterion: str,
    watch: Callable[[Progress], None] | None = None,
) -> Selection:
    """Fit every structure with every number of components, all of them advanced by the same reads.

    Parameters
    ----------
    ground : Ground
        What all candidates stand on.
    families, n_components : sequences
        The grid.
    criterion : str
        By which the best is chosen.
    watch : callable, optional
        Told after every read how far the search is.

    Raises
    ------
    TooFewRowsError
        When no candidate has a mixture.
    """
    grid = [(family, k) for family in families for k in n_components]
    leaders = {_model_key(family, k): (family, k) for family, k in reversed(grid)}
    distinct = list(leaders.values())
    ended = _fit_all(ground, distinct, watch)
    found = {_model_key(*pair): fitted for pair, fitted in zip(distinct, ended, strict=True)}
    results: dict[Key, FitResult] = {}
    rows: list[Row] = []
    for family, k in grid:
        fitted = found[_model_key(family, k)]
        result = None
        if fitted is not None and fitted.outcome is not None:
            result = ground.result(replace(fitted, family=family))
            results[family.name, k] = result
        rows.append(_row(family, k, fitted, result))
    return _selected(ground, rows, results, criterion, found)


def _fit_all(
    ground: Ground, distinct: Sequence[tuple[Family, int]], watch: Callable[[Progress], None] | None
) -> list[Fitted | None]:
    """Fit every candidate; those without enough distinct rows are labelled so."""
    candidates, evaluator = ground.candidates, ground.evaluator
    feasible = [pair for pair in distinct if ground.feasible(pair[1])]
    contests = run([candidates.heats(*pair) for pair in feasible], evaluator, watch)
    for _ in range(_ROUNDS):
        known = {(c.family.name, c.n_components): c for c in contests if c is not None}
        neighbours = Neighbours(known)
        again = [candidates.heats(*pair, neighbours.suggestions((pair[0].name, pair[1]))) for pair in feasible]
        contests = [new or old for new, old in zip(run(again, evaluator, watch), contests, strict=True)]
    finals = [candidates.finals(contest) for contest in contests if contest is not None]
    ended = iter(run(finals, evaluator, watch))
    fitted = [None if contest is None else next(ended) for contest in contests]
    found = dict(zip(feasible, fitted, strict=True))
    return [found[pair] if pair in found else infeasible(*pair) for pair in distinct]


def _selected(
    ground: Ground,
    rows: Sequence[Row],
    results: Mapping[Key, FitResult],
    criterion: str,
    found: Mapping[Key, Fitted | None],
) -> Selection:
    best = best_row(rows, criterion)
    if best is None:
        # No candidate has a mixture: the first one's own error says why.
        first = next(fitted for fitted in found.values() if fitted is not None)
        ground.result(first)
        raise AssertionError("unreachable: a candidate without a mixture has no result")
    return Selection(results[best.structure, best.n_components], Table(tuple(rows)), criterion, results)


def _model_key(family: Family, n_components: int) -> Key:
    """Return what tells different models apart: with a single component, equal and variable are one."""
    return (family.name.replace("V", "E") if n_components == 1 else family.name), n_components


def _row(family: Family, n_components: int, fitted: Fitted | None, result: FitResult | None) -> Row:
    if result is None:
        reason = Reason.INTERRUPTED if fitted is None else fitted.reason
        nan = math.nan
        return Row(family.name, n_components, nan, 0, nan, nan, nan, nan, nan, nan, reason.value, False, 0)
    return Row(
        family.name,
        n_components,
        result.log_likelihood,
        result.n_parameters,
        result.bic,
        result.icl,
        result.aic,
        result.aicc,
        math.nan,
        result.entropy,
        result.reason,
        result.degenerate,
        result.passes,
    )
