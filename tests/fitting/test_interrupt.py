"""Ctrl-C ends a fit or a search with what it has, and leaves the thread limits as they were."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.engine.evaluator import Evaluator

PROGRAM = """
import signal, sys, threading, warnings
import numpy as np
import threadpoolctl
import gaussmix as gm
warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=({rows}, 4))
gm.fit(x[:200], 2)
def limits():
    return [(pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]
before, seen = limits(), []
def watch(progress):
    seen.append(progress)
    if len(seen) == 3:
        signal.raise_signal(signal.SIGINT)
result = {call}
best = result.best if isinstance(result, gm.Selection) else result
assert limits() == before, (before, limits())
assert np.isfinite(best.mixture.means).all()
assert len(seen) <= 4, len(seen)
print(best.reason)
"""


@pytest.mark.parametrize("rows", [1500, 60000])
@pytest.mark.parametrize(
    "call",
    [
        "gm.fit(x, 9, tol=1e-14, max_passes=10**6, start='random', watch=watch)",
        "gm.select(x, [8, 9], ['VVV', 'EEE'], tol=1e-14, prune=False, watch=watch)",
    ],
    ids=["fit", "select"],
)
def test_an_interrupt_ends_with_the_best_so_far(rows, call):
    program = PROGRAM.format(rows=rows, call=call)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "interrupted"


@pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")
@pytest.mark.parametrize("reads", range(2, 8))
def test_what_a_sample_has_said_is_told_of_all_rows(reads):
    """Else candidates that got as far as all rows would lose to those that did not."""
    rng = np.random.default_rng(0)
    x = rng.standard_t(4, size=(60_000, 3)) + 4.0 * rng.integers(3, size=(60_000, 1))
    seen = []

    def watch(progress):
        seen.append(progress)
        if len(seen) == reads:
            signal.raise_signal(signal.SIGINT)

    selection = gm.select(x, [2, 3, 5], ["VVV", "EEE"], watch=watch)
    assert selection.best.reason == "interrupted"
    for row in selection.table:
        result = selection[row.structure, row.n_components]
        assert result.effective_rows.sum() == pytest.approx(len(x), rel=1e-9)
        # A sample of thousands of rows tells the mean log density to about 0.02.
        assert result.score == pytest.approx(result.mixture.log_prob(x).mean(), abs=0.1)


def test_another_handler_is_left_alone():
    from gaussmix.fitting.interrupt import Interrupts

    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt), interrupts.allowed():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_waits_until_it_is_allowed():
    from gaussmix.fitting.interrupt import Interrupts

    reached = False
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        reached = True
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            pytest.fail("an interrupt that has waited must strike at once")
    assert reached


def test_before_there_is_a_mixture_an_interrupt_is_no_fault_of_the_data(monkeypatch):
    def interrupted(_evaluator, _requests):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Evaluator, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gm.fit(np.random.default_rng(0).normal(size=(100, 2)), 2)
