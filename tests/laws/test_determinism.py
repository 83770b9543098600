"""One call gives one set of bits: 240 ways to hand over and compute the same rows, one SHA-256 of all parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gaussmix as gm
from gaussmix import LocalEngine
from gaussmix.covariance import family
from gaussmix.data import open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.expectation import Expectation

ROWS = 5000  # several segments of rows, not a multiple of anything
THREADS = (1, 2, 3, 5, 8)
STORAGES = ("array", "memmap", "csv", "parquet")
CHUNKS = (None, 1, 333, 1024, 4999, 7000)
STRUCTURES = ("VVV", "EEE")


class Cut(Source):
    """Rows of another source, handed out so many at once."""

    def __init__(self, x: np.ndarray, rows: int) -> None:
        self._x, self._rows = x, rows

    n_features = 5
    feature_names = None
    description = "cut"

    def chunks(self) -> Iterator[Chunk]:
        for start in range(0, len(self._x), self._rows):
            yield Chunk(self._x[start : start + self._rows], None, start)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(11)
    centres = rng.normal(scale=4.0, size=(3, 5))
    return centres[rng.integers(3, size=ROWS)] + rng.normal(size=(ROWS, 5)) + 1000.0


@pytest.fixture(scope="module")
def stored(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder: Path = tmp_path_factory.mktemp("stored")
    np.save(folder / "rows.npy", rows)
    names = [f"x{i}" for i in range(rows.shape[1])]
    text = "\n".join(",".join(repr(float(v)) for v in row) for row in rows)
    (folder / "rows.csv").write_text(",".join(names) + "\n" + text + "\n")
    table = pa.table({name: rows[:, i] for i, name in enumerate(names)})
    pq.write_table(table, folder / "rows.parquet", row_group_size=700)
    return {
        "array": rows,
        "memmap": np.load(folder / "rows.npy", mmap_mode="r"),
        "csv": folder / "rows.csv",
        "parquet": folder / "rows.parquet",
    }


def fingerprint(data: object, structure: str, threads: int) -> str:
    result = gm.fit(data, 3, structure, n_starts=2, seed=5, tol=1e-4, engine=gm.LocalEngine(threads))
    mixture = result.mixture
    digest = hashlib.sha256()
    for array in (mixture.weights, mixture.means, mixture.covariances, np.array(result.trace)):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr((result.log_likelihood, result.entropy)).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def expected(rows: np.ndarray) -> dict[str, str]:
    return {structure: fingerprint(rows, structure, 1) for structure in STRUCTURES}


def test_there_are_enough_ways() -> None:
    assert len(list(product(THREADS, STORAGES, CHUNKS, STRUCTURES))) >= 200


@pytest.mark.slow
@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_way_gives_the_same_bits(
    structure: str,
    threads: int,
    storage: str,
    chunk: int | None,
    stored: dict[str, object],
    expected: dict[str, str],
) -> None:
    data = stored[storage]
    if chunk is not None:
        if not isinstance(data, np.ndarray):
            from gaussmix.data.open import open_source

            data = np.concatenate([part.x for part in open_source(data).chunks()])
        data = Cut(data, chunk)
    assert fingerprint(data, structure, threads) == expected[structure]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("chunk", [None, 333])
def test_rows_that_lie_column_by_column_give_the_same_bits(
    structure: str, chunk: int | None, rows: np.ndarray, expected: dict[str, str]
) -> None:
    columns = np.asfortranarray(rows)
    data = columns if chunk is None else Cut(columns, chunk)
    assert fingerprint(data, structure, 2) == expected[structure]
    # Whatever a fold does with its rows, it finds them one after the other.
    found = LocalEngine(2).map(lambda chunk: chunk.x.flags.c_contiguous, open_source(columns), 1024)
    assert all(found)


@contextmanager
def watched_segments(kind: type[Any]) -> Iterator[list[Chunk]]:
    """Collect the segments that folds of a kind are given."""
    seen: list[Chunk] = []
    segment = kind.segment

    def watched(self: Any, chunk: Chunk) -> Any:
        seen.append(chunk)
        return segment(self, chunk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "segment", watched)
        yield seen


def test_a_pass_takes_columns_as_they_lie(rows: np.ndarray) -> None:
    """What is gathered by columns, as from files, is not gathered again by rows; the sums have the same bits."""
    mixture = gm.fit(rows, 3, "VVV", n_starts=1, tol=1e-4).mixture
    request = Expectation(mixture, family("VVV", 5).moment, 1e-9, True)
    found = {}
    for name, x in {"rows": rows, "columns": np.asfortranarray(rows)}.items():
        evaluator = Evaluator.open(open_source(x), LocalEngine(2))
        fold = evaluator.fold(request)
        assert fold.by_columns
        with watched_segments(type(fold)) as seen:
            (found[name],) = evaluator.answer([request])
        assert len(seen) > 2
        assert all(chunk.x.flags.c_contiguous == (name == "rows") for chunk in seen[:-1])
    assert np.array_equal(found["rows"].totals, found["columns"].totals)
    assert found["rows"].log_likelihood == found["columns"].log_likelihood
