"""One task of a pipeline at a time, from one process to the next: the journal keeps where it stands.

Each step is a run that goes on with the one before, takes over what was done, and is paused behind its task. Values are
kept for the next one (`glacier.execution.journal.values` says which can be); a task whose value could not be kept runs
once more where another one needs it, as when a run is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.errors import PipelineError
from glacier.execution.journal.book import target_of
from glacier.execution.journal.ending import end as end_run
from glacier.execution.journal.ending import forget_values
from glacier.execution.stepping import Stepper
from glacier.jsonable import jsonable

if TYPE_CHECKING:
    from glacier.execution.journal import RunRecord
    from glacier.execution.run import Run
    from glacier.execution.stepping import Stepped
    from glacier.tasks import Pipeline

__all__ = ["Step", "end", "going_on", "next_step", "standing"]


@dataclass(frozen=True)
class Step:
    """One step: the run that took it, the run that it went on with, and the task that it ran, None where none was left.

    `again` names the tasks that had run before and ran once more; `result` is what the pipeline returns in the end.
    """

    run: Run
    earlier: RunRecord | None
    task: Stepped | None
    again: tuple[str, ...]
    result: Any

    @property
    def done(self) -> bool:
        """Whether the pipeline has ended."""
        return self.run.state == "done"

    def plain(self) -> dict[str, Any]:
        """Return the step in JSON's own types, without values."""
        facts = ("name", "state", "seconds", "rows")
        task = None if self.task is None else {name: getattr(self.task, name) for name in facts}
        earlier = None if self.earlier is None else self.earlier.id
        return jsonable({"run": self.run.id, "resumes": earlier, "task": task, "again": self.again, "done": self.done})


def next_step(pipeline: Pipeline, *, restart: bool = False, **params: Any) -> Step:
    """Run the next ready task of a pipeline, and keep in the journal where it stands.

    It goes on with the pipeline's newest run that was not brought to its end, be it one of steps or one that failed or
    was stopped; `restart` begins anew. `params` are the pipeline's own parameters, at the first step, and later those
    that the journal does not keep.

    Raises:
        PipelineError: the newest run is going on, or parameters are missing or others than before.
        Exception: the error of the task, or of the body behind it; the next step tries it again.
    """
    earlier = None if restart else standing(pipeline)
    options = {"checkpoint": True, "progress": False}
    stepper = going_on(pipeline, earlier, **options, **params) if earlier else pipeline.step(**options, **params)
    passed = stepper.next()
    stepper.pause()
    run: Any = pipeline.last_run
    if earlier is not None and run.state == "done":
        forget_values(earlier)
    return Step(run, earlier, passed, tuple(stepper.again), stepper.result)


def end(pipeline: Pipeline) -> RunRecord | None:
    """End the run that the next step would go on with, and return it; None where there is none."""
    found = standing(pipeline)
    if found is not None:
        end_run(found)
    return found


def standing(pipeline: Pipeline) -> RunRecord | None:
    """Return the run that the next step would go on with, None where it would begin anew.

    Raises:
        PipelineError: the newest run is going on.
    """
    newest = next(iter(pipeline.env.runs.of(pipeline.name)[:1]), None)
    if newest is None or newest.target != target_of(pipeline):
        return None
    if newest.state == "running":
        hint = "wait until it is over, or begin another one: --restart"
        raise PipelineError(f"run {newest.id} of pipeline {pipeline.name!r} is running", hint=hint)
    return newest if newest.resumable else None


def going_on(pipeline: Pipeline, run: RunRecord | str, **given: Any) -> Stepper:
    """Return an earlier run as one that goes on task by task; `given` as for `Pipeline.resume`."""
    return Stepper(lambda: pipeline.resume(run, **given), lambda: pipeline.last_run)
