"""The scheduler: steps that are ready run side by side, and the thread that wants a value takes part in the work.

A step goes through these states:

| state     | meaning                                        | leaves when                                   |
|-----------|------------------------------------------------|-----------------------------------------------|
| recorded  | the body made it, nobody needs it yet          | its value, or one that needs it, is wanted    |
| waiting   | wanted, some of its inputs have no value yet   | the last input has its value                  |
| ready     | all inputs have values                         | a thread takes it                             |
| running   | a thread is at it                              | it returns or raises                          |
| done      | its value is known (`planned`: a lazy plan)    |                                               |
| failed    | its last attempt raised                        |                                               |
| cancelled | something else failed before it could start    |                                               |
"""

# pyright: reportPrivateUsage=false
# A Deferred keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

import contextvars
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import PipelineError
from glacier.execution.attempts import Call, Job, attempt
from glacier.execution.memory import MISSING
from glacier.recording import Step, nested, replaced
from glacier.recording.live import is_handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.execution.run import Run

__all__ = ["Engine"]


class Engine:
    """Brings the steps of one run to their values on up to `max_workers` threads, the wanting one included."""

    def __init__(self, run: Run, env: Any, max_workers: int) -> None:
        self.run = run
        self.env = env
        self.memory = run.memory
        self.values: dict[str, Any] = {}
        self.errors: dict[str, Exception] = {}
        self._steps: dict[str, Step] = {}
        self._missing: dict[str, int] = {}
        self._children: dict[str, list[str]] = {}
        self._ready: deque[Step] = deque()
        self._changed = threading.Condition()
        self._running = 0
        self._idle = 0
        self._threads = 0
        self._max_threads = max_workers - 1
        self._failure: Exception | None = None
        self._closed = False
        self._inside = _Inside()

    def value(self, step: Step) -> Any:
        """Return the value of a step, after running it and everything it needs.

        Raises:
            Exception: the error of the step, or of one that it needs.
        """
        if step.key not in self.values:
            self._want([step])
            self._work(lambda: step.key in self.values)
        return self.values[step.key]

    def finish(self, steps: list[Step]) -> None:
        """Run every step that has no value yet; one whose error the body has seen is let be.

        Raises:
            Exception: the error of the first step that failed.
        """
        self._want([step for step in steps if step.key not in self.errors and not self._is_settled(step)])
        self._work(lambda: not self._missing and self._failure is None)

    def done(self, step: Step, value: Any) -> None:
        """Take the value of an operation that the body did itself."""
        self.run.began(step)
        self.values[step.key] = value
        if self.memory is not None:
            self.memory.operation(step)
        self.run.ended(step, value)

    def met(self, step: Step) -> None:
        """Take note of a task call in the body."""
        earlier = None if self.memory is None else self.memory.met(step)
        if earlier is not None:
            self.run.taken_over(step, earlier)

    def close(self) -> None:
        """Start nothing more and let the idle threads go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _want(self, steps: list[Step]) -> None:
        with self._changed:
            todo = list(reversed(steps))
            while todo:
                todo.extend(self._schedule(todo.pop()))
            self._changed.notify_all()

    def _schedule(self, step: Step) -> list[Step]:
        """Make one step waiting or ready; return the steps it needs that nobody wanted before."""
        key = step.key
        if key in self.values or key in self._missing:
            return []
        if key in self.errors:
            raise self.errors[key]
        if self._recalled(step):
            return []
        self._steps[key] = step
        needed = _sources(step)
        missing = [source for source in needed if source.key not in self.values and not self._recalled(source)]
        self._missing[key] = len(missing)
        for source in missing:
            self._children.setdefault(source.key, []).append(key)
        if not missing:
            self._ready.append(step)
        return [source for source in missing if source.key not in self._missing]

    def _is_settled(self, step: Step) -> bool:
        """Whether an earlier run did the step, so that it runs only for the sake of another one."""
        return self.memory is not None and self.memory.is_settled(step)

    def _recalled(self, step: Step) -> bool:
        """Whether an earlier run kept the value of the step; it is then at hand."""
        value = MISSING if self.memory is None else self.memory.recall(step)
        if value is MISSING:
            return False
        self.values[step.key] = value
        return True

    def _work(self, satisfied: Callable[[], bool]) -> None:
        """Take part in the work until `satisfied`, or until a failure."""
        while (step := self._next(satisfied)) is not None:
            self._do(step)
        if satisfied():
            return
        if self._failure is None:
            raise PipelineError(f"run {self.run.id} of pipeline {self.run.pipeline!r} was interrupted")
        failure, self._failure = self._failure, None
        raise failure

    def _next(self, satisfied: Callable[[], bool]) -> Step | None:
        """Wait for a step to do; None when there is nothing left to do or to wait for."""
        with self._changed:
            while not (satisfied() or self._closed or self._defeated()):
                if self._ready:
                    return self._take()
                self._wait()
            return None

    def _defeated(self) -> bool:
        """Whether something failed and this thread need not wait for others: what runs may finish first."""
        return self._failure is not None and (not self._running or self._inside.steps > 0)

    def _take(self) -> Step:
        step = self._ready.popleft()
        self._running += 1
        if self._ready and not self._idle and self._threads < self._max_threads:
            self._threads += 1
            work = contextvars.copy_context().run
            name = f"glacier-{self.run.id}-{self._threads}"
            threading.Thread(target=work, args=(self._help,), name=name, daemon=True).start()
        return step

    def _help(self) -> None:
        """Do what is ready until the run is over."""
        while not self._closed:
            with self._changed:
                while not (self._closed or self._ready):
                    self._wait()
                step = None if self._closed else self._take()
            if step is not None:
                self._do(step)

    def _wait(self) -> None:
        self._idle += 1
        self._changed.wait()
        self._idle -= 1

    def _do(self, step: Step) -> None:
        self.run.began(step)
        self._inside.steps += 1
        try:
            value, seen = self._call(step)
        except Exception as error:
            self._failed(step, error)
        else:
            self._succeeded(step, value, seen)
        finally:
            self._inside.steps -= 1

    def _call(self, step: Step) -> tuple[Any, Any]:
        """Return the value of a task, and what to tell of it: in debugging, the DataFrame of a LazyFrame."""
        assert step.task is not None
        assert step.bound is not None
        fn, bound = step.task.fn, step.bound
        for name in {need.name for need in step.inputs if need.access == "data"}:
            bound.arguments[name] = replaced(bound.arguments[name], self._plain)
        job = Job(step.name, step.task.settings(self.env), self.env, f" of pipeline {self.run.pipeline!r}")
        call = (
            Call(_computed, (fn, *bound.args), bound.kwargs) if self.env.debug else Call(fn, bound.args, bound.kwargs)
        )

        def note(kind: str, details: dict[str, Any]) -> None:
            if kind == "started":
                self.run.tried(step)
            elif kind == "log":
                self.run.said(step, str(details["line"]))

        def say(line: str) -> None:
            self.run.said(step, line)

        with context.using(context.lines, say):
            value = attempt(call, job, note)
        return value if self.env.debug else (value, value)

    def _plain(self, value: Any) -> Any:
        return self.values[value._self_step.key] if is_handle(value) else value

    def _succeeded(self, step: Step, value: Any, seen: Any) -> None:
        if self.memory is not None:
            self.memory.keep(step, value)
        self.run.ended(step, seen)
        with self._changed:
            self.values[step.key] = value
            self._leave(step)
            for child in self._children.pop(step.key, ()):
                self._missing[child] -= 1
                if not self._missing[child]:
                    self._ready.append(self._steps[child])
            self._changed.notify_all()

    def _failed(self, step: Step, error: Exception) -> None:
        self.run.failed(step, error)
        with self._changed:
            self.errors[step.key] = error
            self._leave(step)
            if self._failure is None:
                self._failure = error
            for key in self._missing:
                self.run.cancelled(self._steps[key])
            self._missing.clear()
            self._children.clear()
            self._ready.clear()
            self._changed.notify_all()

    def _leave(self, step: Step) -> None:
        self._running -= 1
        self._missing.pop(step.key, None)


def _computed(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Return what `fn` returns, and a LazyFrame's DataFrame beside it."""
    value = fn(*args, **kwargs)
    if type(value).__name__ != "LazyFrame":
        return value, value
    computed = value.collect()
    return computed.lazy(), computed


class _Inside(threading.local):
    """How many steps the current thread is in the midst of."""

    steps = 0


def _sources(step: Step) -> list[Step]:
    """Return the steps whose values stand in the arguments of `step`."""
    if step.bound is None:
        return []
    named = {need.name for need in step.inputs if need.access == "data"}
    found = [each for name in named for each in nested(step.bound.arguments[name])]
    return list({each._self_step.key: each._self_step for each in found if is_handle(each)}.values())
