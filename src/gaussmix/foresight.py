"""What a fit will ask of the machine, told before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

from gaussmix.arguments import counts_of, families_of
from gaussmix.covariance import Family
from gaussmix.data.open import open_source
from gaussmix.data.source import Source
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.fold import segment_rows
from gaussmix.engine.sampling import MOST_NESTED_BYTES, nested_levels
from gaussmix.engine.summary import sample_rows
from gaussmix.fitting.starts.seeds import HIERARCHY_ROWS

_PROCESS = 250_000_000  # bytes that the interpreter, its libraries and compiled kernels take
_FINALISTS = 2  # starts of one candidate on all rows at a time
_MERGING = 24  # states of one mixture's sums that wait to be merged, of more rows than any machine has
_FULL_READS = 8
_DECODING = 2 << 20  # bytes per column of a file that is being decoded


@final
@dataclass(frozen=True)
class Forecast:
    """What a fit will read and hold.

    Parameters
    ----------
    data : str
        What is read.
    n_rows : int or None
        Rows; None where only reading tells, as of text and streams.
    n_features : int
        Columns in use.
    feature_names : tuple of str or None
        Their names.
    candidates : int
        Structures times numbers of components.
    read_bytes : int or None
        Bytes that one pass takes from disk or memory; of text, the first one.
    statistics_bytes : int
        Bytes of the statistics that one pass leaves behind, of the largest mixture: K (1 + D + S) numbers with S second
        moments, D (D + 1) / 2 of them for a full covariance per component.
    full_reads : int or None
        About how often a fit reads all rows where they are very many: for their summary, a sample, a few leaps, a step
        of EM and the appraisal; more often where components overlap so far that a sample cannot tell them apart. None
        where EM itself goes over all rows, or only reading tells how many there are.
    kept_bytes, under_way_bytes, sums_bytes, sample_bytes : int
        Memory for rows kept between passes, rows under way, the sums of a pass, and the row samples with their starts.
    memory_bytes : int
        All of these, and the process itself: about what it will take at most, beside data given in memory and what
        compiling takes where nothing has been compiled yet.
    """

    data: str
    n_rows: int | None
    n_features: int
    feature_names: tuple[str, ...] | None
    candidates: int
    read_bytes: int | None
    statistics_bytes: int
    full_reads: int | None
    kept_bytes: int
    under_way_bytes: int
    sums_bytes: int
    sample_bytes: int
    memory_bytes: int

    def summary(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "feature_names": None if self.feature_names is None else list(self.feature_names)}


def forecast(
    data: object,
    n_components: int | Iterable[int] = range(1, 10),
    covariance: str | Sequence[str] = "all",
    *,
    weights: object = None,
    features: Sequence[str | int] | None = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> Forecast:
    """Tell what `fit` or `select` of these arguments would read and hold; no row is read.

    Parameters
    ----------
    data, weights, features, missing
        As in `fit`.
    n_components, covariance
        As in `fit` or in `select`.
    engine : Engine, optional
        Who would compute.
    """
    executor = engine or usual_engine(data)
    source = open_source(data, weights=weights, features=features, missing=missing, budget=executor.budget)
    d, rows = source.n_features, source.n_rows
    counts, families = counts_of(n_components), families_of(covariance, d)
    near = executor.near
    assert isinstance(near, LocalEngine)
    length = segment_rows(rows)
    depth = near.under_way(source, length)
    all_sums = sum(_statistics_bytes(family, k, d) for family in families for k in counts)
    all_sums *= _FINALISTS * (depth + _MERGING)
    parts = {
        "kept_bytes": source.kept_bytes,
        "under_way_bytes": depth * min(length, rows or length) * 8 * (d + 1) + _DECODING * d,
        "sums_bytes": all_sums if near.memory_limit is None else min(all_sums, near.memory_limit // 4),
        "sample_bytes": _sample_bytes(source, max(counts)) + min(_nested_bytes(rows, d), near.sample_budget),
    }
    return Forecast(
        data=source.description,
        n_rows=rows,
        n_features=d,
        feature_names=source.feature_names,
        candidates=len(counts) * len(families),
        read_bytes=source.n_bytes,
        statistics_bytes=max(_statistics_bytes(family, k, d) for family in families for k in counts),
        full_reads=_FULL_READS if rows is not None and nested_levels(rows, d) else None,
        **parts,
        memory_bytes=_PROCESS + sum(parts.values()),
    )


def _statistics_bytes(family: Family, n_components: int, n_features: int) -> int:
    return 8 * n_components * (1 + n_features + family.moment.width(n_features))


def _nested_bytes(n_rows: int | None, n_features: int) -> int:
    """Bytes of the nested samples; of an unknown number of rows, of the most that they may take."""
    if n_rows is None:
        return 4 * MOST_NESTED_BYTES // 3
    return sum((n_rows >> 2 * level) * 8 * (n_features + 1) for level in nested_levels(n_rows, n_features))


def _sample_bytes(source: Source, most_components: int) -> int:
    """Bytes of the sample, a standardized copy, its distances to K centres, and the costs of a hierarchy's joins."""
    rows = sample_rows(most_components, source.n_features)
    rows = rows if source.n_rows is None else min(rows, source.n_rows)
    return 8 * (rows * (3 * source.n_features + 2 * most_components) + 2 * min(rows, HIERARCHY_ROWS) ** 2)
