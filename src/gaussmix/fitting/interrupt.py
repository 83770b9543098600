"""Interrupts that strike only where nothing is lost by them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, final


@final
class Interrupts:
    """While entered, Ctrl-C raises KeyboardInterrupt only inside `allowed`; elsewhere it waits until there.

    A method interrupted between two reads would lose what it knows. Outside the main thread, or where somebody else has
    taken over the signal, nothing is changed.
    """

    def __init__(self) -> None:
        self._pending = False
        self._allowed = False
        self._before: Any = None

    def __enter__(self) -> Self:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._strike)
        return self

    @property
    def pending(self) -> bool:
        """Whether an interrupt has waited in vain."""
        return self._pending

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def allowed(self) -> Generator[None]:
        """Let interrupts through, one that has waited at once."""
        self._allowed = True
        try:
            if self._pending:
                self._pending = False
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _strike(self, number: int, frame: FrameType | None) -> None:
        if self._allowed:
            raise KeyboardInterrupt
        self._pending = True
