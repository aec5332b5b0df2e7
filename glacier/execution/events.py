"""What happens in a run, as a stream of small events to any number of listeners.

| kind           | about   | when                                             | what else it carries                |
|----------------|---------|--------------------------------------------------|-------------------------------------|
| `run_started`  | the run | before anything else                             | `detail`: the environment           |
| `run_finished` | the run | after everything else                            | `seconds`, `error`, `detail`: state |
| `started`      | a step  | an attempt of it begins                          | `attempt`, from 1                   |
| `retried`      | a step  | an attempt failed and another one follows        | `attempt`, `error`, `seconds`       |
| `timed_out`    | a step  | an attempt ran longer than its timeout           | `attempt`, `seconds`, `error`       |
| `planned`      | a step  | it returned a LazyFrame: nothing is computed yet | `seconds`                           |
| `succeeded`    | a step  | its value is there; also of a plan now computed  | `seconds`, `rows`, `bytes`          |
| `failed`       | a step  | its last attempt raised                          | `attempt`, `seconds`, `error`       |
| `cached`       | a step  | its value was known and it did not run           | `rows`, `bytes`, `detail`: the key  |
| `skipped`      | a step  | it was not asked for, or what it needs failed    | `detail`: why                       |
| `cancelled`    | a step  | the run ended before it began                    | `detail`: why                       |
| `log`          | a step  | it printed or logged a line                      | `detail`: the line                  |

A planned step that another one computes is `started` again, so that it shows as running, and ends a second time.

An event about a run has the key `""` and the pipeline's name; one about a step has the step's key in the graph and its
name. `time` is in seconds since the epoch, `seconds` a duration. Listeners are called on the thread on which the event
happens, one event at a time for each step but not for the whole run, and hold that thread up: a slow one puts the event
on a queue. One that raises is dropped with a warning and never called again.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from glacier.errors import GlacierWarning
from glacier.redaction import told

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Event", "Kind", "Listener", "Stream"]

Kind = Literal[
    "run_started",
    "run_finished",
    "started",
    "retried",
    "timed_out",
    "planned",
    "succeeded",
    "failed",
    "cached",
    "skipped",
    "cancelled",
    "log",
]


class Event(NamedTuple):
    """One thing that happened in a run; the table above says what each kind carries."""

    kind: Kind
    run: str
    key: str
    name: str
    time: float
    attempt: int = 0
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    error: str | None = None
    detail: str = ""


Listener = Callable[[Event], None]
"""What is called with every event."""


class Stream:
    """Hands the events of one run to its listeners; a stream without listeners is falsy."""

    def __init__(self, run: str, listeners: Iterable[Listener] = ()) -> None:
        self.run = run
        self._listeners = list(listeners)
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def emit(
        self,
        kind: Kind,
        key: str,
        name: str,
        *,
        attempt: int = 0,
        seconds: float | None = None,
        rows: int | None = None,
        bytes: int | None = None,
        error: str | None = None,
        detail: str = "",
    ) -> None:
        """Tell every listener of one event, which happens now."""
        event = Event(kind, self.run, key, name, time.time(), attempt, seconds, rows, bytes, error, detail)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error_of_listener:
                self._drop(listener, error_of_listener)

    def _drop(self, listener: Listener, error: Exception) -> None:
        with self._lock:
            if listener not in self._listeners:
                return
            self._listeners.remove(listener)
        warnings.warn(
            f"a listener of run {self.run} raised {told(error)}; it hears no more of the run",
            GlacierWarning,
            stacklevel=4,
        )
