"""One task, tried as often as its settings say, each time within its timeout."""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier import context, registry
from glacier.errors import GlacierError, TaskTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Job", "Touched", "attempt"]


@dataclass(frozen=True)
class Job:
    """A task about to run: its name, effective settings and environment, and where it belongs."""

    name: str
    settings: Mapping[str, Any]
    env: Any
    where: str = ""

    @property
    def executor(self) -> str:
        """The name of the executor."""
        return self.settings["executor"]

    def __str__(self) -> str:
        return f"task {self.name!r}{self.where} in environment {self.env.name!r}"


class Touched:
    """Collects the resources that a running task reads and writes."""

    def __init__(self) -> None:
        self.accesses: dict[tuple[str, str], None] = {}

    def touched(self, resource: Any, access: str) -> None:
        """Note one access."""
        self.accesses[str(resource), access] = None


def attempt(work: Callable[[], Any], job: Job, count: Callable[[], None] = lambda: None) -> Any:
    """Run `work` under the job's executor, timeout and retries; `count` is called before each attempt.

    After a failure the task is tried again up to `retries` times, `retry_delay` seconds apart. Glacier's own errors
    are not tried again: the same call would meet the same error. The last error is raised as itself, with a note that
    names task, pipeline, environment and attempt.

    Raises:
        TaskTimeoutError: the last attempt took longer than `timeout` seconds.
        Exception: whatever the task raised.
    """
    submit = registry.load("executors", job.executor)
    retries, tried = job.settings["retries"], 0

    def once() -> Any:
        nonlocal tried
        tried += 1
        count()
        return _within(job.settings["timeout"], lambda: submit(work, job), job)

    try:
        return once() if not retries else _retrying(job)(once)
    except Exception as error:
        error.add_note(f"{job}, attempt {tried} of {retries + 1}")
        raise


def _retrying(job: Job) -> Callable[..., Any]:
    import tenacity

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(job.settings["retries"] + 1),
        wait=tenacity.wait_fixed(job.settings["retry_delay"]),
        retry=tenacity.retry_if_exception(_worth_another),
        reraise=True,
    )


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, TaskTimeoutError) or (isinstance(error, Exception) and not isinstance(error, GlacierError))


def _within(timeout: float | None, work: Callable[[], Any], job: Job) -> Any:
    if timeout is None:
        return _inside_task(work)
    outcome: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            outcome.append((True, _inside_task(work)))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name=job.name, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise TaskTimeoutError(
            f"{job} took longer than its timeout of {timeout:g} s; its thread may still run",
            hint="raise timeout=, or do less in the task",
        )
    succeeded, value = outcome[0]
    if not succeeded:
        raise value
    return value


def _inside_task(work: Callable[[], Any]) -> Any:
    with context.using(context.recorder, None):
        if context.usage.get() is not None:
            return work()
        with context.using(context.usage, Touched()):
            return work()
