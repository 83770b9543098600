"""What a pass over many rows costs: from a file, in memory, on a cluster. `python -m benchmarks.scaling {run,render}`.

Every measurement is a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, scaling_tables
from benchmarks.simulation import ROOT

_BATCH = 500_000  # rows that are simulated, and written as a row group, at once
_PASSES = 5
_PATIENCE = "GAUSSMIX_BENCHMARK_PATIENCE"  # seconds that a measurement waits for a quiet machine
_PARTS = 16  # partitions of the rows on a cluster
_SMALL_PARTS = 500  # partitions of a few rows, whose passes are all overhead
FILE, CLUSTER = (8, 16), (16, 32)
"""Features and components, full covariances, of the passes from a file and of those on a cluster."""


def simulated(n_rows: int, n_features: int, n_components: int, seed: int) -> np.ndarray:
    """Return rows about as many centres as there are components."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(scale=3.0, size=(n_components, n_features))
    return rng.normal(size=(n_rows, n_features)) + centres[rng.integers(n_components, size=n_rows)]


def write_file(path: Path, n_rows: int) -> None:
    """Write a Parquet file as others write them: pyarrow's defaults."""
    import pyarrow as pa
    from pyarrow import parquet

    d, k = FILE
    schema = pa.schema([(f"c{j}", pa.float64()) for j in range(d)])
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, n_rows, _BATCH):
            x = simulated(min(_BATCH, n_rows - start), d, k, 1 + start)
            writer.write_table(pa.table([*x.T], schema=schema))


def passes_over(data: object, n_features: int, n_components: int, engine: Any) -> dict[str, Any]:
    """Time E-steps of one mixture over all rows; the first one is not counted."""
    import gaussmix as gm
    from gaussmix.covariance import family
    from gaussmix.data import open_source
    from gaussmix.engine.evaluator import Evaluator
    from gaussmix.engine.expectation import Expectation

    evaluator = Evaluator.open(open_source(data, budget=engine.budget), engine)
    centres = np.random.default_rng(0).normal(scale=3.0, size=(n_components, n_features))
    start = gm.Mixture(np.full(n_components, 1.0 / n_components), centres, [np.eye(n_features)] * n_components)
    request = Expectation(start, family("VVV", n_features).moment, 1e-9, True)
    times: list[float] = []
    work: list[float] = []
    patience = float(os.environ.get(_PATIENCE, "0"))
    for _ in range(_PASSES + 1):
        machine.wait_for_quiet(patience)
        before, spent = time.perf_counter(), time.process_time()
        (statistics,) = evaluator.answer([request])
        times.append(time.perf_counter() - before)
        work.append(time.process_time() - spent)
    return {
        "best_s": min(times[1:]),
        "median_s": float(np.median(times[1:])),
        "processor_s": min(work[1:]),
        "n_rows": evaluator.summary.rows_read,
        "log_likelihood": statistics.log_likelihood.hex(),
    }


def from_file(path: str, threads: int) -> dict[str, Any]:
    """Passes over the file."""
    import gaussmix as gm

    return passes_over(path, *FILE, gm.LocalEngine(threads))


def in_memory(path: str, threads: int) -> dict[str, Any]:
    """Passes over the file's rows as an array."""
    import gaussmix as gm
    from gaussmix.data import open_source

    x = np.concatenate([chunk.x for chunk in open_source(path, budget=0).chunks()])
    return passes_over(x, *FILE, gm.LocalEngine(threads))


def whole_fit(path: str, threads: int) -> dict[str, Any]:
    """Fit the file with all its starts and a few passes over all rows; tell the peak memory of the process."""
    import gaussmix as gm

    before = time.perf_counter()
    gm.fit(path, FILE[1], "VVV", max_passes=3, engine=gm.LocalEngine(threads))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": time.perf_counter() - before, "peak_bytes": peak}


def on_threads(rows: str, threads: int) -> dict[str, Any]:
    """Passes over simulated rows in memory."""
    import gaussmix as gm

    return passes_over(simulated(int(rows), *CLUSTER, 1), *CLUSTER, gm.LocalEngine(threads))


def on_workers(rows: str, workers: int) -> dict[str, Any]:
    """Passes over the same rows on a cluster of this machine, and over many partitions of next to nothing.

    Each worker is given as many partitions: where Dask happens to put nine on one and seven on the other, a pass takes
    as long as the nine.
    """
    import dask
    import dask.array as da
    import distributed

    import gaussmix as gm

    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        engine = gm.DaskEngine(client)
        hosts = sorted(client.nthreads())
        x = da.from_array(simulated(int(rows), *CLUSTER, 1), chunks=(int(rows) // _PARTS, CLUSTER[0]))
        with dask.annotate(workers=lambda key: hosts[key[1] % workers]):
            x = x.persist()
        distributed.wait(x)
        found = passes_over(x, *CLUSTER, engine)
        small = da.zeros((_SMALL_PARTS * 16, CLUSTER[0]), chunks=(16, CLUSTER[0]))
        little = passes_over((small + da.arange(CLUSTER[0])).persist(), *CLUSTER, engine)
    return {**found, "partitions": _PARTS, "per_partition_s": little["best_s"] / _SMALL_PARTS}


KINDS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    each.__name__: each for each in (from_file, in_memory, whole_fit, on_threads, on_workers)
}


def measured(kind: str, what: str, threads: int, patience: float) -> dict[str, Any]:
    """Return what a process of its own has measured."""
    arguments = [sys.executable, "-m", "benchmarks.scaling", "child", kind, what, str(threads)]
    settings = {**os.environ, "PYTHONWARNINGS": "ignore", _PATIENCE: str(patience)}
    done = subprocess.run(arguments, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{kind} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def results(
    file_rows: int, cluster_rows: int, threads: int, patience: float, say: Callable[[str], None], before: dict[str, Any]
) -> dict[str, Any]:
    """Measure what `before` lacks, each pass once the machine is quiet, or has been waited for so many seconds."""
    found: dict[str, Any] = {**before, "machine": machine.facts(threads), "file": FILE, "cluster": CLUSTER}
    found["ahead"] = machine.ahead_of_others()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write_file(path, file_rows)
        found["file_bytes"] = path.stat().st_size
        runs = [(kind, str(path), threads) for kind in ("from_file", "in_memory", "whole_fit")]
        runs += [("from_file", str(path), 1), ("on_threads", str(cluster_rows), 1)]
        runs += [(kind, str(cluster_rows), threads) for kind in ("on_threads", "on_workers")]
        for kind, what, number in runs:
            name = f"{kind}_{number}"
            if name in before:
                continue
            busy = machine.busy()
            found[name] = {**measured(kind, what, number, patience), "busy_before": busy}
            say(f"{name}: {found[name]}")
    return found


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    actions = parser.add_subparsers(required=True, dest="action")
    run = actions.add_parser("run", help="measure, and write JSON")
    run.add_argument("--file-rows", type=int, default=20_000_000)
    run.add_argument("--cluster-rows", type=int, default=2_000_000)
    run.add_argument("--threads", type=int, default=2)
    run.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a quiet machine before each pass")
    run.add_argument("--again", nargs="+", default=[], help="measure these again, keep the rest of the file")
    run.add_argument("-o", "--output", type=Path, required=True)
    render = actions.add_parser("render", help="turn JSON into the tables of docs/scaling.md")
    render.add_argument("results", type=Path)
    render.add_argument("--document", type=Path, default=ROOT / "docs" / "scaling.md")
    child = actions.add_parser("child")
    child.add_argument("kind", choices=KINDS)
    child.add_argument("what")
    child.add_argument("threads", type=int)
    a = parser.parse_args()
    if a.action == "child":
        print(json.dumps(KINDS[a.kind](a.what, a.threads)))
    elif a.action == "run":
        sizes = a.file_rows, a.cluster_rows, a.threads
        before = json.loads(a.output.read_text()) if a.again else {}
        before = {name: value for name, value in before.items() if name not in a.again}
        found = results(*sizes, a.patience, lambda words: print(words, file=sys.stderr, flush=True), before)
        a.output.write_text(json.dumps(found, indent=1) + "\n")
    else:
        scaling_tables.render(a.document, json.loads(a.results.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
