"""Lines that a running task prints or logs: they go where they always went, and to the run's events as well.

No handler is installed and no level is changed: records are seen as they are made, those of INFO and above, since what
libraries tell below that may hold tokens. `sys.stdout` and `sys.stderr` are replaced for the length of a run by streams
that pass all on; of what a thread prints on stdout that is inside a task each line is noted.

Secrets that are known are left out on the way, also of what goes where it always went: a notebook saves it. What only
looks like a secret is left out of what is noted: a task may print a link for somebody to follow.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.redaction import hushed, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["capturing"]

_LONGEST = 2000
"""Characters of a line that are kept."""

_FORMATTER = logging.Formatter()

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
            _restore[:] = [_capture_records(), _capture_prints("stdout", _Tee), _capture_prints("stderr", _Hushed)]
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
        # `makeLogRecord` makes one without a name first.
        if note is not None and record.name and not record.name.startswith("glacier."):
            message = _hush(record)
            if record.levelno >= logging.INFO:
                _tell(note, f"{record.levelname} {record.name}: {message}")
        return record

    def restore() -> None:
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(make)

    logging.setLogRecordFactory(factory)
    return restore


def _hush(record: logging.LogRecord) -> str:
    """Take known secrets out of a record, and return its message."""
    message = _message(record)
    clean = hushed(message)
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info:
        trace = _FORMATTER.formatException(record.exc_info)
        # A handler writes this in the place of its own.
        record.exc_text = hushed(trace) if hushed(trace) != trace else None
    return clean


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the handlers report a format that does not fit its arguments
        return str(record.msg)


def _capture_prints(name: str, kind: type[_Hushed]) -> Callable[[], None]:
    stream = getattr(sys, name)
    captured = kind(stream)

    def restore() -> None:
        if getattr(sys, name) is captured:
            setattr(sys, name, stream)

    setattr(sys, name, captured)
    return restore


class _Hushed:
    """Passes everything on to a stream, without the secrets that a task prints."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> Any:
        return self._stream.write(text if context.lines.get() is None else hushed(text))

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


class _Tee(_Hushed):
    """Passes whole lines to the task that prints them, too."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._parts = threading.local()

    def write(self, text: str) -> Any:
        written = super().write(text)
        note = context.lines.get()
        if note is not None:
            *lines, rest = (getattr(self._parts, "rest", "") + text).split("\n")
            self._parts.rest = rest[-_LONGEST:]
            for line in lines:
                _tell(note, line)
        return written


def _tell(note: Callable[[str], None], line: str) -> None:
    if line.strip():
        note(redacted(line, _LONGEST))
