"""What the journal tells of a run: frozen data, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.safe import printable
from glacier.tables import counted, lasting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from glacier.graph import Graph

__all__ = ["Attempt", "LogLine", "RunRecord", "TaskRecord"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that failed: its number from 1, how it ended, when, after how many seconds, and its error."""

    number: int
    kind: str
    time: datetime
    seconds: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a task printed or logged."""

    task: str
    time: datetime
    text: str

    def __str__(self) -> str:
        return printable(f"{self.time:%H:%M:%S} {self.task}: {self.text}")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What became of one step.

    `state` is one of recorded, running, planned, done, cached, failed, skipped, cancelled, interrupted; `started` a
    time in UTC; `seconds` the last attempt's duration; `cache` the key of a cached value; `kept` says that its value
    can be had again.
    """

    key: str
    name: str
    state: str
    started: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    attempts: int = 0
    error: str | None = None
    cache: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class RunRecord:
    """One run out of the journal.

    `state` is one of running, done, failed, cancelled, paused (between two steps), interrupted (its process died in
    the midst of it), ended (between two steps, for good); `started` a time in UTC; `parameters` the pipeline's own,
    those that are secret or no JSON as `"..."` in `hidden`; `target` the file and pipeline as `glacier run` takes it,
    None for a notebook; `config` a hash of the environment's settings; `resumes` the run that this one went on with.
    """

    id: str
    pipeline: str
    environment: str
    state: str
    started: datetime
    seconds: float | None
    error: str | None
    parameters: Mapping[str, Any]
    hidden: Sequence[str]
    options: Mapping[str, Any]
    config: str
    versions: Mapping[str, str]
    target: str | None
    folder: str
    resumes: str | None
    home: Path = field(repr=False, compare=False)
    number: int = field(repr=False, compare=False)

    @cached_property
    def tasks(self) -> list[TaskRecord]:
        """The steps that began or were decided on, in the order in which they began."""
        from glacier.execution.journal import history

        return history.tasks_of(self)

    @cached_property
    def graph(self) -> Graph | None:
        """The graph that was executed; None where the run ended before its body did."""
        from glacier.execution.journal import history

        return history.graph_of(self)

    def logs(self, task: str | None = None) -> list[LogLine]:
        """Return the lines that the tasks, or those of one name or key, printed and logged."""
        from glacier.execution.journal import history

        return history.logs_of(self, task)

    def attempts(self, task: str) -> list[Attempt]:
        """Return the failed attempts of the task of that name or key."""
        from glacier.execution.journal import history

        return history.attempts_of(self, task)

    def story(self, task: str | None = None) -> list[LogLine]:
        """Return what `logs` does and the errors of failed attempts, in the order of time."""
        failed = {step.name: self.attempts(step.name) for step in self.tasks if task in {None, step.name, step.key}}
        told = [
            LogLine(name, each.time, f"{each.kind} in attempt {each.number}: {each.error or ''}")
            for name, attempts in failed.items()
            for each in attempts
        ]
        return sorted([*self.logs(task), *told], key=lambda line: line.time)

    def value(self, task: str) -> Any:
        """Return what the task of that name or key returned; None where that was not kept."""
        from glacier.execution.journal import history

        return history.value_of(self, task)

    @property
    def resumable(self) -> bool:
        """Whether it ended before all was done."""
        return self.state in {"failed", "cancelled", "paused", "interrupted"}

    def states(self) -> Mapping[str, str]:
        """Return the state of every step by its key, as `Graph.picture` takes it."""
        return {step.key: step.state for step in self.tasks}

    def notes(self) -> Mapping[str, str]:
        """Return rows and time of every step by its key, as `Graph.picture` takes it."""
        return {step.key: _note(step) for step in self.tasks}

    def plain(self) -> dict[str, Any]:
        """Return the run and its tasks in JSON's own types."""
        tasks = [{name: _plain(getattr(step, name)) for name in TaskRecord.__slots__} for step in self.tasks]
        names = ("id", "pipeline", "environment", "state", "started", "seconds", "error", "parameters", "options",
                 "config", "versions", "target", "folder", "resumes")  # fmt: skip
        return {**{name: _plain(getattr(self, name)) for name in names}, "tasks": tasks}

    def __str__(self) -> str:
        width = max([len(step.name) for step in self.tasks], default=0)
        head = f"run {self.id} of {self.pipeline!r} in {self.environment!r}: {self.state}"
        lines = [f"  {step.name:<{width}}  {step.state:<11}  {_note(step)}".rstrip() for step in self.tasks]
        return printable(
            "\n".join([head if self.seconds is None else f"{head} in {lasting(self.seconds)}", *lines]), "\n"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        picture = {} if self.graph is None else self.graph.mimebundle(self.states(), self.notes())
        return {**picture, "text/plain": str(self)}


def _note(step: TaskRecord) -> str:
    rows = "" if step.rows is None else counted(step.rows, "row")
    seconds = "" if step.seconds is None else lasting(step.seconds)
    return " · ".join(part for part in (rows, seconds, step.error or "") if part)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
