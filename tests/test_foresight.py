"""What a fit will ask of the machine: told without reading, and not too little."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import gaussmix as gm
from gaussmix.cli.main import main
from gaussmix.data import Source


class Unread(Source):
    n_features = 3
    feature_names = ("a", "b", "c")
    description = "unread rows"
    n_rows = 10**9

    def chunks(self):
        raise AssertionError("a forecast reads no rows")


def test_it_counts_what_the_formula_says_and_reads_nothing():
    found = gm.forecast(Unread(), 5, "VVV")
    assert (found.n_rows, found.n_features, found.candidates) == (10**9, 3, 1)
    assert found.statistics_bytes == 5 * (1 + 3 + 6) * 8
    assert found.read_bytes == 10**9 * 3 * 8
    assert found.kept_bytes == 0
    assert found.full_reads == 8
    assert gm.forecast(Unread(), 5, "EII").statistics_bytes == 5 * (1 + 3 + 1) * 8
    assert gm.forecast(Unread(), range(1, 10), ["VVV", "EEE"]).candidates == 18
    assert found.memory_bytes == 250_000_000 + sum(
        getattr(found, f"{name}_bytes") for name in ("kept", "under_way", "sums", "sample")
    )


def test_of_a_parquet_file_only_the_columns_in_use_count(tmp_path, rng):
    path = tmp_path / "x.parquet"
    x = rng.normal(size=(50_000, 4))
    parquet.write_table(pa.table({f"c{j}": x[:, j] for j in range(4)}), path, compression="none", use_dictionary=False)
    whole, half = gm.forecast(path, 2), gm.forecast(path, 2, features=["c0", "c3"])
    assert whole.read_bytes == pytest.approx(50_000 * 4 * 8, rel=0.02)  # beside the rows stand the pages' headers
    assert half.read_bytes == pytest.approx(whole.read_bytes / 2, rel=0.02)


def test_the_command_line_prints_it_and_fits_nothing(tmp_path, capsys):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1000, 2)))
    output = tmp_path / "model.gmx"
    assert main(["fit", str(path), "-k", "3", "--covariance", "VVV", "--dry-run", "-o", str(output)]) == 0
    out = capsys.readouterr().out
    assert not output.exists()
    for words in ("1,000", "16 kB", "144 bytes", "as many as EM makes passes"):
        assert words in out
    assert main(["fit", str(path), "-k", "3", "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == gm.forecast(str(path), 3).summary()


PEAK = """
import re, sys
import gaussmix as gm
gm.fit(sys.argv[1], 8, "VVV", max_passes=3, engine=gm.LocalEngine(2))
# Not getrusage: what it tells begins with the memory of the process that started this one.
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is counted in other units elsewhere")
def test_a_fit_of_a_file_stays_below_what_was_foretold(tmp_path):
    path = tmp_path / "x.parquet"
    with parquet.ParquetWriter(path, pa.schema([(f"c{j}", pa.float64()) for j in range(8)])) as writer:
        for seed in range(10):
            x = np.random.default_rng(seed).normal(size=(250_000, 8)) + seed % 3
            writer.write_table(pa.table({f"c{j}": x[:, j] for j in range(8)}))
    foretold = gm.forecast(path, 8, "VVV", engine=gm.LocalEngine(2))
    settings = {**os.environ, "PYTHONWARNINGS": "ignore"}
    peaks: list[int] = []
    for _ in range(3):  # the first processes may have to compile, which takes memory of its own, once
        command = [sys.executable, "-c", PEAK, path]
        found = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
        peaks.append(int(found.stdout))
    taken = min(peaks)
    assert taken <= 1.1 * foretold.memory_bytes, f"{taken:,} bytes instead of {foretold.memory_bytes:,}"
    # Rows read ahead without bound would take the whole of it, twice.
    assert foretold.memory_bytes < 250_000_000 + 2 * foretold.read_bytes
