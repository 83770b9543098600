"""The search: what it picks, what it tells of candidates that failed or were stopped, that it shares work safely."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.covariance import FAMILIES, NAMES

DATA = Path(__file__).parent.parent / "oracles" / "data"
MCLUST = json.loads((DATA / "mclust.json").read_text())


@pytest.mark.parametrize(
    ("name", "structure", "n_components", "bic"),
    [
        ("iris", "VEV", 2, 561.7285),
        ("faithful", "EEE", 3, 2314.2957),
        ("diabetes", "VVV", 3, 4751.309),
        ("acidity", "E", 2, 392.0722),
    ],
)
def test_bic_picks_what_mclust_picks(name, structure, n_components, bic):
    best = gm.select(DATA / f"{name}.csv").best
    assert (best.mixture.structure, best.mixture.n_components) == (structure, n_components)
    # The values are maxima from oracles.json, printed to four digits.
    assert best.bic == pytest.approx(bic, abs=2e-4)
    assert not best.degenerate


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MCLUST) - {"made_by"}))
def test_no_cell_is_worse_than_mclust(name):
    """Every cell reaches mclust's log-likelihood, unless a spurious start did and a sane mixture was preferred."""
    selection = gm.select(DATA / f"{name}.csv", prune=False)
    worse = []
    for cell in MCLUST[name]["fits"]:
        result = selection[cell["structure"], cell["components"]]
        assert result.n_parameters == cell["parameters"]
        reached = max(start.objective for start in result.starts)
        if result.log_likelihood < cell["log_likelihood"] - 1e-3 and reached < cell["log_likelihood"] - 0.01:
            worse.append((cell["structure"], cell["components"], result.log_likelihood - cell["log_likelihood"]))
    assert worse == []


def test_wider_structures_are_no_worse_at_equal_numbers():
    selection = gm.select(DATA / "iris.csv", range(1, 5), prune=False)
    for k in range(1, 5):
        for a in NAMES:
            for b in NAMES:
                one, other = selection[a, k], selection[b, k]
                if FAMILIES[a].lies_in(FAMILIES[b]) and not other.degenerate and not one.degenerate:
                    # 0.02: heats and finals stop by rules, not at the maximum
                    assert other.log_likelihood >= one.log_likelihood - 0.02, (a, b, k)


def test_names_that_coincide_are_fitted_once_and_shown_by_their_own_names():
    table = gm.select(DATA / "faithful.csv", [1]).table
    by_name = {row.structure: row for row in table}
    assert set(by_name) == set(NAMES)
    for group in (
        ("EII", "VII"),
        ("EEI", "VEI", "EVI", "VVI"),
        ("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"),
    ):
        assert len({by_name[name].log_likelihood for name in group}) == 1
        assert len({by_name[name].bic for name in group}) == 1


def test_pruning_changes_the_table_but_not_the_winner():
    pruned, full = (gm.select(DATA / "faithful.csv", range(1, 6), prune=prune) for prune in (True, False))
    assert (pruned.best.mixture.structure, pruned.best.mixture.n_components) == (
        full.best.mixture.structure,
        full.best.mixture.n_components,
    )
    assert pruned.best.bic == pytest.approx(full.best.bic, abs=1e-5)  # both stop within 1e-8 per row
    assert any(row.reason == "pruned" for row in pruned.table)
    assert not any(row.reason == "pruned" for row in full.table)
    assert all(row.reason != "pruned" for row in pruned.table.ranked("bic")[:1])


def test_more_components_than_distinct_rows_is_a_labelled_row():
    x = np.repeat(np.arange(4.0), 30)[:, None] + np.tile([0.0, 0.3, 0.1], 40)[:, None]
    distinct = len(np.unique(x))
    table = gm.select(x, [2, distinct + 1], "V").table
    reasons = {row.n_components: row.reason for row in table}
    assert reasons[distinct + 1] == "infeasible"
    assert math.isnan(next(row.bic for row in table if row.n_components == distinct + 1))


@pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")
@pytest.mark.parametrize("seed", range(4))
def test_without_regularization_collinear_columns_leave_labelled_rows(seed):
    x = np.random.default_rng(seed).normal(size=(30, 2)) + 5.0 * (np.arange(30) % 2)[:, None]
    table = gm.select(np.column_stack([x, x[:, 0]]), [1, 2], "all", regularization=None, prune=False).table
    reasons = {(row.structure, row.n_components): row.reason for row in table}
    assert reasons["VII", 2] == "converged"
    # Whether the factor of a singular matrix fails at once is for rounding to say.
    assert {reasons[name, 2] for name in ("VVV", "EEE")} <= {"infeasible", "collapsed", "precision"}
    assert "interrupted" not in reasons.values()


def test_a_degenerate_candidate_never_wins_over_a_sane_one():
    velocities = np.loadtxt(DATA / "galaxies.csv", skiprows=1)
    selection = gm.select(velocities, range(1, 8), "V", prune=False)
    assert not selection.best.degenerate
    degenerate = [row for row in selection.table if row.degenerate]
    assert all(not row.eligible for row in degenerate)


@pytest.mark.parametrize("criterion", ["bic", "icl", "aic", "aicc"])
def test_the_winner_has_the_least_criterion_among_the_eligible(criterion):
    selection = gm.select(DATA / "faithful.csv", range(1, 5), ["VVV", "EEE", "VII"], criterion=criterion, prune=False)
    values = [row.value(criterion) for row in selection.table if row.eligible]
    assert getattr(selection.best, criterion) == min(values)


def test_held_out_rows_judge_and_the_winner_is_fitted_to_all():
    selection = gm.select(DATA / "faithful.csv", [1, 2, 3], ["VVV", "EEE"], criterion="heldout", holdout=0.3)
    values = {(row.structure, row.n_components): row.heldout for row in selection.table}
    key = selection.best.mixture.structure, selection.best.mixture.n_components
    assert values[key] == min(values.values())
    assert selection.best.n_rows == 272
    x = np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)
    trained = selection[key]
    # Fitted and held-out rows are a partition: together they give the trained mixture's likelihood of all rows.
    total = trained.log_likelihood - 0.5 * values[key]
    assert total == pytest.approx(trained.mixture.log_prob(x).sum(), rel=1e-10)
    assert 0.5 * 272 < trained.n_rows < 0.9 * 272


def test_the_table_is_a_dataframe_of_every_candidate():
    frame = gm.select(DATA / "faithful.csv", [1, 2], ["VVV", "EII"]).table.to_frame("polars")
    assert frame.shape[0] == 4
    assert {"structure", "n_components", "log_likelihood", "bic", "reason", "degenerate"} <= set(frame.columns)
