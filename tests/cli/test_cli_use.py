"""gaussmix predict, score, sample, show: what a saved model is good for."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import gaussmix as gm


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_are_those_of_python_to_the_last_digit(cli, model, faithful, geyser):
    rows = table(cli("predict", model, faithful).out)
    expected = gm.predict(geyser, faithful)
    assert list(rows[0]) == ["label", "p1", "p2", "uncertainty", "log_density"]
    np.testing.assert_array_equal([int(row["label"]) for row in rows], expected.labels)
    for k in range(2):
        np.testing.assert_array_equal([float(row[f"p{k + 1}"]) for row in rows], expected.responsibilities[:, k])
    np.testing.assert_array_equal([float(row["uncertainty"]) for row in rows], expected.uncertainty)
    np.testing.assert_array_equal([float(row["log_density"]) for row in rows], expected.log_prob)


def test_columns_are_matched_by_name_in_any_order(cli, model, faithful, tmp_path):
    mixed = tmp_path / "mixed.csv"
    rows = table(faithful.read_text())
    mixed.write_text("who,waiting,eruptions\n" + "".join(f"x,{r['waiting']},{r['eruptions']}\n" for r in rows))
    assert cli("predict", model, mixed).out == cli("predict", model, faithful).out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_hold_what_standard_output_would(cli, model, faithful, tmp_path, suffix):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / f"rows{suffix}"
    answer = cli("predict", model, faithful, "-o", path)
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    read = pandas.read_csv if suffix == ".csv" else pandas.read_parquet
    printed = pandas.read_csv(io.StringIO(cli("predict", model, faithful).out))
    # pandas' default reader of text may be one unit in the last place off.
    pandas.testing.assert_frame_equal(read(path), printed, rtol=1e-15)
    assert sorted(tmp_path.iterdir()) == sorted([model, path])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_prediction_that_fails_on_the_way_leaves_no_file(cli, model, tmp_path, monkeypatch, suffix):
    whole = gm.iterate_predictions

    def breaking(*arguments, **options):
        yield from whole(*arguments, **options)
        raise KeyboardInterrupt

    data, path = tmp_path / "data.csv", tmp_path / f"rows{suffix}"
    data.write_text("eruptions,waiting\n2,50\n4,80\n")
    monkeypatch.setattr(gm, "iterate_predictions", breaking)
    answer = cli("predict", model, data, "-o", path)
    assert answer.code == 130
    assert "interrupted" in answer.err
    assert sorted(tmp_path.iterdir()) == sorted([model, data])


def test_missing_values_are_refused_or_left_empty(cli, model, tmp_path):
    data = tmp_path / "gaps.csv"
    data.write_text("eruptions,waiting\n2,50\n,80\n4,80\n")
    refused = cli("predict", model, data)
    assert (refused.code, refused.out) == (3, "")
    assert "--missing drop" in refused.err
    labels = [row["label"] for row in table(cli("predict", model, data, "--missing", "drop").out)]
    assert labels[1] == "-1"
    assert "-1" not in (labels[0], labels[2])


def test_missing_columns_are_named(cli, model, galaxies):
    answer = cli("predict", model, galaxies)
    assert (answer.code, answer.out) == (3, "")
    assert "'eruptions', 'waiting'" in answer.err


def test_the_score_is_a_number_alone(cli, model, faithful, geyser):
    answer = cli("score", model, faithful)
    assert float(answer.out) == gm.score(geyser, faithful)
    # The mean of the fit itself is summed by other kernels.
    assert float(answer.out) == pytest.approx(geyser.score, rel=1e-12)
    assert json.loads(cli("score", model, faithful, "--json").out)["score"] == float(answer.out)


def test_the_score_is_weighted_by_a_column(cli, model, tmp_path):
    data, repeated = tmp_path / "weighted.csv", tmp_path / "repeated.csv"
    data.write_text("eruptions,n,waiting\n2,3,50\n4,1,80\n")
    repeated.write_text("eruptions,waiting\n2,50\n2,50\n2,50\n4,80\n")
    weighted, plain = cli("score", model, data, "--weight", "n"), cli("score", model, repeated)
    assert float(weighted.out) == pytest.approx(float(plain.out), rel=1e-12)


def test_samples_are_those_of_python_under_the_features_names(cli, model, geyser):
    rows = list(csv.reader(io.StringIO(cli("sample", model, "-n", "50", "--seed", "7").out)))
    assert rows[0] == ["eruptions", "waiting"]
    np.testing.assert_array_equal(np.array(rows[1:], dtype=float), geyser.mixture.sample(50, 7))


def test_a_sample_can_be_fitted_again(cli, model, tmp_path):
    path = tmp_path / "drawn.parquet"
    assert cli("sample", model, "-n", "200", "-o", path).code == 0
    answer = cli("fit", path, "-k", "2", "--covariance", "EEE", "--json")
    assert json.loads(answer.out)["features"] == ["eruptions", "waiting"]


def test_names_that_csv_must_quote_come_back(cli, tmp_path):
    path = tmp_path / "odd.gmx"
    gm.Mixture([1.0], [[0.0, 1.0]], [np.eye(2)], feature_names=['a, "b"', "c d"]).save(path)
    rows = list(csv.reader(io.StringIO(cli("sample", path, "-n", "2").out)))
    assert rows[0] == ['a, "b"', "c d"]


def test_show_repeats_the_report_of_the_fit(cli, model, faithful, tmp_path):
    saved = tmp_path / "saved.gmx"
    report = cli("fit", faithful, "-k", "2", "--covariance", "EEE", "-o", saved).out
    assert cli("show", saved).out == report


def test_show_says_so_where_nothing_is_known_of_a_fit(cli, tmp_path):
    path = tmp_path / "given.gmx"
    gm.Mixture([0.25, 0.75], [0.0, 5.0], [1.0, 4.0]).save(path)
    out = cli("show", path).out
    assert "nothing is known of the data" in out
    assert "25.0 %" in out
    assert "5.00 ± 2.00" in out
    assert json.loads(cli("show", path, "--json").out)["bic"] is None


@pytest.mark.parametrize("command", ["predict", "score"])
@pytest.mark.parametrize("content", [None, b"", b"not a model at all"])
def test_models_that_are_none_end_with_3(cli, faithful, tmp_path, command, content):
    path = tmp_path / "model.gmx"
    if content is not None:
        path.write_bytes(content)
    answer = cli(command, path, faithful)
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("error: ")
    assert str(path) in answer.err


def test_neither_model_nor_data_are_overwritten(cli, model, faithful, tmp_path):
    data = tmp_path / "data.csv"
    data.write_bytes(faithful.read_bytes())
    assert cli("predict", model, data, "-o", data).code == 2
    assert data.read_bytes() == faithful.read_bytes()
