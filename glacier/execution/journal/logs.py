"""Lines that a running task prints or logs: they go where they always went, and to the run's events as well.

No handler is installed and no level is changed: records are seen as they are made, those of INFO and above, since what
libraries tell below that may hold tokens. `sys.stdout` is replaced for the length of a run by a stream that passes all
on; only what a thread prints that is inside a task is noted.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier import context

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["capturing"]

_LONGEST = 2000
"""Characters of a line that are kept."""

_lock = threading.Lock()
_runs = 0
_restore: list[Callable[[], None]] = []


@contextmanager
def capturing() -> Generator[None]:
    """Note what tasks print and log within the block; runs side by side share one capture."""
    global _runs  # noqa: PLW0603 - the streams it counts for are the process's
    with _lock:
        _runs += 1
        if _runs == 1:
            _restore[:] = [_capture_records(), _capture_prints()]
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if _runs == 0:
                for restore in _restore:
                    restore()


def _capture_records() -> Callable[[], None]:
    make = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        note = context.lines.get()
        if note is not None and record.levelno >= logging.INFO and not record.name.startswith("glacier."):
            _tell(note, f"{record.levelname} {record.name}: {_message(record)}")
        return record

    def restore() -> None:
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(make)

    logging.setLogRecordFactory(factory)
    return restore


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the handlers report a format that does not fit its arguments
        return str(record.msg)


def _capture_prints() -> Callable[[], None]:
    stream = sys.stdout
    tee = _Tee(stream)

    def restore() -> None:
        if sys.stdout is tee:
            sys.stdout = stream

    sys.stdout = tee
    return restore


class _Tee:
    """Passes everything on to a stream, and whole lines to the task that prints them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._parts = threading.local()

    def write(self, text: str) -> Any:
        written = self._stream.write(text)
        note = context.lines.get()
        if note is not None:
            *lines, rest = (getattr(self._parts, "rest", "") + text).split("\n")
            self._parts.rest = rest[-_LONGEST:]
            for line in lines:
                _tell(note, line)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


def _tell(note: Callable[[str], None], line: str) -> None:
    from glacier.resources.border import redacted

    if line.strip():
        note(redacted(line[:_LONGEST]))
