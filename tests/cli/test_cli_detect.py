"""gaussmix detect: outliers of a file, with the features at fault."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import gaussmix as gm


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_outliers_are_those_of_python_to_the_last_digit(cli, model, faithful, geyser):
    answer = cli("detect", model, faithful, "--contamination", "0.05")
    assert (answer.code, answer.err) == (0, "")
    rows = table(answer.out)
    expected = gm.detect(geyser, faithful, contamination=0.05)
    assert list(rows[0]) == ["row", "log_density", "share_eruptions", "share_waiting"]
    assert len(rows) == 13
    np.testing.assert_array_equal([int(row["row"]) for row in rows], expected.positions)
    np.testing.assert_array_equal([float(row["log_density"]) for row in rows], expected.log_prob)
    shares = [[float(row["share_eruptions"]), float(row["share_waiting"])] for row in rows]
    np.testing.assert_array_equal(shares, expected.shares)
    assert len(table(cli("detect", model, faithful).out)) == 2, "one in a hundred by default"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_hold_what_standard_output_would(cli, model, faithful, tmp_path, suffix):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / f"outliers{suffix}"
    answer = cli("detect", model, faithful, "-o", path)
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    read = pandas.read_csv if suffix == ".csv" else pandas.read_parquet
    printed = pandas.read_csv(io.StringIO(cli("detect", model, faithful).out))
    # pandas' default reader of text may be one unit in the last place off.
    pandas.testing.assert_frame_equal(read(path), printed, rtol=1e-15)


def test_json_tells_of_threshold_and_numbers(cli, model, faithful, geyser, tmp_path):
    document = json.loads(cli("detect", model, faithful, "--json", "--contamination", "0.05").out)
    assert (document["rows"], document["n_outliers"], document["contamination"]) == (272, 13, 0.05)
    assert document["threshold"] == gm.density_threshold(geyser, faithful, 0.05)
    assert len(document["outliers"]) == 13
    assert set(document["outliers"][0]) == {"row", "log_density", "share_eruptions", "share_waiting"}
    path = tmp_path / "outliers.csv"
    filed = json.loads(cli("detect", model, faithful, "--json", "-o", path).out)
    assert "outliers" not in filed
    assert filed["n_outliers"] == len(table(path.read_text())) == 2
    assert filed["contamination"] == 0.01


def test_a_threshold_takes_the_place_of_a_share(cli, model, faithful, tmp_path):
    known = json.loads(cli("detect", model, faithful, "--json", "--contamination", "0.02").out)
    again = json.loads(cli("detect", model, faithful, "--json", "--threshold", known["threshold"]).out)
    assert again["outliers"] == known["outliers"]
    assert again["contamination"] is None
    data = tmp_path / "new.csv"
    data.write_text("waiting,who,eruptions\n50,x,2\n500,y,2\n80,z,4.3\n")
    rows = table(cli("detect", model, data, "--threshold", known["threshold"]).out)
    assert [row["row"] for row in rows] == ["1"]
    assert float(rows[0]["share_waiting"]) > 0.5
    assert cli("detect", model, data, "--threshold", "-1e6").out == "row,log_density,share_eruptions,share_waiting\n"


def test_missing_values_are_refused_or_left_out(cli, model, tmp_path):
    data = tmp_path / "gaps.csv"
    data.write_text("eruptions,waiting\n2,50\n,80\n4,800\n")
    assert cli("detect", model, data).code == 3
    document = json.loads(cli("detect", model, data, "--missing", "drop", "--threshold", "-50", "--json").out)
    assert (document["rows"], [each["row"] for each in document["outliers"]]) == (2, [2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--contamination", "0"), "expected a number above 0"),
        (("--contamination", "2"), "above 0 and at most 0.5"),
        (("--contamination", "0.1", "--threshold", "-5"), "give one of the two"),
        (("-o", "outliers.txt"), ".csv or .parquet"),
    ],
)
def test_misuse_ends_with_2(cli, model, faithful, options, message):
    answer = cli("detect", model, faithful, *options)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
