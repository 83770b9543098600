"""What is said on standard error: errors, warnings, progress; and the exit codes that go with them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from gaussmix import errors

if TYPE_CHECKING:
    from rich.progress import Progress

DONE, FAILURE, USAGE, BAD_DATA, NOT_CONVERGED, INTERRUPTED = 0, 1, 2, 3, 4, 130

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.ParameterError, USAGE),
    (errors.DataError, BAD_DATA),
    (errors.ModelFileError, BAD_DATA),
    (errors.CheckpointError, BAD_DATA),
    (errors.StatisticsError, BAD_DATA),
)


class Ended(Exception):  # noqa: N818 - the end of a command, which is not always an error
    """Ends a command with an exit code and a last word, which may be nothing."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    """Write a line to standard error."""
    print(message, file=sys.stderr, flush=True)


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get("GAUSSMIX_DEBUG", "") not in ("", "0")


def exit_code(error: Exception) -> int:
    """Return the exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILURE)


def sentence(error: Exception) -> str:
    """Return what to say of an error: gaussmix's own speak for themselves."""
    if isinstance(error, errors.GaussmixError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory; use fewer components, starts or features, or a simpler covariance structure"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"internal: {what}; please report it, with what GAUSSMIX_DEBUG=1 shows"


@contextmanager
def spoken_warnings() -> Generator[None]:
    """Show warnings as plain lines.

    Those that a fit's result carries are left to whoever shows the result.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", errors.GaussmixWarning)
        warnings.simplefilter("ignore", errors.ConvergenceWarning)
        warnings.simplefilter("ignore", errors.DegenerateFitWarning)
        if not debugging():
            warnings.showwarning = _show_warning
        yield


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    # Other packages' warnings are about code, which somebody at a terminal cannot change.
    if issubclass(category, errors.GaussmixWarning):
        say(f"warning: {message}")


@contextmanager
def progress() -> Generator[Callable[[Any], None] | None]:
    """Show on a terminal how far a fit is; yield what `gaussmix.fit` takes as `watch`."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn("line"), TextColumn("{task.description}"), BarColumn(30), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _watch(shown)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


@contextmanager
def ended_like_interrupts() -> Generator[None]:
    """Let SIGTERM, by which schedulers and shutdowns end a process, do what Ctrl-C does: save the best and go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(shown: Progress) -> Callable[[Any], None]:
    task = shown.add_task("reading", total=None)

    def watch(state: Any) -> None:
        ended = state.total - state.asking
        passes = f"pass {state.reads:,}"
        if state.total == 1:
            shown.update(task, description=passes)
        else:
            what = f"{passes}, {ended} of {state.total} candidates done"
            shown.update(task, description=what, total=state.total, completed=ended)

    return watch
