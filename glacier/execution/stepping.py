"""Running a pipeline task by task: `pipeline.step()`."""

from __future__ import annotations

import contextvars
import ctypes
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from glacier import context
from glacier.recording.live import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier.execution.run import Run
    from glacier.execution.steps import State, StepRun
    from glacier.recording.live import Deferred

__all__ = ["Gate", "Stepped", "Stepper", "Stopped"]

_SLICE = 0.1
"""Seconds for which the caller waits at a time, so that it can be interrupted."""
_GRACE = 2.0
"""Seconds that an interrupted run is given to end."""


@dataclass(frozen=True)
class Stepped:
    """What became of one task, with its value."""

    key: str
    name: str
    state: State
    seconds: float | None
    rows: int | None
    value: Any = field(repr=False)


class Stopped(KeyboardInterrupt):
    """The run ends before this step: it is `"paused"`, to be gone on with, or `"cancelled"`."""

    def __init__(self, state: Literal["paused", "cancelled"]) -> None:
        super().__init__(state)
        self.state: Literal["paused", "cancelled"] = state


class Gate:
    """Lets the steps of a run pass one at a time; `again` names those that had to run once more for their values."""

    def __init__(self) -> None:
        self.passed: Stepped | None = None
        self.over = False
        self.again: list[str] = []
        self._open = False
        self._holds = False
        self._closed: Literal["paused", "cancelled"] | None = None
        self._handle: Deferred | None = None
        self._changed = threading.Condition()

    def before(self, step: StepRun) -> None:
        """Hold a step until it may pass.

        Raises:
            Stopped: the gate was closed.
        """
        with self._changed:
            self._handle = step.handle
            self._holds = True
            step.state = "ready"
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open or self._closed)
            self._open = self._holds = False
            if self._closed:
                raise Stopped(self._closed)
            step.state = "running"

    def after(self, step: StepRun) -> None:
        """Note what became of the step that passed."""
        handle, self._handle = self._handle, None
        value = plain(handle) if step.known and handle is not None else None
        with self._changed:
            self.passed = Stepped(step.key, step.name, step.state, step.seconds, step.rows, value)
            self._changed.notify_all()

    def end(self) -> None:
        """Note that the run is over."""
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def let_one_pass(self) -> Stepped | None:
        """Let the next step pass and return what became of it, None when there was none left."""
        with self._changed:
            self.passed = None
            self._open = True
            self._changed.notify_all()
            while self.passed is None and not self.over:
                self._changed.wait(_SLICE)
            return self.passed

    def settle(self) -> None:
        """Wait until a step is held, or the run is over."""
        with self._changed:
            while not (self._holds or self.over):
                self._changed.wait(_SLICE)

    def close(self, state: Literal["paused", "cancelled"]) -> None:
        """Let nothing pass any more."""
        with self._changed:
            self._closed = state
            self._changed.notify_all()


class Stepper:
    """A run that goes on only when asked: `next()` runs the next ready task and returns it with its value.

    The body of the pipeline goes on with it, as far as it comes without another task. Iterating runs task after task.
    At the end `result` is what the pipeline returns.
    """

    def __init__(self, run: Callable[[], Any], last_run: Callable[[], Any]) -> None:
        self._run = run
        self._last_run = last_run
        self._gate = Gate()
        self._outcome: list[tuple[bool, Any]] = []
        self._thread: threading.Thread | None = None
        self.run: Run | None = None

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self._gate.over

    @property
    def failed(self) -> bool:
        """Whether the run is over because something was raised, be it an interrupt."""
        return bool(self._outcome) and not self._outcome[0][0]

    @property
    def result(self) -> Any:
        """What the pipeline returned, None before its end."""
        return self._outcome[0][1] if self._outcome and self._outcome[0][0] else None

    def next(self) -> Stepped | None:
        """Run the next ready task and return it; None when the run is over.

        Raises:
            Exception: the error of the task, or of the body behind it, once.
            KeyboardInterrupt: the caller was interrupted; the run has ended as `run` does then.
        """
        if self._gate.over:
            return None
        self._start()
        try:
            passed = self._gate.let_one_pass()
            failed = passed is None or passed.state == "failed"
            if failed:
                self._wait()
        except KeyboardInterrupt:
            self._interrupt()
            raise
        self.run = self._last_run()
        if failed and self.failed:
            raise self._outcome[0][1]
        return passed

    @property
    def again(self) -> list[str]:
        """The tasks of a resumed run that ran once more, since another one needed a value that was not kept."""
        return self._gate.again

    def close(self) -> None:
        """End the run here; what has not run is cancelled."""
        self._stop("cancelled")

    def pause(self) -> None:
        """End the run here, or where its body ends without another task; a paused one can be resumed.

        Raises:
            Exception: the error of the body behind the last task.
        """
        if self._thread is not None:
            self._gate.settle()
        self._stop("paused")
        if self.failed and not isinstance(self._outcome[0][1], Stopped):
            raise self._outcome[0][1]

    def _stop(self, state: Literal["paused", "cancelled"]) -> None:
        self._gate.close(state)
        if self._thread is not None:
            self._thread.join()
        self._gate.end()

    def _interrupt(self) -> None:
        """Interrupt the run as if it were this thread that waits for it."""
        self._gate.close("cancelled")
        if self._thread is not None and self._thread.ident is not None:
            ident = ctypes.c_ulong(self._thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(KeyboardInterrupt))
            self._thread.join(_GRACE)
        self.run = self._last_run()

    def _start(self) -> None:
        if self._thread is None:
            work = contextvars.copy_context().run
            self._thread = threading.Thread(target=work, args=(self._work,), name="glacier-stepper", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        try:
            with context.using(context.gate, self._gate):
                self._outcome.append((True, self._run()))
        except BaseException as error:
            self._outcome.append((False, error))
        finally:
            self._gate.end()

    def _wait(self) -> None:
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(_SLICE)

    def __iter__(self) -> Iterator[Stepped]:
        while (passed := self.next()) is not None:
            yield passed

    def __enter__(self) -> Stepper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
