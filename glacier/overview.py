"""What is defined: tasks with their settings, pipelines with their last runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from glacier.execution.journal import RunRecord
    from glacier.execution.run import Run
    from glacier.tasks import Pipeline, Task

__all__ = ["PipelineRow", "TaskRow", "in_words", "pipeline_row", "task_row"]


@dataclass(frozen=True)
class TaskRow:
    """A task: its environment, "" where it has none, the settings that differ from the defaults, and its docstring's
    first line.
    """

    task: str
    environment: str
    settings: str
    about: str


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline, and its newest run: id, state, when it began (UTC) and for how many seconds it ran."""

    pipeline: str
    environment: str
    run: str
    state: str
    started: datetime | None
    seconds: float | None
    about: str


def task_row(task: Task) -> TaskRow:
    """Describe a task in a few words."""
    if task.env is None:
        own = ", ".join(f"{name}={value}" for name, value in task.own.set_fields().items())
        return TaskRow(task.name, "", own, _first_line(task.fn.__doc__))
    rows = [row for row in task.env.task_settings(task.own).rows if row.level != "default"]
    settings = ", ".join(f"{row.setting}={row.shown}" for row in rows)
    return TaskRow(task.name, task.env.name, settings, _first_line(task.fn.__doc__))


def pipeline_row(pipeline: Pipeline) -> PipelineRow:
    """Describe a pipeline and its newest run, of this process or of the journal."""
    last = pipeline.last_run
    run = ("", "", None, None) if last is None else _of_run(last)
    return PipelineRow(pipeline.name, pipeline.env.name, *run, _first_line(pipeline.fn.__doc__))


def in_words(run: Run | RunRecord | None) -> str:
    """Return a run in one line."""
    if run is None:
        return "none"
    return f"{run.pipeline} {run.id}: {run.state}" + (f" in {run.seconds:.2f} s" if run.seconds else "")


def _of_run(run: Run | RunRecord) -> tuple[str, str, datetime, float | None]:
    return run.id, run.state, run.started, run.seconds


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
