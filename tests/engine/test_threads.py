"""How many threads there are, and who gives BLAS its threads back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

import gaussmix as gm
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.executors.threads import available_threads, one_blas_thread
from gaussmix.errors import ParameterError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("GAUSSMIX_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def blas_threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_the_processors_of_this_process_by_default():
    assert available_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_setting_that_is_no_positive_integer_is_refused(monkeypatch, value):
    monkeypatch.setenv("GAUSSMIX_THREADS", value)
    with pytest.raises(ParameterError, match="positive integer"):
        gm.fit(np.random.default_rng(0).normal(size=(50, 2)), 2)


def test_the_own_setting_goes_before_all_others(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GAUSSMIX_THREADS", "7")
    assert available_threads() == 7
    assert gm.LocalEngine().threads == 7
    assert gm.LocalEngine(threads=3).threads == 3


def test_a_worker_process_takes_what_it_was_given(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_threads() == 1


def test_a_thread_of_somebody_elses_pool_stays_alone():
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: available_threads(), range(4))) == [1] * 4


def test_blas_is_given_back_by_the_last_that_leaves():
    with one_blas_thread():
        pass  # loads every BLAS, so that the counts can be compared
    before = blas_threads()
    inside, outside = threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            inside.set()
            assert outside.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with one_blas_thread():
        outside.set()
        thread.join()
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_blas_is_given_back_after_an_error():
    with one_blas_thread():
        pass  # loads every BLAS, so that the counts can be compared
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert blas_threads() == before
    with pytest.raises(ValueError):
        gm.fit(np.array([[np.nan, 1.0]]), 2)
    assert blas_threads() == before


def test_fits_in_several_threads_give_the_bits_of_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 3)) + 8.0 * rng.integers(3, size=3000)[:, None]

    def means(_):
        return gm.fit(x, 3, seed=1).mixture.means.tobytes()

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(means, range(6))) == {means(None)}


class Broken(Source):
    """A few chunks of a row each; then reading fails."""

    n_features = property(lambda self: 1)
    feature_names = property(lambda self: None)
    description = property(lambda self: "broken rows")

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows

    def chunks(self) -> Iterator[Chunk]:
        yield from (Chunk(np.full((1, 1), float(i)), None, i) for i in range(self._n_rows))
        raise RuntimeError("the next row cannot be read")


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize(("wrong", "n_rows"), [(3, 6), (0, 6), (0, 1)])
def test_what_is_wrong_with_the_first_rows_is_told_first(wrong: int, n_rows: int, threads: int) -> None:
    def work(chunk: Chunk) -> int:
        if chunk.start == wrong:
            time.sleep(0.05)
            raise ValueError(f"row {wrong} is wrong")
        return chunk.start

    found = gm.LocalEngine(threads).map(work, Broken(n_rows), 1)
    assert [next(found) for _ in range(wrong)] == list(range(wrong))
    with pytest.raises(ValueError, match=f"row {wrong}"):
        next(found)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("n_rows", [1, 2, 6])
def test_rows_before_one_that_cannot_be_read_are_computed(n_rows: int, threads: int) -> None:
    found = gm.LocalEngine(threads).map(lambda chunk: chunk.start, Broken(n_rows), 1)
    assert [next(found) for _ in range(n_rows)] == list(range(n_rows))
    with pytest.raises(RuntimeError, match="the next row"):
        next(found)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_after_an_error_nothing_more_is_begun(threads: int) -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item"):
        gm.LocalEngine(threads).each(work, range(100))
    assert len(begun) <= threads
