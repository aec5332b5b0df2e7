"""Telling of a run while it goes on: lines of text, a live table on a terminal, records of the standard library.

The logger is `glacier.run`; its records carry `run`, `task` and `key`. Glacier installs no handler: without one nothing
is logged.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.execution.events import Event, Listener

__all__ = ["Lines", "LiveTable", "log", "reports", "sentence"]

_logger = logging.getLogger("glacier.run")
_LEVELS = {
    "run_started": logging.INFO,
    "run_finished": logging.INFO,
    "started": logging.DEBUG,
    "retried": logging.WARNING,
    "timed_out": logging.WARNING,
    "planned": logging.INFO,
    "succeeded": logging.INFO,
    "failed": logging.ERROR,
    "cached": logging.INFO,
    "skipped": logging.INFO,
    "cancelled": logging.INFO,
}
_PER_SECOND = 10


def reports(progress: bool | None) -> tuple[Listener, ...]:
    """Return the listeners that a run has besides those that the user gave it.

    `progress=True` shows the run on the standard error stream: a live table on a terminal, lines elsewhere.
    """
    shown: tuple[Listener, ...] = ()
    if progress:
        shown = (LiveTable(),) if sys.stderr.isatty() else (Lines(_to_stderr),)
    return (*shown, log) if _logger.hasHandlers() and _logger.isEnabledFor(logging.ERROR) else shown


def log(event: Event) -> None:
    """Hand an event to the logger `glacier.run`."""
    level = _LEVELS.get(event.kind)
    if level is not None and _logger.isEnabledFor(level):
        extra = {"run": event.run, "task": event.name if event.key else "", "key": event.key}
        _logger.log(level, "run %s: %s", event.run, sentence(event), extra=extra)


def sentence(event: Event) -> str:
    """Say in a line what happened."""
    what = event.kind.replace("_", " ") if event.key else f"{event.detail or 'running'}"
    parts = [event.name, what]
    if event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    if event.seconds is not None:
        parts.append(f"{event.seconds:.2f} s")
    if event.rows is not None:
        parts.append(f"{event.rows:,} rows")
    if event.error:
        parts.append(event.error.splitlines()[0])
    return f"{parts[0]}: {', '.join(parts[1:])}"


class Lines:
    """A listener that says what happens in lines, one for each step that ends or is tried again."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self._say = say

    def __call__(self, event: Event) -> None:
        """Say it, if it is worth a line."""
        if event.key and event.kind not in {"started", "log"}:
            self._say(sentence(event))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class LiveTable:
    """A listener that keeps a table of the tasks on a terminal, drawn anew at most ten times a second.

    Events only note what is to be shown. The newest tasks are shown where there are more than the terminal has lines.
    """

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._rows: dict[str, list[str]] = {}
        self._began: dict[str, float] = {}
        self._live: Any = None
        self._head = ""

    def __call__(self, event: Event) -> None:
        """Note what happened; begin and end the table with the run."""
        if event.kind == "run_started":
            self._start(event)
        elif event.kind == "run_finished":
            self._stop(event)
        elif event.kind != "log":
            self._note(event)

    def _start(self, event: Event) -> None:
        from rich.console import Console
        from rich.live import Live

        self._head = f"Run {event.run} of {event.name} in {event.detail}"
        self._console = self._console or Console(stderr=True)
        self._live = Live(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _stop(self, event: Event) -> None:
        seconds = 0.0 if event.seconds is None else event.seconds
        self._head = f"{self._head}: {event.detail} in {seconds:.2f} s"
        if self._live is not None:
            self._live.stop()

    def _note(self, event: Event) -> None:
        rows = "" if event.rows is None else f"{event.rows:,}"
        seconds = "" if event.seconds is None else f"{event.seconds:.2f}"
        state = {"succeeded": "done", "started": "running"}.get(event.kind, event.kind)
        with self._lock:
            if event.kind == "started":
                self._began[event.key] = event.time
            self._rows.pop(event.key, None)
            self._rows[event.key] = [event.name, state, rows, seconds, str(max(event.attempt, 1))]

    def _table(self) -> Any:
        import time

        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            rows = {key: list(row) for key, row in self._rows.items()}
        table = Table("task", "state", box=None, pad_edge=False)
        for heading in ("rows", "seconds", "attempts"):
            table.add_column(heading, justify="right")
        height = max(self._console.height - 4, 1)
        for key in list(rows)[-height:]:
            row = rows[key]
            if row[1] == "running":
                row[3] = f"{max(time.time() - self._began.get(key, 0), 0):.1f}"
            table.add_row(*(Text(cell) for cell in row))
        return Group(Text(self._head, "bold"), table)
