"""One run of a pipeline: its own thread, its record, and what is left of it in words."""

from __future__ import annotations

import contextvars
import math
import os
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from glacier import context
from glacier.execution.engine import Engine
from glacier.execution.events import Stream
from glacier.execution.selection import Selection, check_forced, is_named
from glacier.execution.stepping import Stopped
from glacier.execution.steps import State, StepRun
from glacier.recording import RecordedPipeline, replaced, sites
from glacier.recording.live import LiveRecorder, plain
from glacier.redaction import quiet, told
from glacier.safe import printable
from glacier.tables import counted, lasting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier.execution.events import Kind
    from glacier.execution.memory import Memory
    from glacier.execution.options import RunOptions
    from glacier.graph import Graph

__all__ = ["Run", "State", "StepRun", "execute"]

_SLICE = 0.01
"""Seconds for which the caller waits at a time: how late at most a task that turns out slow gets company."""
_GRACE = 0.5
"""Seconds that an interrupted run is given to end what it is at."""


@dataclass
class Run:
    """One run: when, how long in seconds, what became of each step, and the graph that was executed."""

    pipeline: str
    environment: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    state: State = "recorded"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float | None = None
    events: Stream = field(default_factory=lambda: Stream(""), repr=False)
    recorder: LiveRecorder | None = field(default=None, repr=False)
    memory: Memory | None = field(default=None, repr=False)
    partial: bool = field(default=False, repr=False)
    _graph: Graph | None = field(default=None, init=False, repr=False)

    @property
    def steps(self) -> Mapping[str, StepRun]:
        """Every step that the body made, by key, in the order of the body."""
        return {} if self.recorder is None else {step.key: step for step in self._recorded()}

    @property
    def tasks(self) -> list[StepRun]:
        """The task calls, in the order in which they began; those that did not begin come last."""
        tasks = [step for step in self._recorded() if step.task is not None]
        return sorted(tasks, key=lambda step: step.began or math.inf)

    @property
    def graph(self) -> Graph | None:
        """What the body has recorded so far, None before it began."""
        if self._graph is not None or self.recorder is None:
            return self._graph
        graph = self.recorder.graph()
        if self.seconds is not None:
            self._graph = graph
        return graph

    def states(self) -> Mapping[str, str]:
        """Return the state of every step by its key, as `Graph.picture` takes it."""
        return {key: step.state for key, step in self.steps.items()}

    def notes(self) -> Mapping[str, str]:
        """Return rows and time of every step by its key, as `Graph.picture` takes it."""
        return {key: _note(step) for key, step in self.steps.items()}

    def tell(self, kind: Kind, step: StepRun) -> None:
        """Tell the listeners what became of a step."""
        self.events.emit(
            kind,
            step.key,
            step.name,
            attempt=step.attempts,
            seconds=step.seconds,
            rows=step.rows,
            bytes=step.bytes,
            error=step.error,
            detail=step.detail,
        )

    def note(self, step: StepRun, kind: Any, details: Mapping[str, Any]) -> None:
        """Tell the listeners what an attempt says: see `attempt`."""
        error = details.get("error")
        if isinstance(error, BaseException):
            details = {**details, "error": told(error)}
        if self.memory is not None:
            self.memory.noted(step, kind, details)
        if self.events:
            known = {name: details[name] for name in ("attempt", "seconds", "error") if name in details}
            self.events.emit(kind, step.key, step.name, **known, detail=str(details.get("line", "")))

    def _recorded(self) -> list[StepRun]:
        return [] if self.recorder is None else cast("list[StepRun]", self.recorder.steps)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Draw the executed graph with states, rows and times, once the run is over."""
        picture = {} if self.graph is None else self.graph.mimebundle(self.states(), self.notes())
        return {**picture, "text/plain": str(self)}

    def __str__(self) -> str:
        width = max([len(step.name) for step in self.tasks], default=0)
        head = f"run {self.id} of {self.pipeline!r} in {self.environment!r}: {self.state}"
        lines = [f"  {step.name:<{width}}  {step.state:<9}  {_note(step)}" for step in self.tasks]
        return printable(
            "\n".join([head if self.seconds is None else f"{head} in {lasting(self.seconds)}", *lines]), "\n"
        )


def execute(run: Run, pipeline: RecordedPipeline, env: Any, body: Callable[[], Any], options: RunOptions) -> Any:
    """Run a pipeline body on a thread of its own and return its real value; the caller only waits.

    Steps run on one thread for each processor and four more, unless the options or the environment say otherwise.

    Raises:
        KeyboardInterrupt: the caller was interrupted, once; nothing new is started, and what runs is stopped where
            that is possible.
        Exception: the error of the task or of the body, its traceback cut to the user's own lines, with a note; an
            ExceptionGroup of several.
    """
    run.events = Stream(run.id, options.listeners)
    run.partial = options.partial
    engine = Engine(run, env, options, _workers(env, options))
    recorder = run.recorder = LiveRecorder(pipeline, env, engine.force, engine.done, StepRun)
    held: dict[StepRun, Any] = {}
    recorder.met = _met(run, options, held)
    outcome: list[tuple[bool, Any]] = []
    over = threading.Event()

    def work() -> None:
        try:
            outcome.append((True, _record_and_finish(engine, recorder, body, held)))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            engine.close()
            over.set()

    start = time.perf_counter()
    run.state = "running"
    if run.events:
        run.events.emit("run_started", "", run.pipeline, detail=run.environment)
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(work,), name=f"glacier-{run.id}", daemon=True
    )
    try:
        thread.start()
        while not over.wait(_SLICE):
            engine.nudge()
        succeeded, value = outcome[0]
        if isinstance(value, Stopped):
            _over(run, value.state, start)
            raise value
        if isinstance(value, KeyboardInterrupt) and not succeeded:
            # Polars raises one in the thread of the query as well: the caller's own is on its way.
            time.sleep(_GRACE)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        _interrupted(engine, over)
        _over(run, "cancelled", start)
        raise
    _over(run, "done" if succeeded else "failed", start, None if succeeded else value)
    if succeeded:
        return value
    raise _noted(value, run)


def _met(run: Run, options: RunOptions, held: dict[StepRun, Any]) -> Callable[[Any], bool] | None:
    """Return what is told of each task call as the body makes it, and says whether an earlier run has done it.

    `held` gets the handles of the tasks whose values are to be returned: the body may let go of them.
    """
    names = (*options.only, *options.until)
    resumed = run.memory.met if run.memory is not None and run.memory.resumes else None
    if not names:
        return resumed

    def met(step: StepRun) -> bool:
        if is_named(step, names):
            held[step] = step.handle
        return resumed is not None and resumed(step)

    return met


def _workers(env: Any, options: RunOptions) -> int:
    if context.gate.get() is not None:
        return 1
    return options.max_workers or env.max_workers or (os.cpu_count() or 1) + 4


def _interrupted(engine: Engine, over: threading.Event) -> None:
    """Stop a run; a second interrupt while that is under way changes nothing."""
    deadline = time.monotonic() + _GRACE
    while not over.is_set() and (left := deadline - time.monotonic()) > 0:
        with suppress(KeyboardInterrupt):
            engine.interrupt()
            over.wait(left)


def _over(run: Run, state: State, start: float, error: BaseException | None = None) -> None:
    """Note the end of a run, and what did not come to its turn."""
    run.seconds = time.perf_counter() - start
    run.state = state
    for step in run.recorder.steps if run.recorder else ():
        assert isinstance(step, StepRun)
        if step.state in _UNFINISHED:
            if state == "done" and step.state == "recorded" and not step.known and run.partial:
                step.state, step.detail = "skipped", "not asked for"
                if run.events:
                    run.tell("skipped", step)
                continue
            settled = run.memory is not None and run.memory.is_settled(step)
            if state == "paused" and not settled:
                step.state, step.failure = "recorded", None
                continue
            settled = settled and step.state == "recorded"
            step.state = "cached" if settled else "cancelled"
            if run.memory is not None and not settled and step.task is not None:
                run.memory.lost(step)
            if run.events:
                run.tell("cached" if settled else "cancelled", step)
    text = None if error is None else told(error)
    if run.memory is not None:
        run.memory.finished(text)
    if run.events:
        run.events.emit("run_finished", "", run.pipeline, seconds=run.seconds, error=text, detail=state)


_UNFINISHED = frozenset({"recorded", "ready", "running", "cancelled"})


def _record_and_finish(
    engine: Engine, recorder: LiveRecorder, body: Callable[[], Any], held: Mapping[StepRun, Any]
) -> Any:
    try:
        with context.using(context.recorder, recorder), context.using(context.lines, engine.say):
            result = _body_result(body, engine, recorder)
    except Exception as error:
        if engine.run.memory is not None:
            engine.run.memory.drawn(recorder)
        if engine.options.on_error == "continue":
            _finish_after(error, engine, recorder)
        raise
    if engine.run.memory is not None:
        engine.run.memory.drawn(recorder)
    with context.using(context.lines, engine.say):
        return _finished(engine, _tasks(recorder), result, held)


def _finished(engine: Engine, tasks: list[StepRun], result: Any, held: Mapping[StepRun, Any]) -> Any:
    """Run what is asked for of the tasks, and return what the run returns."""
    check_forced(engine.options, tasks, engine.env.tasks)
    if not engine.options.partial:
        engine.finish(tasks)
        return replaced(result, plain)
    selection = Selection(engine.options, tasks, held)
    engine.finish(selection.steps)
    return selection.result() if selection.returns_named else replaced(result, plain)


def _finish_after(error: Exception, engine: Engine, recorder: LiveRecorder) -> None:
    """Run what the body has left behind when it raised `error`.

    Raises:
        ExceptionGroup: something failed that is not the body's error.
    """
    try:
        engine.finish(_tasks(recorder))
    except Exception as other:
        others: Any = other.exceptions if isinstance(other, ExceptionGroup) else (other,)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        different: list[Exception] = [each for each in others if each is not error]
        if different:
            message = f"{len(different) + 1} parts of pipeline {engine.run.pipeline!r} failed"
            raise ExceptionGroup(message, [error, *different]) from None


def _tasks(recorder: LiveRecorder) -> list[StepRun]:
    return [step for step in cast("list[StepRun]", recorder.steps) if step.task is not None]


def _body_result(body: Callable[[], Any], engine: Engine, recorder: LiveRecorder) -> Any:
    try:
        return body()
    except TypeError as error:
        ours = any(step.failure is error for step in cast("list[StepRun]", recorder.steps))
        if not ours and any(step.known for step in cast("list[StepRun]", recorder.steps)):
            error.add_note(
                "if a task's result was handed to code that insists on its plain type, do this inside a task"
            )
        raise


def _noted(error: BaseException, run: Run) -> BaseException:
    quiet(error)
    notes = getattr(error, "__notes__", [])
    if not any(f"of pipeline {run.pipeline!r}" in note for note in notes):
        failed = next((step for step in run.steps.values() if step.failure is error), None)
        where = "in the body" if failed is None or failed.task is None else f"task {failed.name!r}"
        error.add_note(f"{where} of pipeline {run.pipeline!r} in environment {run.environment!r}")
    error.add_note(f"run {run.id}")
    return error.with_traceback(sites.from_user(error.__traceback__))


def _note(step: StepRun) -> str:
    rows = "" if step.rows is None else counted(step.rows, "row")
    seconds = "" if step.seconds is None else lasting(step.seconds)
    return " · ".join(part for part in (rows, seconds, step.error or "") if part)
