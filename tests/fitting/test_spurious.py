"""Optima that a component of few rows has bought: told, and returned only where that is allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.fitting.method import Evaluated, Outcome
from gaussmix.fitting.race import Runner, finalists
from gaussmix.fitting.starts.groups import crowded
from gaussmix.fitting.starts.start import Start
from gaussmix.fitting.stopping import Reason

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

GALAXIES = Path(__file__).parents[1] / "oracles" / "data" / "galaxies.csv"
SANE, SPURIOUS = -195.970, -190.071  # of five components with variances of their own; the higher sits on two rows


def galaxies() -> np.ndarray:
    return np.loadtxt(GALAXIES, delimiter=",", skiprows=1, ndmin=2)


def test_the_best_unmarked_fit_is_returned_unless_spurious_ones_are_allowed() -> None:
    sane, lenient = gm.fit(galaxies(), 5, "V"), gm.fit(galaxies(), 5, "V", allow_spurious=True)
    assert sane.log_likelihood == pytest.approx(SANE, abs=1e-3)
    assert not sane.degenerate
    assert not sane.warnings
    assert lenient.log_likelihood == pytest.approx(SPURIOUS, abs=1e-3)
    assert lenient.degenerate
    assert any("rests on 2 rows" in each for each in lenient.warnings), "allowed, but told all the same"
    assert (sane.facts["allow_spurious"], lenient.facts["allow_spurious"]) == (False, True)


def test_a_search_lets_them_win_only_where_that_is_allowed() -> None:
    sane = gm.select(galaxies(), range(1, 9), "V", prune=False)
    lenient = gm.select(galaxies(), range(1, 9), "V", prune=False, allow_spurious=True)
    assert (sane.best.mixture.n_components, sane.best.degenerate) == (3, False)
    assert lenient.best.degenerate
    assert lenient.best.bic < sane.best.bic
    assert lenient.table.ranked("bic")[0].bic == lenient.best.bic
    assert lenient["V", 5].log_likelihood >= SPURIOUS - 1e-3


def test_what_is_neither_yes_nor_no_is_named() -> None:
    with pytest.raises(gm.errors.ParameterError, match="allow_spurious='maybe': expected True or False"):
        gm.fit(galaxies(), 2, "V", allow_spurious="maybe")  # type: ignore[arg-type]


def test_the_best_sane_runner_of_a_sample_is_a_finalist_and_others_may_prove_sane() -> None:
    mixture = gm.Mixture([1.0], [[0.0]], [[[1.0]]])
    runners = [
        Runner(str(objective), mixture, outcome=_outcome(mixture, objective)) for objective in (-3.0, -1.0, -2.0, -4.0)
    ]
    chosen = finalists(runners, lambda outcome: outcome.objective > -2.5, 2)
    assert [runner.kind for runner in chosen] == ["-1.0", "-3.0"]  # the best of all first, for it may set the bar
    assert [runner.kind for runner in finalists(runners, lambda _: True, 1)] == ["-1.0"]


def _outcome(mixture: gm.Mixture, objective: float) -> Outcome:
    statistics = None
    return Outcome(Evaluated(mixture, statistics), objective, Reason.CONVERGED, (objective,), (0,), 0.0)  # type: ignore[arg-type]


def test_a_group_is_planted_where_rows_lie_more_closely_than_the_groups_say() -> None:
    rng = np.random.default_rng(2)
    tight = 0.02 * rng.standard_normal((12, 2)) + [1.0, -1.0]
    z = np.concatenate([rng.standard_normal((188, 2)), tight])
    whole = Start("all", np.array([200.0]), np.zeros((1, 2)), 200.0 * np.eye(2)[None])
    found = crowded(whole, z, rng)
    assert found is not None
    np.testing.assert_allclose(found.means[1], [1.0, -1.0], atol=0.02)
    assert found.mass.sum() == pytest.approx(200.0)
    assert np.linalg.eigvalsh(found.scatters[1] / found.mass[1]).max() < 0.05**2
    assert crowded(whole, z[:12], rng) is None, "too few rows to tell"
