"""How a run that is cancelled reaches what waits and what runs for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glacier.errors import TaskCancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Cancel"]


class Cancel:
    """One for each run: `cancel()` ends the waits and calls what asked to be called; it cannot be taken back."""

    __slots__ = ("_changed", "_stops", "cancelled")

    def __init__(self) -> None:
        self.cancelled = False
        self._changed: threading.Condition | None = None
        self._stops: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Cancel everything, once; what is stopped may take longer to end than this call."""
        with _lock:
            self.cancelled = True
            stops, self._stops = self._stops, []
            if self._changed is not None:
                self._changed.notify_all()
        for stop in stops:
            stop()

    def check(self) -> None:
        """Do nothing, unless cancelled.

        Raises:
            TaskCancelledError: it was cancelled.
        """
        if self.cancelled:
            raise TaskCancelledError("the run was cancelled")

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a cancellation.

        Raises:
            TaskCancelledError: it was cancelled, before or in the meantime.
        """
        with _lock:
            if self._changed is None:
                self._changed = threading.Condition(_lock)
            self._changed.wait_for(lambda: self.cancelled, seconds)
        self.check()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Generator[None]:
        """Call `stop`, from any thread, if it is cancelled within the block.

        Raises:
            TaskCancelledError: it was cancelled before.
        """
        with _lock:
            self.check()
            self._stops.append(stop)
        try:
            yield
        finally:
            with _lock:
                if stop in self._stops:
                    self._stops.remove(stop)


_lock = threading.Lock()
"""One for all: it is held for moments only, and a run without waits needs none of its own."""
