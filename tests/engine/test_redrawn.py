"""A large sample of rows that lie in memory is left there: the same numbers as if it were copied, and less memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.data import open_source
from gaussmix.engine.summary import Redrawn, SummaryFold, summarized

N_FEATURES, N_SAMPLED = 130, 8192


def rows(n_rows: int = 20_000) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n_rows, N_FEATURES))
    x[:, 3] = np.round(x[:, 3], 1)  # rounded to a step
    x[:, 5] = 7.0
    return x + 100.0


def holed() -> np.ndarray[Any, Any]:
    x = rows()
    x[[5, 17, 400], [0, 1, 2]] = np.nan, np.inf, np.nan
    return x


KINDS: dict[str, Any] = {
    "rows": rows,
    "columns": lambda: np.asfortranarray(rows()),
    "single precision": lambda: rows().astype(np.float32),
    "every second column": lambda: np.repeat(rows(), 2, axis=1)[:, ::2],
    "gaps": holed,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_left_where_it_is_tells_the_same(kind: str, weighted: bool) -> None:
    x = KINDS[kind]()
    weights = np.arange(len(x)) % 3.0 if weighted else None  # every third row has none
    source, engine = open_source(x, weights=weights), gm.LocalEngine(2)
    mine = summarized(source, engine, 1, N_SAMPLED)
    theirs = engine.reduce([SummaryFold(1, N_SAMPLED)], source, None)[0]
    assert isinstance(mine.drawn, Redrawn)
    assert isinstance(theirs.drawn, np.ndarray)
    for name in ("positions", "keys", "sample_weights", "sample", "means", "squares"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(mine.reference_variances(), theirs.reference_variances())
        np.testing.assert_array_equal(mine.steps(), theirs.steps())
    assert mine.steps()[3] == pytest.approx(0.1) or kind in ("single precision", "gaps")


def test_small_samples_are_held() -> None:
    assert isinstance(summarized(open_source(rows(300)), gm.LocalEngine(1), 0, 300).drawn, np.ndarray)


@pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")
def test_a_fit_from_a_given_start_holds_no_sample() -> None:
    x = rows(16_384)
    rng = np.random.default_rng(0)
    identities = np.broadcast_to(np.eye(N_FEATURES), (2, N_FEATURES, N_FEATURES))
    start = gm.Mixture([0.5, 0.5], x[rng.choice(len(x), 2)], identities)
    gm.fit(x[:2000], 2, start=start, max_passes=2)  # compiles
    tracemalloc.start()
    try:
        gm.fit(x, 2, start=start, max_passes=2, engine=gm.LocalEngine(2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes, f"{peak / 2**20:.0f} MB beside rows of {x.nbytes / 2**20:.0f} MB, all of them in the sample"
