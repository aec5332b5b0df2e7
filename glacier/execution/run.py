"""One run of a pipeline: its own thread, its record, and what is left of it in words."""

from __future__ import annotations

import contextvars
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from glacier import context
from glacier.execution.engine import Engine
from glacier.execution.events import Stream
from glacier.recording import RecordedPipeline, Step, replaced, sites
from glacier.recording.live import LiveRecorder, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier.execution.events import Kind
    from glacier.execution.options import RunOptions
    from glacier.graph import Graph

__all__ = ["Run", "State", "StepRun", "execute"]

State = Literal["recorded", "running", "done", "planned", "failed", "cancelled"]


@dataclass
class StepRun:
    """What became of one step: its state, duration in seconds, rows of a DataFrame, attempts and error."""

    key: str
    name: str
    kind: Literal["task", "inline"]
    state: State = "recorded"
    seconds: float | None = None
    rows: int | None = None
    attempts: int = 0
    error: str | None = None
    started: float = field(default=0.0, repr=False)


@dataclass
class Run:
    """One run: when, how long in seconds, what became of each step, and the graph that was executed."""

    pipeline: str
    environment: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    state: State = "recorded"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float | None = None
    steps: dict[str, StepRun] = field(default_factory=dict[str, StepRun])
    graph: Graph | None = field(default=None, repr=False)
    events: Stream = field(default=Stream(""), repr=False)

    @property
    def tasks(self) -> list[StepRun]:
        """The task calls, in the order in which they began."""
        return [step for step in self.steps.values() if step.kind == "task"]

    def states(self) -> Mapping[str, str]:
        """Return the state of every step by its key, as `Graph.picture` takes it."""
        return {key: step.state for key, step in self.steps.items()}

    def notes(self) -> Mapping[str, str]:
        """Return rows and time of every step by its key, as `Graph.picture` takes it."""
        return {key: _note(step) for key, step in self.steps.items()}

    def began(self, step: Step) -> None:
        """Note that a step starts to run."""
        found = self._of(step)
        found.state = "running"
        found.started = time.perf_counter()
        if step.task is None:
            self._tell("started", found)

    def tried(self, step: Step) -> None:
        """Note one more attempt of a step."""
        found = self._of(step)
        found.attempts += 1
        self._tell("started", found)

    def ended(self, step: Step, value: Any) -> None:
        """Note the value of a step: a LazyFrame is only planned, a DataFrame has rows."""
        found = self._of(step)
        found.seconds = time.perf_counter() - found.started
        found.state = "planned" if type(value).__name__ == "LazyFrame" else "done"
        found.rows = value.height if type(value).__name__ == "DataFrame" else None
        self._tell("planned" if found.state == "planned" else "succeeded", found)

    def failed(self, step: Step, error: BaseException) -> None:
        """Note that the last attempt of a step raised."""
        found = self._of(step)
        found.seconds = time.perf_counter() - found.started
        found.state = "failed"
        found.error = f"{type(error).__name__}: {error}"[:500]
        self._tell("failed", found)

    def cancelled(self, step: Step) -> None:
        """Note that a step will not start, unless it already has."""
        found = self._of(step)
        if found.state == "recorded":
            found.state = "cancelled"
            self._tell("cancelled", found)

    def _tell(self, kind: Kind, step: StepRun) -> None:
        if self.events:
            self.events.emit(
                kind,
                step.key,
                step.name,
                attempt=step.attempts,
                seconds=step.seconds,
                rows=step.rows,
                error=step.error,
            )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Draw the executed graph with states, rows and times, once the run is over."""
        picture = {} if self.graph is None else self.graph.mimebundle(self.states(), self.notes())
        return {**picture, "text/plain": str(self)}

    def _of(self, step: Step) -> StepRun:
        kind = "inline" if step.task is None else "task"
        return self.steps.setdefault(step.key, StepRun(step.key, step.name, kind))

    def __str__(self) -> str:
        width = max([len(step.name) for step in self.tasks], default=0)
        head = f"run {self.id} of {self.pipeline!r} in {self.environment!r}: {self.state}"
        lines = [f"  {step.name:<{width}}  {step.state:<9}  {_note(step)}" for step in self.tasks]
        return "\n".join([head if self.seconds is None else f"{head} in {self.seconds:.2f} s", *lines])


def execute(run: Run, pipeline: RecordedPipeline, env: Any, body: Callable[[], Any], options: RunOptions) -> Any:
    """Run a pipeline body on a thread of its own and return its real value; the caller only waits.

    Steps run on one thread for each processor and four more, unless the options or the environment say otherwise.

    Raises:
        KeyboardInterrupt: the caller was interrupted; nothing new is started.
        Exception: the error of the task or of the body, its traceback cut to the user's own lines, with a note.
    """
    engine = Engine(run, env, options.max_workers or env.max_workers or (os.cpu_count() or 1) + 4)
    outcome: list[tuple[bool, Any]] = []
    over = threading.Event()

    def work() -> None:
        try:
            outcome.append((True, _record_and_finish(engine, pipeline, env, body)))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            engine.close()
            over.set()

    start = time.perf_counter()
    run.state = "running"
    run.events = Stream(run.id, options.listeners)
    run.events.emit("run_started", "", run.pipeline, detail=run.environment)
    name = f"glacier-{run.id}"
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True).start()
    try:
        over.wait()
    except KeyboardInterrupt:
        engine.close()
        run.state = "cancelled"
        run.seconds = time.perf_counter() - start
        run.events.emit("run_finished", "", run.pipeline, seconds=run.seconds, detail=run.state)
        raise
    run.seconds = time.perf_counter() - start
    succeeded, value = outcome[0]
    run.state = "done" if succeeded else "failed"
    error = None if succeeded else f"{type(value).__name__}: {value}"[:500]
    run.events.emit("run_finished", "", run.pipeline, seconds=run.seconds, error=error, detail=run.state)
    if succeeded:
        return value
    raise _noted(value, run)


def _record_and_finish(engine: Engine, pipeline: RecordedPipeline, env: Any, body: Callable[[], Any]) -> Any:
    recorder = LiveRecorder(pipeline, env, engine.value, engine.done)
    try:
        with context.using(context.recorder, recorder):
            result = _body_result(body, engine)
        engine.finish([step for step in recorder.steps.values() if step.task is not None])
        return replaced(result, plain)
    finally:
        engine.run.graph = recorder.graph()


def _body_result(body: Callable[[], Any], engine: Engine) -> Any:
    try:
        return body()
    except TypeError as error:
        if engine.values and error not in engine.errors.values():
            error.add_note(
                "if a task's result was handed to code that insists on its plain type, do this inside a task"
            )
        raise


def _noted(error: BaseException, run: Run) -> BaseException:
    notes = getattr(error, "__notes__", [])
    if not any(f"of pipeline {run.pipeline!r}" in note for note in notes):
        error.add_note(f"in the body of pipeline {run.pipeline!r} in environment {run.environment!r}")
    error.add_note(f"run {run.id}")
    return error.with_traceback(sites.from_user(error.__traceback__))


def _note(step: StepRun) -> str:
    rows = "" if step.rows is None else f"{step.rows:,} rows"
    seconds = "" if step.seconds is None else f"{step.seconds:.2f} s"
    return " · ".join(part for part in (rows, seconds, step.error or "") if part)
