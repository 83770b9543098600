"""EM by way of files gives the numbers of EM in one process, and refuses what does not belong together."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.cli.main import main
from gaussmix.covariance import FAMILIES
from gaussmix.errors import FitError, MissingValuesError, ModelFileError, ParameterError, StatisticsError

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")

SAME = 1e-12
"""Relative: sums of the same terms in another order."""


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(8)
    centres = np.array([[0.0, 100.0, 5e3], [3.0, 104.0, 5.1e3], [6.0, 100.0, 5e3]])
    return np.concatenate([rng.normal(size=(900, 3)) * [1.0, 2.0, 30.0] + centre for centre in centres])


ITERATIVE = 1e-8
"""The same for structures with common axes of their own sizes, whose M-step is iterated until a tolerance is met."""


def close(one: np.ndarray, other: np.ndarray, tolerance: float = SAME) -> None:
    assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def same(one: gm.Mixture, other: gm.Mixture) -> None:
    tolerance = ITERATIVE if one.structure in ("EVE", "VVE") else SAME
    one, other = one.in_order(), other.in_order()
    units = other.standard_deviations
    close(one.weights, other.weights, tolerance)
    close(one.means / units, other.means / units, tolerance)
    units = units[:, :, None] * units[:, None, :]
    close(one.covariances / units, other.covariances / units, tolerance)


@pytest.mark.parametrize("regularization", ["auto", None], ids=["regularized", "plain"])
@pytest.mark.parametrize("structure", [each for each in FAMILIES if len(each) == 3])
def test_one_step_by_files_is_one_step_of_a_fit(structure, regularization, x, tmp_path):
    begun = gm.fit(x, 3, structure, max_passes=3, start="kmeans", n_starts=1, regularization=regularization)
    begun.save(tmp_path / "m.gmx")
    stepped = gm.fit(
        x, 3, structure, start=begun, max_passes=2, tol=1e-300, regularization=regularization, engine=gm.LocalEngine(1)
    )
    for part in range(3):
        gm.collect(tmp_path / "m.gmx", x[part::3]).save(tmp_path / f"{part}.gstat")
    made = gm.update(tmp_path / "m.gmx", gm.add_up([tmp_path / f"{part}.gstat" for part in range(3)]))
    same(made.mixture, stepped.mixture)
    assert made.score == pytest.approx(begun.score, rel=SAME)


def test_many_steps_by_the_command_line_end_where_a_fit_does(x, tmp_path, capsys):
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.to_parquet(tmp_path / "all.parquet")
    for part in range(2):
        frame[part::2].to_parquet(tmp_path / f"part-{part}.parquet")
    begun = [str(tmp_path / "all.parquet"), "-k", "3", "--covariance", "VVI", "--max-passes", "2"]
    assert main(["fit", *begun, "-o", str(tmp_path / "m0.gmx")]) == 0
    scores = []
    for step in range(25):
        model, following = tmp_path / f"m{step}.gmx", tmp_path / f"m{step + 1}.gmx"
        for part in range(2):
            files = [str(model), str(tmp_path / f"part-{part}.parquet"), "-o", str(tmp_path / f"s{part}.gstat")]
            assert main(["stats", *files]) == 0
        assert main(["merge", *(str(tmp_path / f"s{part}.gstat") for part in (0, 1)), "-o", str(tmp_path / "s")]) == 0
        capsys.readouterr()
        assert main(["update", str(model), str(tmp_path / "s"), "-o", str(following), "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["score"])
    assert all(after >= before - 1e-12 for before, after in pairwise(scores)), "EM climbs"
    fitted = gm.fit(tmp_path / "all.parquet", 3, "VVI", start=gm.load(tmp_path / "m0.gmx"), tol=1e-13)
    assert scores[-1] == pytest.approx(fitted.score, abs=1e-6)
    made, facts = gm.Mixture.load_with_facts(tmp_path / "m25.gmx")
    assert made.feature_names == ("a", "b", "c")
    assert facts["penalty"] == gm.Mixture.load_with_facts(tmp_path / "m0.gmx")[1]["penalty"]
    assert main(["show", str(tmp_path / "m25.gmx")]) == 0


@given(cuts=st.lists(st.integers(1, 399), max_size=5, unique=True), seed=st.integers(0, 99))
def test_statistics_of_parts_add_up_to_those_of_the_whole(cuts, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(400, 2)), rng.integers(0, 4, 400).astype(float) + (np.arange(400) % 50 == 0)
    mixture = gm.Mixture([0.4, 0.6], [[0.0, 0.0], [1.0, 1.0]], [np.eye(2), [[2.0, 0.3], [0.3, 1.0]]])
    whole = gm.collect(mixture, x, weights=w)
    bounds = [0, *sorted(cuts), 400]
    parts = [slice(low, high) for low, high in pairwise(bounds) if w[low:high].sum() > 0]
    total = gm.add_up([gm.collect(mixture, x[part], weights=w[part]) for part in parts])
    close(total.statistics.totals, whole.statistics.totals)
    assert total.log_likelihood == pytest.approx(whole.log_likelihood, rel=SAME)
    assert (total.n_rows, total.weight) == (whole.n_rows, whole.weight)
    assert whole.log_likelihood == pytest.approx(float(w @ mixture.log_prob(x)), rel=SAME)


def test_files_hold_the_bits(x, tmp_path):
    found = gm.collect(gm.fit(x, 2, "EEE", max_passes=2), x)
    found.save(tmp_path / "s")
    again = gm.PassStatistics.load(tmp_path / "s")
    assert (again.model, again.shards, again.regularization) == (found.model, found.shards, found.regularization)
    for name in ("anchors", "totals", "pooled", "kish"):
        assert np.array_equal(getattr(again.statistics, name), getattr(found.statistics, name))
    assert again.log_likelihood == found.log_likelihood
    assert np.array_equal(again.summary.squares, found.summary.squares)


@pytest.fixture
def mixture() -> gm.Mixture:
    return gm.Mixture([0.5, 0.5], [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], [np.eye(3)] * 2)


def test_what_does_not_belong_together_is_refused_by_name(x, mixture, tmp_path):
    moved = gm.Mixture([0.5, 0.5], [[0.0, 0.0, 1e-9], [1.0, 1.0, 1.0]], [np.eye(3)] * 2)
    one, other = gm.collect(mixture, x[:100]), gm.collect(moved, x[100:])
    with pytest.raises(StatisticsError, match="different models"):
        one + other
    with pytest.raises(StatisticsError, match="another model"):
        gm.update(moved, one)
    with pytest.raises(StatisticsError, match="counted twice"):
        gm.add_up([one, gm.collect(mixture, x[100:]), one])
    fitted = gm.fit(x, 2, max_passes=2)
    with_facts, without = gm.collect(fitted, x[:100]), gm.collect(fitted.mixture, x[100:])
    with pytest.raises(StatisticsError, match="different regularizations"):
        with_facts + without
    with pytest.raises(ParameterError, match="no statistics"):
        gm.add_up([])
    with pytest.raises(ParameterError, match="regularization"):
        gm.update(mixture, one, regularization="much")
    mixture.save(tmp_path / "m.gmx")
    with pytest.raises(ModelFileError, match="holds a 'model'"):
        gm.add_up([tmp_path / "m.gmx"])
    one.save(tmp_path / "s")
    with pytest.raises(ModelFileError, match="holds a 'statistics'"):
        gm.load(tmp_path / "s")


def test_rows_that_cannot_be_used_are_refused(x, mixture):
    with pytest.raises(MissingValuesError, match=r"x2 .* row 7 "):
        gm.collect(mixture, np.where(np.arange(x.size).reshape(x.shape) == 22, np.nan, x))
    dropped = gm.collect(mixture, np.where(np.arange(x.size).reshape(x.shape) == 22, np.nan, x), missing="drop")
    assert dropped.n_rows == len(x) - 1


def test_a_component_without_rows_ends_in_a_sentence(x, mixture):
    lost = gm.Mixture([0.5, 0.5], [[0.0, 100.0, 5e3], [1e6, 0.0, 0.0]], [np.diag([1.0, 1.0, 100.0])] * 2)
    with pytest.raises(FitError, match="components 2 have lost all their rows"):
        gm.update(lost, gm.collect(lost, x))


def test_a_model_by_hand_gets_the_regularization_that_a_fit_would_take(x):
    wide = gm.Mixture([0.5, 0.5], [x[0], x[-1]], [np.diag([10.0, 40.0, 1e4])] * 2)
    made = gm.update(wide, gm.collect(wide, x))
    assert made.regularization["kind"] == "pseudo-observations"
    assert made.regularization["strength"] == pytest.approx(1e-6 + 1e-12 * len(x))
    np.testing.assert_allclose(made.regularization["variances"], x.var(axis=0), rtol=1e-10)


def test_the_command_line_says_what_is_wrong(x, mixture, tmp_path, capsys):
    np.save(tmp_path / "x.npy", x)
    mixture.save(tmp_path / "m.gmx")
    gm.fit(x, 2, max_passes=2).save(tmp_path / "n.gmx")
    paths = {name: str(tmp_path / name) for name in ("x.npy", "m.gmx", "n.gmx", "s")}
    assert main(["stats", paths["m.gmx"], paths["x.npy"], "-o", paths["s"]]) == 0
    assert main(["update", paths["n.gmx"], paths["s"], "-o", str(tmp_path / "o.gmx")]) == 3
    assert "another model" in capsys.readouterr().err
    assert main(["merge", paths["s"], paths["s"], "-o", str(tmp_path / "t")]) == 3
    assert main(["merge", paths["s"], "-o", paths["s"]]) == 2
    assert main(["stats", paths["m.gmx"], paths["x.npy"]]) == 2
    code = "import sys; from gaussmix.cli.main import main; sys.exit(main(['stats', '--help']))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "penalty", [gm.ConjugatePrior(), gm.EigenvalueRatio(10.0)], ids=lambda each: type(each).__name__
)
def test_a_penalty_that_files_do_not_hold_is_never_replaced_by_another(penalty, x, tmp_path):
    begun = gm.fit(x, 3, "VVV", max_passes=3, n_starts=1, regularization=penalty)
    begun.save(tmp_path / "m.gmx")
    statistics = gm.collect(tmp_path / "m.gmx", x)
    for given_here in ("auto", penalty):
        with pytest.raises(ParameterError, match=f"{type(penalty).__name__} needs more of the data"):
            gm.update(tmp_path / "m.gmx", statistics, regularization=given_here)
    assert gm.update(tmp_path / "m.gmx", statistics, regularization=None).mixture.n_components == 3
