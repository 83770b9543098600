"""Optima that a component of few rows has bought: told, and returned only where that is allowed."""

from __future__ import annotations

import numpy as np
import pytest

import gaussmix as gm

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")


def rows() -> np.ndarray:
    """Two broad clusters, and four rows next to each other: a needle's worth of likelihood."""
    rng = np.random.default_rng(8)
    broad = rng.standard_normal((200, 2)) + np.repeat([[0.0, 0.0], [6.0, 0.0]], 100, axis=0)
    return np.concatenate([broad, 1e-3 * rng.standard_normal((4, 2)) + [0.5, 0.5]])


def test_the_best_unmarked_fit_is_returned_unless_spurious_ones_are_allowed() -> None:
    sane, lenient = gm.fit(rows(), 3), gm.fit(rows(), 3, allow_spurious=True)
    assert not sane.degenerate
    assert not sane.warnings
    assert lenient.degenerate
    assert any("rests on" in each for each in lenient.warnings), "allowed, but told all the same"
    assert lenient.log_likelihood > sane.log_likelihood + 1.0
    assert (sane.facts["allow_spurious"], lenient.facts["allow_spurious"]) == (False, True)


def test_a_search_lets_them_win_only_where_that_is_allowed() -> None:
    search = {"n_components": range(1, 4), "covariance": ["VVV"], "prune": False}
    sane, lenient = gm.select(rows(), **search), gm.select(rows(), **search, allow_spurious=True)
    assert not sane.best.degenerate
    assert lenient.best.degenerate
    assert lenient.best.bic < sane.best.bic
    assert lenient.table.ranked("bic")[0].degenerate
    assert lenient.table.ranked("bic")[0].bic == lenient.best.bic


def test_what_is_neither_yes_nor_no_is_named() -> None:
    with pytest.raises(gm.errors.ParameterError, match="allow_spurious='maybe': expected True or False"):
        gm.fit(rows(), 2, allow_spurious="maybe")  # type: ignore[arg-type]
