"""One task, tried as often as its settings say; each attempt is an executor's, which keeps to the timeout."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from glacier import context, registry
from glacier.errors import TaskTimeoutError
from glacier.execution.cancelling import Cancel
from glacier.execution.retrying import retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
__all__ = ["Call", "Job", "Note", "Touched", "attempt"]

Note: TypeAlias = "Callable[[str, dict[str, Any]], None]"
"""Is told what happens to a task: the kind of event and its details."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments: data that can be sent. Calling it runs the function as a task's body.

    In there a pipeline records nothing, and another task is a plain function.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self) -> Any:
        """Return what the function returns."""
        with context.using(context.recorder, None), context.using(context.usage, context.usage.get() or Touched()):
            return self.fn(*self.args, **self.kwargs)


def _silent(kind: str, details: dict[str, Any]) -> None:
    """Take no note."""


@dataclass(frozen=True)
class Job:
    """A task about to run: its name, effective settings and environment, and where it belongs.

    Attributes:
        where: what it is a part of, such as `" of pipeline 'sales'"`.
        note: told what happens, as `attempt` says.
        cancel: ends waits and processes when the run is cancelled.
        deadline: the time (`time.monotonic`) at which no attempt and no wait may still be under way, None for no end.
    """

    name: str
    settings: Mapping[str, Any]
    env: Any
    where: str = ""
    note: Note = _silent
    cancel: Cancel = field(default_factory=Cancel)
    deadline: float | None = None

    @property
    def executor(self) -> str:
        """The name of the executor."""
        return self.settings["executor"]

    def limit(self) -> float | None:
        """Return the seconds that an attempt which begins now may take: the timeout, or less before the deadline."""
        timeout = self.settings["timeout"]
        if self.deadline is None:
            return timeout
        left = max(self.deadline - time.monotonic(), 0.0)
        return left if timeout is None else min(timeout, left)

    def __str__(self) -> str:
        return f"task {self.name!r}{self.where} in environment {self.env.name!r}"


class Touched:
    """Collects the resources that a running task reads and writes."""

    def __init__(self) -> None:
        self.accesses: dict[tuple[str, str], None] = {}

    def touched(self, resource: Any, access: str) -> None:
        """Note one access."""
        self.accesses[str(resource), access] = None


def attempt(call: Call, job: Job, note: Note | None = None) -> Any:
    """Run `call` with the job's executor, timeout and retries, and return its value.

    After a failure that another attempt may mend (see `glacier.execution.retrying`) the task is tried again up to
    `retries` times. The wait before is random between 0 and `retry_delay` seconds, twice that before the next, and so
    on up to a minute (exponential backoff with full jitter), and at least as long as a busy service asks for.

    `note` is told what happens as it happens:

    | kind        | details                                                               |
    |-------------|-----------------------------------------------------------------------|
    | `started`   | `attempt`: 1, 2, ...                                                  |
    | `timed_out` | `attempt`, `seconds`: the timeout                                     |
    | `retried`   | `attempt`: the one that failed, `error`, `seconds`: until the next    |
    | `log`       | `stream`: `stdout`, `stderr` or a logger's name, `level`, `line`      |

    The last error is raised as itself, with a note that names task, pipeline, environment and attempt.

    Raises:
        TaskTimeoutError: the last attempt took longer than `timeout` seconds.
        TaskCancelledError: the job was cancelled.
        Exception: whatever the task raised.
    """
    job = job if note is None else replace(job, note=note)
    submit = registry.load("executors", job.executor)
    tries = _Tries(job, lambda: submit(call, job))
    try:
        return retrying(job)(tries) if job.settings["retries"] else tries()
    except Exception as error:
        error.add_note(f"{job}, attempt {tries.count} of {job.settings['retries'] + 1}")
        raise


class _Tries:
    """Counts the attempts of a job and takes note of them."""

    def __init__(self, job: Job, once: Callable[[], Any]) -> None:
        self.job = job
        self.once = once
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        self.job.note("started", {"attempt": self.count})
        try:
            return self.once()
        except TimeoutError as error:
            if isinstance(error, TaskTimeoutError):
                self.job.note("timed_out", {"attempt": self.count, "seconds": self.job.settings["timeout"]})
            raise
