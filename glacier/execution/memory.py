"""What the engine asks and tells the journal, so that a run can be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from glacier.recording import Recorder, Step

__all__ = ["MISSING", "Memory"]

MISSING: Any = object()
"""What `Memory.recall` gives for a value that is not to be had."""


class Memory(Protocol):
    """Keeps the values of a run, and knows those of the run that it resumes."""

    def met(self, step: Step) -> str | None:
        """Take note of a task call as the body makes it; name the earlier run that did the step, if one did."""
        ...

    def operation(self, step: Step) -> None:
        """Take note of an operation of the body."""
        ...

    def is_settled(self, step: Step) -> bool:
        """Whether an earlier run did the step, so that it need not run unless another one wants its value."""
        ...

    def recall(self, step: Step) -> Any:
        """Return the value of a step that an earlier run did and kept; `MISSING` for any other."""
        ...

    def keep(self, step: Step, value: Any) -> None:
        """Keep the value of a step that has just succeeded, before its event is told."""
        ...

    def drawn(self, recorder: Recorder) -> None:
        """Take note of the graph, when the body has ended."""
        ...
