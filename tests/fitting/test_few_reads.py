"""Very many rows are read a handful of times, by all starts together, and lead to what dozens of reads lead to.

What "very many" is has been lowered here, so that a test takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gaussmix as gm
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import Evaluator, is_sampled

ROWS, D, K = 240_000, 3, 3
HANDFUL = 10  # reads: summary, sample, three or four leaps, one step of EM, an appraisal, and one or two to spare


@dataclass
class Reads:
    """How often a source was read from its first row to its last."""

    number: int = 0


class Counting(Source):
    """Rows in chunks, that counts complete readings."""

    n_features, feature_names, description = D, None, "counting"

    def __init__(self, x: np.ndarray, reads: Reads, rows: int = 7000) -> None:
        self._x, self._reads, self._rows = x, reads, rows

    def chunks(self) -> Iterator[Chunk]:
        for start in range(0, len(self._x), self._rows):
            yield Chunk(self._x[start : start + self._rows], None, start)
        self._reads.number += 1


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Clusters that overlap so far that EM takes dozens of passes."""
    rng = np.random.default_rng(5)
    centres = np.array([[0.0, 0.0, 0.0], [2.8, 0.0, 1.0], [0.0, 2.8, -1.0]])
    labels = rng.choice(K, p=[0.5, 0.3, 0.2], size=ROWS)
    return centres[labels] + rng.normal(size=(ROWS, D)) * np.array([1.0, 0.8, 1.2])[labels, None] + 5.0


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaussmix.engine.sampling._LEAST", 3000)
    monkeypatch.setattr("gaussmix.engine.sampling._ENOUGH", 10**9)


def counted(x: np.ndarray, covariance: str, **options: object) -> tuple[gm.FitResult, int]:
    reads = Reads()
    result = gm.fit(Counting(x, reads), K, covariance, **options)
    return result, reads.number


@pytest.mark.parametrize("covariance", ["VVV", "EEE", "VII"])
def test_a_handful_of_reads_leads_where_many_do(
    covariance: str, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, many = counted(rows, covariance)
    monkeypatch.setattr("gaussmix.engine.sampling._LEAST", 3000)
    monkeypatch.setattr("gaussmix.engine.sampling._ENOUGH", 10**9)
    found, few = counted(rows, covariance)
    assert few <= HANDFUL < many
    assert found.converged
    # Both stop with up to the tolerance left to gain, in the worst case of Aitken's estimate a few times that.
    assert found.score == pytest.approx(expected.score, abs=5e-8)
    assert found.log_likelihood == pytest.approx(found.mixture.log_prob(rows).sum(), rel=1e-10)


@pytest.mark.usefixtures("lowered")
def test_every_read_advances_all_that_are_still_under_way(rows: np.ndarray) -> None:
    """Three numbers of components take hardly more reads together than the slowest of them alone."""
    alone = []
    for k in (1, 2, 3):
        reads = Reads()
        gm.fit(Counting(rows, reads), k, "VVI")
        alone.append(reads.number)
    reads = Reads()
    gm.select(Counting(rows, reads), (1, 2, 3), ["VVI"], prune=False)
    assert reads.number <= max(alone) + 4 < sum(alone)


@pytest.mark.usefixtures("lowered")
def test_storage_threads_and_memory_change_no_bit(rows: np.ndarray, tmp_path: Path) -> None:
    table = pa.table({f"x{i}": rows[:, i] for i in range(D)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=9_001)
    np.save(tmp_path / "rows.npy", rows)
    expected = fingerprint(rows, gm.LocalEngine(1))
    assert fingerprint(tmp_path / "rows.parquet", gm.LocalEngine(2)) == expected
    assert fingerprint(tmp_path / "rows.npy", gm.LocalEngine(3, memory_limit="16MB")) == expected
    assert fingerprint(Counting(rows, Reads(), 1234), gm.LocalEngine(2)) == expected


@pytest.mark.usefixtures("lowered")
def test_a_sample_without_room_in_memory_is_kept_in_a_file(
    rows: np.ndarray, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    expected = fingerprint(rows, gm.LocalEngine(1))
    monkeypatch.setattr(gm.LocalEngine, "budget", 1000)
    assert fingerprint(rows, gm.LocalEngine(1)) == expected
    assert not [each for each in recwarn if "temporary" in str(each.message)]


@pytest.mark.slow
@pytest.mark.usefixtures("lowered")
def test_what_was_broken_off_goes_on_to_the_same_bits(rows: np.ndarray, tmp_path: Path) -> None:
    expected = fingerprint(rows, gm.LocalEngine(1))
    for stop in (1, 2, 4):
        path = tmp_path / f"{stop}.journal"

        def interrupt(progress: gm.Progress, stop: int = stop) -> None:
            if progress.reads == stop:
                raise RuntimeError("broken off")

        with pytest.raises(RuntimeError, match="broken off"):
            fingerprint(rows, gm.LocalEngine(1), watch=interrupt, checkpoint=path)
        assert fingerprint(rows, gm.LocalEngine(1), checkpoint=path) == expected


@pytest.mark.usefixtures("lowered")
def test_weights_and_rows_left_out_are_sampled_like_the_rest(rows: np.ndarray) -> None:
    weights = np.where(np.arange(ROWS) % 5 == 0, 0.0, 1.5)
    found = gm.fit(rows, K, "VVI", weights=weights)
    kept = weights > 0.0
    reference = gm.fit(rows[kept], K, "VVI", start=found.mixture)
    assert found.score == pytest.approx(reference.score, abs=5e-8)
    assert found.n_rows == kept.sum()


@pytest.mark.usefixtures("lowered")
def test_a_fit_that_may_make_few_passes_makes_no_more(rows: np.ndarray) -> None:
    for most in (1, 2, 3):
        with pytest.warns(gm.errors.ConvergenceWarning):
            found = gm.fit(rows, K, "VVV", max_passes=most)
        assert found.passes == most
        assert found.reason == "max_passes"


def fingerprint(data: object, engine: gm.LocalEngine, **options: object) -> bytes:
    result = gm.fit(data, K, "VVI", engine=engine, **options)
    mixture = result.mixture
    arrays = (mixture.weights, mixture.means, mixture.covariances, np.array(result.trace))
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def test_the_finalists_of_a_row_sample_share_every_read(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    answer = Evaluator.answer

    def watched(self: Evaluator, requests: Sequence[Any]) -> list[Any]:
        if self.summary.n_rows == len(few) and not all(is_sampled(request) for request in requests):
            asked.append(len(requests))
        return answer(self, requests)

    monkeypatch.setattr(Evaluator, "answer", watched)
    few, reads = rows[:40_000], Reads()  # too few for nested samples: the two best of the row sample climb on all rows
    result = gm.fit(Counting(few, reads), K)
    assert result.converged
    assert reads.number == len(asked) + 1  # and the summary
    # Both in every read of the first stretch; from then on one may be too far behind.
    assert asked[:8] == [2] * 8
    assert asked == sorted(asked, reverse=True)
    assert reads.number <= result.passes + 12
