"""The provider's own functions; on a local provider, this process stands for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ExecutorError
from glacier.execution.executors import local

if TYPE_CHECKING:
    from glacier.execution.attempts import Call, Job

__all__ = ["submit"]


def submit(call: Call, job: Job) -> Any:
    """Run the call here when the environment computes locally.

    Raises:
        ExecutorError: the environment computes on a cloud; this version deploys no task as a function.
    """
    provider = job.env.compute
    if provider.get_provider_type() == "local":
        return local.submit(call, job)
    raise ExecutorError(
        f"task {job.name!r} asks for executor {job.executor!r} in environment {job.env.name!r}: "
        f"this version does not run tasks as functions of {provider.get_provider_type()}",
        hint='use executor="local"; on AWS a task can call a Serverless resource: fn.invoke(payload=...)',
    )
