"""How much is spent: starts, rounds of suggestions, and what that buys."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.errors import ParameterError

MOVES = ("split", "core and halo", "planted")


def rows() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.standard_normal((120, 2)) + 3.0 * rng.integers(0, 3, (120, 1))


@pytest.mark.parametrize(("effort", "starts"), [("quick", 1), ("default", 10), ("thorough", 30)])
def test_effort_is_a_number_of_starts(effort: str, starts: int) -> None:
    result = gm.fit(rows(), 3, effort=effort)  # type: ignore[arg-type]
    first = list(takewhile(lambda start: start.kind not in MOVES, result.starts))
    assert len(first) == starts
    assert any(start.kind in MOVES for start in result.starts) == (effort != "quick")
    assert result.facts["effort"] == effort


@pytest.mark.parametrize(("effort", "starts"), [("quick", 1), ("default", 10), ("thorough", 30)])
def test_nothing_is_started_anew_where_several_starts_agree(effort: str, starts: int) -> None:
    apart = np.concatenate([np.random.default_rng(5).standard_normal((60, 2)) + 20.0 * i for i in range(3)])
    result = gm.fit(apart, 3, effort=effort)  # type: ignore[arg-type]
    assert sum(start.kind not in MOVES for start in result.starts) == starts


def test_a_number_of_starts_that_is_given_goes_first() -> None:
    assert len(gm.fit(rows(), 3, effort="thorough", n_starts=2).starts) == 2


def test_more_effort_is_not_worse() -> None:
    quick, default, thorough = (
        gm.select(rows(), range(1, 5), effort=effort, prune=False)  # type: ignore[arg-type]
        for effort in ("quick", "default", "thorough")
    )
    assert thorough.best.bic <= default.best.bic + 1e-6 <= quick.best.bic + 2e-6


def test_quick_candidates_keep_to_themselves() -> None:
    quick = gm.select(rows(), range(1, 5), effort="quick", prune=False)
    kinds = {start.kind for result in quick.results.values() for start in result.starts}
    assert kinds <= {"hierarchical", "kmeans"}  # of a single component all starts are one


def test_an_unknown_effort_is_named() -> None:
    with pytest.raises(ParameterError, match="expected one of quick, default, thorough"):
        gm.fit(rows(), 2, effort="heroic")  # type: ignore[arg-type]
