"""What was measured of passes over many rows, as tables; and what it comes to for more rows than one machine holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.render import BEGIN, END, seconds

_ROWS = (10**9, 10**11)
_CORES = (64, 1024)
_FIT_PASSES = 50
_PARTITION_BYTES = 128 * 10**6  # what Dask recommends


def render(path: Path, found: dict[str, Any]) -> None:
    """Rewrite the marked section of a document."""
    text = path.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(before + BEGIN + "\n\n" + tables(found) + "\n\n" + END + after)


def tables(found: dict[str, Any]) -> str:
    """Return everything between the marks."""
    m = found["machine"]
    head = (
        f"Measured on {m['date']}: {m['processor']}, {m['cores']} cores, {m['memory_gb']:.0f} GB, {m['system']}, "
        f"Python {m['python']}, NumPy {m['numpy']}. Best of five passes each{_others(found)}."
    )
    return "\n\n".join([head, _file(found), _cluster(found), _cost(found)])


def statistics_bytes(n_features: int, n_components: int) -> int:
    """Bytes that one pass of full covariances leaves behind: K (1 + D + D (D + 1) / 2) numbers."""
    return 8 * n_components * (1 + n_features + n_features * (n_features + 1) // 2)


def _file(found: dict[str, Any]) -> str:
    (d, k), threads = found["file"], found["machine"]["threads"]
    file, memory, fit = (found[f"{name}_{threads}"] for name in ("from_file", "in_memory", "whole_fit"))
    same = "the same bits" if file["log_likelihood"] == memory["log_likelihood"] else "OTHER BITS"
    lines = [
        f"### {file['n_rows']:,} x {d} in Parquet ({_size(found['file_bytes'])}), K = {k}, full, {threads} threads\n",
        "| | |",
        "|---|---|",
        f"| a pass over the file, in the page cache | {seconds(file['best_s'])} |",
        f"| a pass over the same rows in memory | {seconds(memory['best_s'])} |",
        f"| speed from the file, of that in memory | {100 * memory['best_s'] / file['best_s']:.0f} % |",
        f"| the same of processor time | {100 * memory['processor_s'] / file['processor_s']:.0f} % |",
        f"| log-likelihood | {same} |",
        f"| peak memory of a whole fit's process | {_size(fit['peak_bytes'])} |",
    ]
    return "\n".join(lines)


def _cluster(found: dict[str, Any]) -> str:
    (d, k), threads = found["cluster"], found["machine"]["threads"]
    near, far = found[f"on_threads_{threads}"], found[f"on_workers_{threads}"]
    lines = [
        f"### {near['n_rows']:,} x {d} in memory, K = {k}, full\n",
        "| | |",
        "|---|---|",
        f"| a pass by {threads} threads | {seconds(near['best_s'])} |",
        f"| a pass by {threads} Dask workers, {far['partitions']} partitions | {seconds(far['best_s'])} |",
        f"| speed on the cluster, of that by threads | {100 * near['best_s'] / far['best_s']:.0f} % |",
        f"| Dask's own time for one partition | {seconds(far['per_partition_s'])} |",
    ]
    return "\n".join(lines)


def _cost(found: dict[str, Any]) -> str:
    lines = [
        "### What more rows cost\n",
        "By the measured processor time of passes by one thread, and Dask's own time for partitions of "
        f"{_size(_PARTITION_BYTES)}, in which one scheduler is busy for all workers; disk and network as fast as the "
        f"cores. The last column is {_FIT_PASSES} passes by {_CORES[0]} cores.\n",
        "| rows | features | K | rows as float64 | moved per pass and partition | core hours per pass | "
        + " | ".join(f"a pass on {cores:,} cores" for cores in _CORES)
        + " | a fit |",
        "|---" * (7 + len(_CORES)) + "|",
    ]
    overhead = found[f"on_workers_{found['machine']['threads']}"]["per_partition_s"]
    for shape, one in (("file", found["from_file_1"]), ("cluster", found["on_threads_1"])):
        d, k = found[shape]
        per_row = one["processor_s"] / one["n_rows"]  # another thread reads while one computes
        for rows in _ROWS:
            partitions = max(1, 8 * rows * d // _PARTITION_BYTES)
            passes = [max(rows * per_row / cores, partitions * overhead) for cores in _CORES]
            cells = [f"{rows:.0e}".replace("e+", "e").replace("e0", "e"), str(d), str(k), _size(8 * rows * d)]
            cells += [_size(statistics_bytes(d, k)), f"{rows * per_row / 3600:.2g}"]
            lines.append("| " + " | ".join([*cells, *map(_time, passes), _time(_FIT_PASSES * passes[0])]) + " |")
    return "\n".join(lines)


def _others(found: dict[str, Any]) -> str:
    """Say how busy others kept the machine."""
    shares = [row["busy_before"] for row in found.values() if isinstance(row, dict) and "busy_before" in row]
    least, most = f"{100 * min(shares):.0f}", f"{100 * max(shares):.0f}"
    if most == "0":
        return ", while nothing else ran"
    said = f", of a machine that others use too; they held {least} to {most} % of it when the measurements began"
    return said + (", at a lower priority" if found["ahead"] else "")


def _time(value: float) -> str:
    if value < 120.0:
        return seconds(value)
    return f"{value / 60:.0f} min" if value < 7200.0 else f"{value / 3600:.1f} h"


def _size(n_bytes: int) -> str:
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes} bytes"
