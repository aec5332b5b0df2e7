"""One task, tried as often as its settings say; each attempt is an executor's, which keeps to the timeout."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from glacier import context, registry
from glacier.errors import TaskTimeoutError
from glacier.execution.cancelling import Cancel
from glacier.execution.retrying import retrying
from glacier.redaction import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
__all__ = ["Call", "Job", "Note", "Touched", "attempt"]

Note: TypeAlias = "Callable[[str, dict[str, Any]], None]"
"""Is told what happens to a task: the kind of event and its details."""


# Call and Job are made for every task, and never changed: a frozen dataclass takes four times as long to make.


@dataclass(slots=True)
class Call:
    """A function and its arguments: data that can be sent. Calling it runs the function as a task's body.

    In there a pipeline records nothing, and another task is a plain function.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self) -> Any:
        """Return what the function returns."""
        recorder, usage = context.recorder.set(None), context.usage.set(context.usage.get() or Touched())
        try:
            return self.fn(*self.args, **self.kwargs)
        finally:
            context.usage.reset(usage)
            context.recorder.reset(recorder)


def _silent(kind: str, details: dict[str, Any]) -> None:
    """Take no note."""


_NEVER = Cancel()
"""Nobody cancels it."""


@dataclass(slots=True)
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
    cancel: Cancel = _NEVER
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

    def compute(self, plan: Any, alone: Callable[[], Any]) -> Any:
        """Compute a query of a task that shares it with nobody."""
        return alone()

    def check(self) -> None:
        """Do nothing: nobody can cancel."""


def attempt(call: Call, job: Job, note: Note | None = None) -> Any:
    """Run `call` with the job's executor, timeout and retries, and return its value.

    After a failure that another attempt may mend (see `glacier.execution.retrying`) the task is tried again up to
    `retries` times. The wait before is random between 0 and `retry_delay` seconds, twice that before the next, and so
    on up to a minute (exponential backoff with full jitter), and at least as long as a busy service asks for.

    `note` is told what happens as it happens:

    | kind        | details                                                            |
    |-------------|--------------------------------------------------------------------|
    | `started`   | `attempt`: 1, 2, ...                                               |
    | `timed_out` | `attempt`, `seconds`: the timeout, `error`                         |
    | `retried`   | `attempt`: the one that failed, `error`, `seconds`: until the next |
    | `log`       | `stream`: `stdout`, `stderr` or a logger's name, `level`, `line`   |

    The last error is raised as itself, without secrets in its text, and with a note that names task, pipeline,
    environment and attempt.

    Raises:
        TaskTimeoutError: the last attempt took longer than `timeout` seconds.
        TaskCancelledError: the job was cancelled.
        Exception: whatever the task raised.
    """
    job = job if note is None else replace(job, note=note)
    tries = _Tries(job, registry.load("executors", job.executor), call)
    try:
        return _again_and_again(tries) if job.settings["retries"] else tries()
    except Exception as error:
        quiet(error)
        error.add_note(f"{job}, attempt {tries.count} of {job.settings['retries'] + 1}")
        raise


def _again_and_again(tries: _Tries) -> Any:
    """Try until it succeeds or is not worth another attempt; most succeed at once, and need nothing to retry with."""
    failed: list[Exception] = []
    try:
        return tries()
    except Exception as error:
        failed.append(error)
    return retrying(tries.job)(lambda: _raised(failed.pop()) if failed else tries())


def _raised(error: Exception) -> NoReturn:
    raise error


class _Tries:
    """Counts the attempts of a job and takes note of them."""

    __slots__ = ("call", "count", "job", "submit")

    def __init__(self, job: Job, submit: Callable[[Call, Job], Any], call: Call) -> None:
        self.job = job
        self.submit = submit
        self.call = call
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        self.job.note("started", {"attempt": self.count})
        try:
            return self.submit(self.call, self.job)
        except TaskTimeoutError as error:
            seconds = self.job.settings["timeout"]
            self.job.note("timed_out", {"attempt": self.count, "seconds": seconds, "error": error})
            raise
