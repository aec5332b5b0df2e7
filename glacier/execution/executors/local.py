"""The thread that asks for it runs the task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.execution.attempts import Job

__all__ = ["submit"]


def submit(work: Callable[[], Any], job: Job) -> Any:
    """Call `work` here and now."""
    return work()
