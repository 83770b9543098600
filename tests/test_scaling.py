"""What many rows cost: measured, and rendered from what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gaussmix as gm

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed

from benchmarks import scaling, scaling_tables  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "scaling.json"
DOCUMENT = ROOT / "docs" / "scaling.md"


def test_the_document_is_what_the_measurements_render_to(tmp_path):
    copy = tmp_path / "scaling.md"
    copy.write_text(DOCUMENT.read_text())
    scaling_tables.render(copy, json.loads(RESULTS.read_text()))
    assert copy.read_text() == DOCUMENT.read_text()


def test_the_bytes_of_a_pass_are_those_that_a_forecast_tells(tmp_path):
    found = gm.forecast([[0.0] * 8] * 40, 16, "VVV")
    assert scaling_tables.statistics_bytes(8, 16) == found.statistics_bytes


def test_ten_times_the_time_of_a_pass_is_ten_times_the_cost():
    found = json.loads(RESULTS.read_text())
    slower = {**found, "from_file_1": {**found["from_file_1"], "processor_s": 10 * found["from_file_1"]["processor_s"]}}
    before, after = (
        [
            float(line.split("|")[6])
            for line in scaling_tables.tables(each).splitlines()
            if line.startswith("| 1e") and line.split("|")[3].strip() == str(found["file"][1])
        ]
        for each in (found, slower)
    )
    assert len(before) == 2
    assert after == [pytest.approx(10 * value, rel=0.1) for value in before]


@pytest.mark.slow
def test_everything_is_measured_on_few_rows(tmp_path):
    output = tmp_path / "s.json"
    command = ["-m", "benchmarks.scaling", "run", "--file-rows", "60000", "--cluster-rows", "20000", "-o", output]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    found = json.loads(output.read_text())
    assert found["from_file_2"]["log_likelihood"] == found["in_memory_2"]["log_likelihood"], "the same bits"
    assert found["from_file_2"]["n_rows"] == 60_000
    assert set(scaling.KINDS) == {name.rpartition("_")[0] for name in found if name.endswith(("_1", "_2"))}
    assert "the same bits" in scaling_tables.tables(found)
