"""gaussmix fit: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

import gaussmix as gm


def fitted(cli, data, *options):
    answer = cli("fit", data, "-k", "2", "--covariance", "EEE", *options)
    assert answer.code == 0, answer.err
    return answer


def test_the_report_says_what_was_found_in_words_and_numbers(cli, faithful, geyser):
    out = " ".join(fitted(cli, faithful).out.split())  # lines break where the path ends
    assert "EEE, 2 components" in out
    assert "ellipsoidal, all clusters of the same volume, shape and orientation" in out
    assert "272 rows, 2 features (eruptions, waiting)" in out
    assert f"{geyser.log_likelihood:,.2f}" in out
    assert f"{geyser.bic:,.2f}" in out
    assert "lower is better" in out
    assert f"{geyser.mixture.means[0, 0]:.3f} ± {geyser.mixture.standard_deviations[0, 0]:.3f}" in out
    assert f"{geyser.effective_rows[1]:.1f}" in out


def test_piped_output_is_plain_and_nothing_else_is_said(cli, faithful):
    answer = fitted(cli, faithful)
    assert "\x1b" not in answer.out
    assert "█" not in answer.out
    assert answer.err == ""


def test_json_has_everything_python_has(cli, faithful, geyser):
    facts = json.loads(fitted(cli, faithful, "--json").out)
    for name in ("log_likelihood", "bic", "icl", "aic", "aicc", "n_parameters", "passes", "reason", "score"):
        assert facts[name] == getattr(geyser, name), name
    np.testing.assert_array_equal(facts["weights"], geyser.mixture.weights)
    np.testing.assert_array_equal(facts["means"], geyser.mixture.means)
    np.testing.assert_array_equal(facts["covariances"], geyser.mixture.covariances)
    assert facts["features"] == ["eruptions", "waiting"]


def test_json_keys_do_not_depend_on_what_was_fitted(cli, faithful, galaxies, model):
    single = json.loads(fitted(cli, faithful, "--json").out)
    search = json.loads(cli("fit", galaxies, "-k", "1,2", "--covariance", "E,V", "--json").out)
    shown = json.loads(cli("show", model, "--json").out)
    assert list(single) == list(search) == list(shown)


def test_a_search_ranks_its_candidates_by_the_criterion(cli, faithful):
    options = ("-k", "1:3", "--covariance", "EEE,VVI", "--criterion", "icl")
    facts = json.loads(cli("fit", faithful, *options, "--json").out)
    values = [row["icl"] for row in facts["candidates"]]
    assert facts["criterion"] == "icl"
    assert len(values) == 6
    assert values == sorted(values)
    assert facts["icl"] == values[0]
    report = cli("fit", faithful, *options).out
    assert "best of 6 candidates by ICL" in report
    assert "ICL above the best" in report


def test_infinite_criteria_are_null_in_json(cli, tmp_path):
    data = tmp_path / "few.csv"
    data.write_text("a,b\n1,2\n2,1\n3,5\n4,4\n5,6\n")
    answer = cli("fit", data, "-k", "1", "--covariance", "VVV", "--json")
    assert json.loads(answer.out)["aicc"] is None  # 5 rows, 5 parameters


def test_the_saved_model_is_the_one_python_saves(cli, faithful, geyser, tmp_path):
    path = tmp_path / "model.gmx"
    fitted(cli, faithful, "-o", path)
    mixture, facts = gm.Mixture.load_with_facts(path)
    np.testing.assert_array_equal(mixture.means, geyser.mixture.means)
    expected = {**geyser.summary(), "data": str(faithful)}
    assert {name: facts[name] for name in expected} == expected


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_assignments_are_those_of_python(cli, faithful, geyser, tmp_path, suffix):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / f"rows{suffix}"
    fitted(cli, faithful, "--assign", path)
    frame = pandas.read_csv(path) if suffix == ".csv" else pandas.read_parquet(path)
    expected = gm.predict(geyser, faithful)
    assert list(frame) == ["label", "p1", "p2", "uncertainty", "log_density"]
    np.testing.assert_array_equal(frame["label"], expected.labels)
    # Text keeps every digit, but pandas' default reader may be one unit in the last place off.
    np.testing.assert_allclose(frame[["p1", "p2"]], expected.responsibilities, rtol=1e-15)
    np.testing.assert_allclose(frame["log_density"], expected.log_prob, rtol=1e-15)


def test_dropped_rows_keep_their_place_among_the_assignments(cli, tmp_path):
    data, path = tmp_path / "gaps.csv", tmp_path / "rows.csv"
    rows = [f"{i % 7},{i % 5 + 10 * (i % 2)}" for i in range(60)]
    rows[3] = ",4"
    data.write_text("a,b\n" + "\n".join(rows) + "\n")
    answer = fitted(cli, data, "--missing", "drop", "--assign", path)
    assert "59 rows of 60" in answer.out
    written = list(csv.DictReader(path.open()))
    assert len(written) == 60
    assert written[3] == {"label": "-1", "p1": "", "p2": "", "uncertainty": "", "log_density": ""}
    assert written[4]["label"] in ("0", "1")


def test_an_array_without_names_is_assigned_by_the_same_columns(cli, tmp_path):
    data, path = tmp_path / "rows.npy", tmp_path / "rows.csv"
    x = np.random.default_rng(0).normal(size=(80, 3)) + 10.0 * (np.arange(80) % 2)[:, None]
    np.save(data, x)
    fitted(cli, data, "--features", "2,0", "--assign", path)
    result = gm.fit(x[:, [2, 0]], 2, "EEE")
    labels = [int(row["label"]) for row in csv.DictReader(path.open())]
    np.testing.assert_array_equal(labels, gm.predict(result, x[:, [2, 0]]).labels)


def test_the_table_of_candidates_is_written(cli, faithful, tmp_path):
    path = tmp_path / "table.csv"
    cli("fit", faithful, "-k", "1:2", "--covariance", "EEE,VVI", "--table", path)
    rows = list(csv.DictReader(path.open()))
    assert {(row["structure"], row["n_components"]) for row in rows} == {
        (name, k) for name in ("EEE", "VVI") for k in ("1", "2")
    }
    assert all(math.isfinite(float(row["bic"])) for row in rows)


def test_weights_and_features_are_found_by_name(cli, tmp_path):
    data = tmp_path / "weighted.csv"
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(50, 2)), rng.integers(1, 4, size=50)
    lines = "\n".join(f"{n},{a!r},text,{b!r}" for (a, b), n in zip(x.tolist(), w.tolist(), strict=True))
    data.write_text(f"n,a,word,b\n{lines}\n")
    options = ("--weight", "n", "--features", "b,a", "--json")
    facts = json.loads(fitted(cli, data, *options).out)
    assert facts["features"] == ["b", "a"]
    assert facts["weight"] == w.sum()
    np.testing.assert_allclose(np.dot(facts["weights"], facts["means"]), np.average(x[:, ::-1], 0, w), rtol=1e-5)


def test_strict_ends_with_4_after_the_answer(cli, faithful):
    call = ("fit", faithful, "-k", "3", "--covariance", "VVV", "--max-passes", "2")
    relaxed, strict = cli(*call), cli(*call, "--strict")
    assert (relaxed.code, strict.code) == (0, 4)
    assert strict.out == relaxed.out
    assert "not converged" in strict.out
    assert "warning: not converged" in relaxed.err
    assert "--max-passes" in strict.err


def test_an_interrupted_fit_saves_the_best_so_far(cli, faithful, geyser, tmp_path, monkeypatch):
    path = tmp_path / "model.gmx"
    halted = dataclasses.replace(
        geyser, reason="interrupted", converged=False, entropy=math.nan, classification=math.nan
    )
    monkeypatch.setattr(gm, "fit", lambda *_, **__: halted)
    answer = cli("fit", faithful, "-k", "2", "--covariance", "EEE", "-o", path)
    assert answer.code == 130
    assert f"interrupted: the best so far is saved in {path}" in answer.err
    np.testing.assert_array_equal(gm.load(path).means, geyser.mixture.means)
    assert gm.Mixture.load_with_facts(path)[1]["entropy"] is None


def test_warnings_are_said_once_each_with_a_cure(cli, tmp_path):
    data = tmp_path / "constant.csv"
    data.write_text("a,b\n" + "".join(f"{i % 9},7\n" for i in range(40)))
    answer = cli("fit", data, "-k", "1", "--covariance", "VVV")
    lines = [line for line in answer.err.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("warning: component 1 has almost no spread in b")
    assert "leave out" in lines[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n3,\n4,5\n", "--missing drop"),
        ("a,b\n1,x\n3,y\n", "'b'"),
        ("", "empty"),
        ("a,b\n", "row"),
        ("a,b\n1,2,3\n4,5,6,7\n", "line"),
    ],
)
def test_bad_data_end_with_3_and_print_nothing(cli, tmp_path, content, said):
    data = tmp_path / "bad.csv"
    data.write_text(content)
    answer = cli("fit", data, "-k", "1", "--covariance", "EII", "-o", tmp_path / "model.gmx")
    assert answer.code == 3, answer.err
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert said in answer.err
    assert sorted(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "0"),
        ("-k", "3:1"),
        ("-k", "two"),
        ("--covariance", "XYZ"),
        ("--covariance", "EEE,"),
        ("--criterion", "dic"),
        ("--tol", "-1"),
        ("--threads", "0"),
        ("--seed", "-3"),
        ("--no-such-option",),
        ("-o", "no/such/folder/model.gmx"),
        ("--assign", "rows.txt"),
    ],
)
def test_usage_errors_end_with_2_and_print_nothing(cli, faithful, options):
    answer = cli("fit", faithful, *options)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_data_are_not_overwritten(cli, tmp_path, faithful):
    data = tmp_path / "data.csv"
    data.write_bytes(faithful.read_bytes())
    for option in ("-o", "--assign", "--table"):
        assert cli("fit", data, "-k", "1", "--covariance", "EII", option, data).code == 2
    assert data.read_bytes() == faithful.read_bytes()


def test_a_table_that_cannot_be_written_leaves_what_was_there(cli, faithful, tmp_path, monkeypatch):
    from pyarrow import parquet

    path = tmp_path / "rows.parquet"
    path.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet.ParquetWriter, "write", full)
    answer = cli("fit", faithful, "-k", "1", "--covariance", "EII", "--assign", path)
    assert (answer.code, answer.out) == (1, "")
    assert "No space left on device" in answer.err
    assert path.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_json_document_is_one_line_where_nobody_looks(cli, faithful):
    out = fitted(cli, faithful, "--json").out
    assert out.endswith("\n")
    assert len(io.StringIO(out).readlines()) == 1


def test_a_glob_is_read_as_one_table(cli, faithful, tmp_path: Path):
    lines = faithful.read_text().splitlines(keepends=True)
    (tmp_path / "part-1.csv").write_text("".join(lines[:100]))
    (tmp_path / "part-2.csv").write_text("".join([lines[0], *lines[100:]]))
    facts = json.loads(fitted(cli, tmp_path / "part-*.csv", "--json").out)
    assert facts["n_rows"] == 272
