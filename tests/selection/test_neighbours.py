"""What candidates of a grid suggest to each other, and that they say it once."""

from __future__ import annotations

import numpy as np

import gaussmix as gm
from gaussmix.covariance import FAMILIES
from gaussmix.data.open import open_source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.fitting.candidate import Candidates, Contest, Recipe
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.fit import usual_regularization
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import StoppingRule
from gaussmix.selection.neighbours import Neighbours


def contests() -> dict[tuple[str, int], Contest]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2)) + 5.0 * rng.integers(0, 3, (90, 1))
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    seeds, recipe = Seeds(evaluator.summary, 0), Recipe("auto", None, StoppingRule())
    candidates = Candidates(evaluator, usual_regularization(evaluator.summary), seeds, recipe)
    keys = [(name, k) for name in ("EEE", "VVI", "VVV") for k in (1, 2, 3)]
    heats = [candidates.heats(candidates.entered(FAMILIES[name], k, 0, 2)) for name, k in keys]
    return dict(zip(keys, Driver(evaluator).run(heats), strict=True))


def test_neighbours_suggest_a_component_more_and_less_and_other_structures():
    kinds = [runner.kind for runner in Neighbours(contests()).suggestions(("VVV", 2))]
    assert kinds.count("split") == 1
    assert kinds.count("merged") == 1
    assert set(kinds) <= {"simpler", "other structure", "split", "merged"}
    assert all(len(runner.start.mass) == 2 for runner in Neighbours(contests()).suggestions(("EEE", 2)))


def test_a_single_component_needs_no_suggestions():
    assert Neighbours(contests()).suggestions(("VVV", 1)) == ()


def test_what_was_suggested_is_not_suggested_again_from_the_same_optimum():
    grid, followed = contests(), {}
    first = Neighbours(grid, followed, same=1e-3).suggestions(("VVV", 2))
    assert first
    assert Neighbours(grid, followed, same=1e-3).suggestions(("VVV", 2)) == ()
    assert Neighbours(grid, followed, same=1e-3).suggestions(("VVV", 3))
    # A leader that has moved on suggests anew.
    key = ("VVV", 2), "split", ("VVV", 1)
    followed[key] -= 1.0
    assert [runner.kind for runner in Neighbours(grid, followed, same=1e-3).suggestions(("VVV", 2))] == ["split"]
