"""The thread that asks for it runs the task; with a timeout, a thread of its own, which can be given up.

Nothing stops a thread from outside. One that is given up ends where it next runs a line of Python: an exception is
raised in it there. A Polars query, a sleep or other code that is not Python runs to its own end first.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glacier.errors import ExecutorError, TaskCancelledError, TaskTimeoutError

if TYPE_CHECKING:
    from glacier.execution.attempts import Call, Job

__all__ = ["submit"]


def submit(call: Call, job: Job) -> Any:
    """Run the call here, for `timeout` seconds at most.

    Raises:
        TaskTimeoutError: it took longer; its thread may still run.
        TaskCancelledError: the job was cancelled; its thread may still run.
        ExecutorError: the task has a memory limit, which a thread cannot have.
    """
    if job.settings["memory"] is not None:
        raise ExecutorError(
            f"{job} has a memory limit, which executor {job.executor!r} cannot keep",
            hint='use executor="process", or leave out memory=',
        )
    limit = job.limit()
    return call() if limit is None else _within(limit, call, job)


def _within(limit: float, call: Call, job: Job) -> Any:
    runner = _Runner(call)
    with job.cancel.stopping(runner.over.set):
        try:
            runner.start(job.name)
            runner.over.wait(limit)
        finally:
            finished = runner.give_up()
    if finished:
        return runner.result()
    if job.cancel.cancelled:
        raise TaskCancelledError(f"{job} was cancelled; its thread may still run")
    raise TaskTimeoutError(
        f"{job} took longer than its timeout of {limit:g} s; its thread may still run",
        hint='raise timeout=, do less in the task, or use executor="process", whose processes are killed',
    )


class _GivenUp(BaseException):
    """Nobody waits for this thread any more."""


class _Runner:
    """Runs a call in a thread, of which nobody needs to see the end."""

    def __init__(self, call: Call) -> None:
        self.over = threading.Event()
        self._call = call
        self._outcome: tuple[Any, BaseException | None] | None = None
        self._ended = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Start the thread, in a copy of this thread's context."""
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def give_up(self) -> bool:
        """Return whether the call has ended; else end its thread where it next runs Python."""
        with self._ended:
            if self._outcome is None and self._thread is not None and self._thread.ident is not None:
                ident = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_GivenUp))
            return self._outcome is not None

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        assert self._outcome is not None
        value, error = self._outcome
        if error is not None:
            raise error
        return value

    def _run(self) -> None:
        with suppress(_GivenUp):
            self._finish()

    def _finish(self) -> None:
        try:
            outcome = self._call(), None
        except BaseException as error:
            outcome = None, error
        with self._ended:
            self._outcome = outcome
        self.over.set()
