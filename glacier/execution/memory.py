"""What the engine asks and tells the journal, so that a run is recorded and can be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.execution.steps import StepRun
    from glacier.recording.live import LiveRecorder

__all__ = ["MISSING", "Memory"]

MISSING: Any = object()
"""What `Memory.recall` gives for a value that is not to be had."""


class Memory(Protocol):
    """Records what becomes of the steps of a run, keeps their values, and knows those of the run that it resumes.

    It is told on the thread on which something happens and must cost it next to nothing. `step` is always a task call,
    except for `operation`.
    """

    @property
    def resumes(self) -> bool:
        """Whether this run goes on with an earlier one; only then `met`, `operation` and `recall` are called."""
        ...

    def met(self, step: StepRun) -> bool:
        """Take note of a task call as the body makes it, and say whether an earlier run has done it."""
        ...

    def operation(self, step: StepRun) -> None:
        """Take note of an operation of the body."""
        ...

    def is_settled(self, step: StepRun) -> bool:
        """Whether the earlier run did the step, so that it need not run unless another one wants its value."""
        ...

    def recall(self, step: StepRun) -> Any:
        """Return the value of a step that the earlier run did and kept; `MISSING` for any other."""
        ...

    def began(self, step: StepRun) -> None:
        """Take note that a step runs now; its arguments still are what the body gave.

        A step that will be over at once is only told of by its end.
        """
        ...

    def ended(self, step: StepRun, value: Any) -> None:
        """Take note of a step's value, before anything else learns of it."""
        ...

    def changed(self, step: StepRun) -> None:
        """Take note of another state of a step that has returned a plan."""
        ...

    def cached(self, step: StepRun) -> None:
        """Take note that the cache keeps a step's value."""
        ...

    def lost(self, step: StepRun) -> None:
        """Take note that a step failed, was skipped or was cancelled."""
        ...

    def noted(self, step: StepRun, kind: str, details: Mapping[str, Any]) -> None:
        """Take note of what an attempt says: see `attempt`."""
        ...

    def drawn(self, recorder: LiveRecorder) -> None:
        """Take note of the graph, when the body has ended."""
        ...

    def finished(self, error: str | None) -> None:
        """Take note that the run is over."""
        ...
