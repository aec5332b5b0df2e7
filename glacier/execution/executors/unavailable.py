"""Executors whose names are reserved and that this version cannot run yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ExecutorError

if TYPE_CHECKING:
    from glacier.execution.attempts import Call, Job

__all__ = ["submit"]


def submit(call: Call, job: Job) -> Any:
    """Refuse.

    Raises:
        ExecutorError: always.
    """
    raise ExecutorError(
        f"task {job.name!r} asks for executor {job.executor!r} in environment {job.env.name!r}, "
        "which this version does not have",
        hint='use executor="local"',
    )
