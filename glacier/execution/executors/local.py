"""The thread that asks for it runs the task; with a timeout, a thread of its own, which can be given up.

Nothing stops a thread from outside. One that is given up ends where it next runs a line of Python: an exception is
raised in it there. A Polars query, a sleep or other code that is not Python runs to its own end first.
"""

from __future__ import annotations

import contextvars
import ctypes
import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from glacier.errors import ExecutorError, TaskCancelledError, TaskTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.execution.attempts import Call, Job
    from glacier.execution.cancelling import Cancel

__all__ = ["refuse_memory", "submit"]


def submit(call: Call, job: Job) -> Any:
    """Run the call here, for `timeout` seconds at most.

    Raises:
        TaskTimeoutError: it took longer; its thread may still run.
        TaskCancelledError: the job was cancelled; its thread may still run.
        ExecutorError: the task has a memory limit, which a thread cannot have.
    """
    refuse_memory(job)
    limit = job.limit()
    return call() if limit is None else _within(limit, call, job)


def refuse_memory(job: Job) -> None:
    """Do nothing, unless the job has a memory limit, which only a process can have.

    Raises:
        ExecutorError: it has one.
    """
    if job.settings["memory"] is not None:
        raise ExecutorError(
            f"{job} has a memory limit, which executor {job.executor!r} cannot keep",
            hint='use executor="process", or leave out memory=',
        )


def _within(limit: float, call: Call, job: Job) -> Any:
    runner = _take()
    try:
        with job.cancel.stopping(runner.woken.set):
            runner.begin(call, job.name)
            runner.wait(time.monotonic() + limit, job.cancel)
    finally:
        ended = runner.release()
    if ended is not None:
        return ended.value()
    if job.cancel.cancelled:
        raise TaskCancelledError(f"{job} was cancelled; its thread may still run")
    raise TaskTimeoutError(
        f"{job} took longer than its timeout of {limit:g} s; its thread may still run",
        hint='raise timeout=, do less in the task, or use executor="process", whose processes are killed',
    )


# --- threads that can be given up -----------------------------------------------------------------------------------


class _GivenUp(BaseException):
    """Nobody waits for this thread any more."""


class _Outcome:
    """What a call returned, or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        try:
            self._value = call()
        except BaseException as error:
            self._error = error

    def value(self) -> Any:
        """Return the one or raise the other."""
        if self._error is not None:
            raise self._error
        return self._value


class _Runner:
    """A thread that runs one call after another. One that was given up in the midst of a call takes no other."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self._calls: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._outcome: _Outcome | None = None
        self._given_up = False
        self._ending = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def begin(self, call: Call, name: str) -> None:
        """Begin a call, in a copy of the caller's context."""
        self._thread.name = name
        self._calls.put(partial(contextvars.copy_context().run, call))

    def wait(self, until: float, cancel: Cancel) -> None:
        """Wait for the end of the call, for a time or for a cancellation."""
        while True:
            self.woken.clear()
            left = until - time.monotonic()
            if self._outcome is not None or cancel.cancelled or left <= 0:
                return
            self.woken.wait(left)

    def release(self) -> _Outcome | None:
        """Return how the call has ended, and be ready for the next; if it has not, give it up and return None."""
        with self._ending:
            ended, self._outcome = self._outcome, None
            if ended is None:
                self._given_up = True
                ident = ctypes.c_ulong(self._thread.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_GivenUp))
        if ended is not None:
            _idle.append(self)
        return ended

    def _work(self) -> None:
        with suppress(_GivenUp):
            while not self._given_up:
                self._end(_Outcome(self._calls.get()))

    def _end(self, outcome: _Outcome) -> None:
        with self._ending:
            self._outcome = outcome
        self.woken.set()


_idle: list[_Runner] = []
"""As many as have ever been at work at once; starting one takes ten times as long as waking one."""


def _take() -> _Runner:
    try:
        return _idle.pop()
    except IndexError:
        return _Runner()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_idle.clear)  # there are no threads in it
