"""What becomes of one step in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from glacier.execution.attempts import Job
from glacier.recording.live import LiveStep
from glacier.recording.steps import Spot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier.execution.cancelling import Cancel
    from glacier.execution.plans import Fused
    from glacier.recording import RecordedTask

__all__ = ["Facts", "State", "StepRun"]

State = Literal["recorded", "ready", "running", "planned", "done", "cached", "failed", "skipped", "cancelled", "paused"]
"""The states of a step, as `engine` explains them; a run as a whole has some of them too, and may be `paused`."""


class StepRun(LiveStep):
    """A step and what became of it.

    Attributes:
        key, name: as in the graph.
        kind: `"task"`, or `"inline"` for an operation of the body.
        state: see the table in `glacier.execution.engine`.
        seconds: how long it ran, None before it ended; of a plan that was computed, with the time of the whole group.
        rows, bytes: of a DataFrame, None where they are not known.
        attempts: how often it was tried.
        error: its error in one line, None without one.
        failure: the error itself.
        began: when it began (`time.perf_counter`), 0 before.
        digest: of a result that the cache keeps.
        known: whether it has a value, be it only planned.
    """

    state: State = "recorded"
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None
    attempts = 0
    error: str | None = None
    failure: BaseException | None = None
    began = 0.0
    detail = ""
    digest: str | None = None

    # What the scheduler keeps on it: how many of its inputs have no value yet (below 0: nobody wants it), who waits
    # for it, and how long the longest path behind it is.
    missing = -1
    children: StepRun | list[StepRun] | None = None
    rank = 0
    awaited = False

    # Whether the journal was told that it began.
    told = False

    # Of a step that returned a LazyFrame: the plan, until it is computed. Of one that builds on a plan: with whom it
    # shares it, and whether it has met them.
    plan: Any = None
    fused: Fused | None = None
    met = False
    known = False

    # Of a step whose result the cache keeps: where it is.
    stored: Any = None
    facts: Facts

    def precede(self, child: StepRun) -> None:
        """Let `child` wait for this step; most steps have one child, which takes no list."""
        known = self.children
        if known is None:
            self.children = child
        elif isinstance(known, list):
            known.append(child)
        else:
            self.children = [known, child]

    def take_children(self) -> Sequence[StepRun]:
        """Return who waits for this step, once for each input that it is; nobody does any longer."""
        known, self.children = self.children, None
        if known is None:
            return ()
        return known if isinstance(known, list) else (known,)

    @property
    def kind(self) -> Literal["task", "inline"]:
        """What it is: a task, or an operation of the body."""
        return "inline" if self.task is None else "task"

    def __repr__(self) -> str:
        return f"<StepRun {self.key!r}: {self.state}>"


class Facts:
    """What the scheduler needs to know of a task, made once for each task and run.

    `direct` says that nothing but the function need be called; `quick` that its last call was.
    """

    __slots__ = ("direct", "fn", "job", "quick", "settings")

    def __init__(self, task: RecordedTask, env: Any, pipeline: str, cancel: Cancel) -> None:
        settings = task.settings(env)
        self.fn = task.fn
        self.settings = settings
        self.job = Job(task.name, settings, env, f" of pipeline {pipeline!r}", cancel=cancel)
        plain_settings = settings["executor"] == "local" and settings["timeout"] is None and settings["memory"] is None
        self.direct = plain_settings and not settings["retries"] and not settings["cache"] and not env.debug
        self.quick = False


_USUAL = (
    "recorder task args kwargs needs labels handle missing children rank facts state began attempts seconds known rows "
    "_key awaited plan"
)


def _familiar() -> None:
    """Show CPython the usual attributes of a StepRun before there are many: one that it meets later costs each a dict.

    Instances of a class share the table of their attributes' names, which takes no new ones after some thirty of them
    were made (Objects/dictobject.c, "split tables").
    """
    step: Any = StepRun(Spot("", "", None), 1, 0, ())
    for name in _USUAL.split():
        setattr(step, name, None)


_familiar()
