"""What each box shows, kept up to date by the events of a run.

| event                  | state afterwards | besides                                     |
|------------------------|------------------|---------------------------------------------|
| run_started            | waiting          |                                             |
| started                | running          | the attempt                                 |
| log                    | as before        | a line of its log                           |
| retried                | retried          | the error                                   |
| timed_out              | as before        | the error; `retried` or `failed` follows    |
| planned                | planned          | seconds                                     |
| succeeded              | done             | seconds, rows                               |
| failed                 | failed           | seconds, the error                          |
| cached, skipped, cancelled | the same word | rows, why                                  |
| run_finished           | what never began: skipped where a condition rules, else cancelled |            |
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier.tables import lasting
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from glacier.execution.events import Event
    from glacier.execution.journal.records import RunRecord
    from glacier.execution.run import Run
    from glacier.graph import Graph
    from glacier_magics.widgets.sheet import Sheet

__all__ = ["Entry", "Ledger"]

Entry = list[Any]
"""What a box shows: state, note, rows and time as text, number of tries."""

_STATE = {
    "started": "running",
    "retried": "retried",
    "planned": "planned",
    "succeeded": "done",
    "failed": "failed",
    "cached": "cached",
    "skipped": "skipped",
    "cancelled": "cancelled",
}
_WORDS = {"recorded": "waiting", "interrupted": "cancelled"}
_BEGUN = frozenset(_STATE.values())
_ENDS = frozenset({"done", "planned", "failed", "cancelled", "paused"})
NOTE = 24
"""Characters of a note, which its box has room for."""
_ERROR = 4000
_LINES = 200
_LOG = 8000


@dataclass(slots=True)
class _Step:
    state: str = ""
    seconds: float | None = None
    rows: int | None = None
    tries: int = 0
    error: str = ""
    detail: str = ""
    lines: deque[str] = field(default_factory=lambda: deque[str](maxlen=_LINES))


class Ledger:
    """The states of a sheet's boxes. Events may come from any thread; `take` gives what has changed since."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.id = ""
        self.state = ""
        self.seconds: float | None = None
        self.error = ""
        self._lock = threading.Lock()
        self._steps = {key: _Step() for key in sheet.home}
        self._changed: set[str] = set()
        self._told: set[str] = set()

    # --- what happens -------------------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Take one event into account."""
        with self._lock:
            if not event.key:
                self._note_run(event)
            elif (step := self._steps.get(event.key)) is not None:
                self._note_step(step, event)
                self._changed.add(event.key)

    def _note_run(self, event: Event) -> None:
        if event.kind == "run_started":
            if self.id:
                self._forget()
            self.id, self.state = event.run, "running"
            self._each(lambda key: "waiting")
        elif event.kind == "run_finished":
            self.seconds, self.error = event.seconds, event.error or ""
            known = event.detail if event.detail in _ENDS else ""
            self._close(known or ("failed" if event.error else "done"))

    def _forget(self) -> None:
        """Forget what an earlier run came to."""
        self._steps = {key: _Step() for key in self._steps}
        self._changed |= self._steps.keys()
        self._told |= self._steps.keys()
        self.seconds, self.error = None, ""

    def _note_step(self, step: _Step, event: Event) -> None:
        if event.kind == "log":
            step.lines.append(event.detail)
            self._told.add(event.key)
            return
        step.state = _STATE.get(event.kind, step.state)
        step.tries = max(step.tries, event.attempt)
        step.rows = event.rows if event.rows is not None else step.rows
        step.seconds = None if event.kind == "started" else event.seconds
        step.detail = event.detail
        if event.error:
            step.error = event.error
            self._told.add(event.key)

    def mark(self, states: Mapping[str, str], reasons: Mapping[str, str] | None = None) -> None:
        """Take states of steps by key, such as "stale" before a run, and why they are in these states."""
        with self._lock:
            for key in states.keys() & self._steps.keys():
                self._steps[key].state = states[key]
                self._steps[key].detail = (reasons or {}).get(key, "")
                self._changed.add(key)

    def record(self, run: Run | RunRecord) -> None:
        """Take over what a run has on record, be it one of this process or one out of the journal."""
        with self._lock:
            self.id = run.id
            for found in run.tasks:
                if found.key in self._steps:
                    step = self._steps[found.key]
                    step.state = _WORDS.get(found.state, found.state)
                    step.seconds, step.rows, step.tries = found.seconds, found.rows, found.attempts
                    step.error = found.error or step.error
            self._changed |= self._steps.keys()
            self._told |= self._steps.keys()
            self.seconds = run.seconds
            self._close(_WORDS.get(run.state, run.state))

    def _close(self, state: str) -> None:
        self.state = state
        if state in ("running", "waiting", "paused"):
            return
        conditional = {node.key for node in self.sheet.graph if node.condition}
        self._each(lambda key: "skipped" if key in conditional else "cancelled")

    def _each(self, state: Callable[[str], str]) -> None:
        """Give a state to every task that has not begun; an operation of the body has one only once it has run."""
        for node in self.sheet.graph.tasks:
            if self._steps[node.key].state not in _BEGUN:
                self._steps[node.key].state = state(node.key)
                self._changed.add(node.key)

    # --- what is shown ------------------------------------------------------------------------------------------

    def take(self) -> tuple[dict[str, Entry], dict[str, dict[str, str]]]:
        """Return entries and details of the boxes that have changed since the last time."""
        with self._lock:
            changed, self._changed = self._changed, set()
            told, self._told = self._told, set()
            entries = {box: self._entry(box) for box in {self.sheet.home[key] for key in changed}}
            return entries, {box: self._details(box) for box in {self.sheet.home[key] for key in told}}

    def entries(self) -> dict[str, Entry]:
        """Return the entry of every box."""
        with self._lock:
            return {box: self._entry(box) for box in self.sheet.steps}

    def details(self) -> dict[str, dict[str, str]]:
        """Return error and log of every box that has one."""
        with self._lock:
            found = {box: self._details(box) for box in self.sheet.steps}
        return {box: each for box, each in found.items() if each["error"] or each["log"]}

    @property
    def run(self) -> dict[str, Any]:
        """State, seconds and error of the run."""
        return {"state": self.state, "seconds": self.seconds, "error": clean(self.error, 500, keep="\n")}

    def _entry(self, box: str) -> Entry:
        keys = self.sheet.steps[box]
        return _single(self._steps[keys[0]]) if len(keys) == 1 else _together([self._steps[key] for key in keys])

    def _details(self, box: str) -> dict[str, str]:
        steps = [self._steps[key] for key in self.sheet.steps[box]]
        error = "\n\n".join(step.error for step in steps if step.error)
        log = "\n".join(line for step in steps for line in step.lines)
        return {
            "error": clean(error[:_ERROR], _ERROR, keep="\n\t"),
            "log": clean(log[-_LOG:], _LOG, keep="\n\t"),
        }


def _single(step: _Step) -> Entry:
    rows = "" if step.rows is None else _rows(step.rows)
    time = "" if step.seconds is None else lasting(step.seconds)
    if step.state == "stale" and step.detail:
        return ["stale", clean(f"stale · {step.detail}", NOTE), rows, time, step.tries]
    how_far = clean(step.detail, 24) if step.state == "running" else ""
    word = "" if rows and step.state == "done" else step.state
    known = f"{rows} row{'' if step.rows == 1 else 's'}" if rows else ""
    note = how_far or " · ".join(part for part in (word, known, time) if part)
    short = " · ".join(part for part in (known, time) if part)
    return [step.state, note if len(note) <= NOTE else short, rows, time, step.tries]


def _together(steps: Iterable[_Step]) -> Entry:
    every = list(steps)
    states = [step.state for step in every]
    over = [state for state in states if state in ("done", "cached", "planned", "skipped", "failed", "cancelled")]
    moving = [state for state in ("failed", "running", "retried", "stale") if state in states]
    state = (
        moving[0]
        if moving
        else states[0]
        if len(set(states)) == 1
        else "done"
        if len(over) == len(every)
        else "running"
    )
    seconds = sum(step.seconds or 0 for step in every)
    note = f"{len(over):,} of {len(every):,} steps" if state else f"{len(every):,} steps"
    return [state, note, "", lasting(seconds) if over else "", max(step.tries for step in every)]


def _rows(rows: int) -> str:
    return f"{rows:,}" if rows < 10_000_000 else f"{rows / 1e6:,.1f} M" if rows < 10**9 else f"{rows / 1e9:,.2f} G"


def graph_of(run: Run | RunRecord) -> Graph:
    """Return the graph of a run, an empty one before the first step."""
    from glacier.graph import Graph

    return run.graph or Graph(run.pipeline, (), ())
