"""Tasks that are over at once: each is a line of JSON, and many lines stand in one row of the journal.

A row for each of them takes SQLite longer than everything else that a run does for such a task. A line is an array:
key, name, fingerprint of the code, arguments, begin in µs since the epoch, duration in ns, and the value as JSON in a
string, null where values are not kept. It is a mere string, which the garbage collector does not look at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from glacier.redaction import redacted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from glacier.execution.steps import StepRun
    from glacier.recording.steps import Spot

    Taken: TypeAlias = "tuple[Callable[..., None], str, list[str]]"

__all__ = ["Lines", "rows", "said", "text_of"]

_WIDE = 2**63
_SHORT = 1000
"""Characters of a text that stands in a line."""
_MANY = 10_000
"""Lines in a row at most."""


class Lines:
    """The lines of one run that are not written yet: any thread adds to them, and the journal's own takes them.

    `note` is told that there are some. Nobody takes a lock: what is added after the journal has begun to take finds
    the flag down and tells of itself anew.
    """

    __slots__ = ("_lines", "_note", "_spots", "_told", "_write", "run")

    def __init__(self, run: str, note: Callable[[Any], None], write: Callable[..., None]) -> None:
        self.run = run
        self._note = note
        self._write = write
        self._lines: list[str] = []
        self._spots: dict[tuple[Spot, Any], tuple[str, str]] = {}
        self._told = False

    def add(self, step: StepRun, began: float, code: Callable[[StepRun], str], arguments: str, text: str) -> None:
        """Add the line of a step that began at that time (seconds since the epoch) and has succeeded."""
        which = step.spot, step.task
        known = self._spots.get(which)
        if known is None:
            known = self._spots[which] = _ends(step, code(step))
        place, name = known
        number = "" if step.number == 1 else f"#{step.number}"
        times = f"{int(began * 1e6)},{int((step.seconds or 0.0) * 1e9)}"
        self._lines.append(f'["{place}{number}",{name},"{arguments}",{times},{text}]')
        if not self._told:
            self._told = True
            self._note(self)

    def taken(self) -> Taken:
        """Return what is to be written now, as `Writer.note` takes it."""
        self._told = False
        count = len(self._lines)
        lines = self._lines[:count]
        del self._lines[:count]
        return self._write, self.run, lines


def _ends(step: StepRun, code: str) -> tuple[str, str]:
    return json.dumps(step.spot.place)[1:-1], f'{json.dumps(step.name)},"{code}"'


def text_of(value: Any) -> str | None:
    """Return the value of a line as it stands there, None where it needs a row of its own."""
    kind = cast("type[Any]", type(value))
    if kind is int:
        return f'"{value}"' if -_WIDE < value < _WIDE else None
    if kind is float:
        return f'"{json.dumps(value)}"'
    if kind is str:
        return json.dumps(json.dumps(value)) if len(value) <= _SHORT and redacted(value) == value else None
    return f'"{json.dumps(value)}"' if value is None or kind is bool else None


def said(lines: list[str]) -> Iterable[str]:
    """Yield the texts of the rows that hold these lines."""
    for first in range(0, len(lines), _MANY):
        yield f"[{','.join(lines[first : first + _MANY])}]"


def rows(connection: sqlite3.Connection, run: int) -> list[dict[str, Any]]:
    """Return the steps of a run that stand in lines, by the columns of the table `task`."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < 2:
        return []
    found = connection.execute("SELECT lines FROM tiny WHERE run = ?", (run,)).fetchall()
    return [_row(line) for (text,) in found for line in json.loads(text)]


def _row(line: list[Any]) -> dict[str, Any]:
    row = dict(zip(("key", "name", "code", "arguments", "started", "seconds", "value"), line, strict=True))
    row["started"] /= 1e6
    row["seconds"] /= 1e9
    form = None if row["value"] is None else "json"
    return row | {**dict.fromkeys(("rows", "bytes", "error", "cache")), "state": "done", "attempts": 1, "form": form}
