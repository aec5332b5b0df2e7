"""A Dask cluster runs the task: `pip install "glacier-workbench[dask]"` here, and Glacier on its workers too.

The scheduler's address is that of the environment (`GlacierEnv(..., dask="tcp://host:8786")`), else that of the
variable `DASK_SCHEDULER_ADDRESS`. Values are sent as to a worker process, all of them over the connection, credentials
too: between machines use a `tls://` address. What is printed stays in the worker's own log. Dask cannot end a task that
runs: at its timeout it is cancelled, and only its result is lost.
"""

from __future__ import annotations

import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from glacier.errors import (
    ExecutorError,
    InfrastructureError,
    MissingExtraError,
    TaskCancelledError,
    TaskTimeoutError,
    WorkerDiedError,
)
from glacier.execution.executors.local import refuse_memory
from glacier.execution.executors.wire import Failure, call_parts, decode, encode, failure

if TYPE_CHECKING:
    from glacier.execution.attempts import Call, Job
    from glacier.execution.executors.wire import Frame

__all__ = ["submit"]

_CONNECTING = 10
"""Seconds in which a scheduler must have answered."""


def submit(call: Call, job: Job) -> Any:
    """Run the call on the cluster and return its value.

    Raises:
        ExecutorError: no cluster is named, or the task has a memory limit.
        MissingExtraError: Dask is not installed.
        InfrastructureError: the scheduler does not answer.
        TransferError: the function, an argument or the result cannot be sent.
        TaskTimeoutError: it took longer; it may still run.
        TaskCancelledError: the job was cancelled; it may still run.
        Exception: whatever the task raised, with a note of the lines.
    """
    refuse_memory(job)
    client = _client(_address(job), job)
    parts = [bytes(part) for part in call_parts(call, job, None)]
    future = client.submit(_run, parts, str(job), key=f"{job.name}-{os.urandom(8).hex()}", pure=False, retries=0)
    with job.cancel.stopping(future.cancel):
        answer = _result(future, job)
    if isinstance(answer, Failure):
        raise answer.rebuilt()
    return decode(answer)


def _result(future: Any, job: Job) -> Frame | Failure:
    dask, limit = _distributed(), job.limit()
    try:
        return future.result(timeout=limit)
    except TimeoutError as error:
        if limit is None:
            raise
        message = f"{job} took longer than its timeout of {limit:g} s; its Dask worker may still be at it"
        raise TaskTimeoutError(message, hint="raise timeout=, or do less in the task") from error
    except dask.KilledWorker as error:
        raise WorkerDiedError(f"the Dask workers that tried {job} died", hint="their logs say why") from error
    except dask.CancelledError as error:
        if job.cancel.cancelled:
            raise TaskCancelledError(f"{job} was cancelled; its Dask worker may still be at it") from None
        raise InfrastructureError(f"the Dask scheduler lost {job}: {error}", hint="is it still running?") from error
    finally:
        future.cancel()


def _run(parts: Frame, job: str) -> Frame | Failure:
    """Run a call on the worker: what fails is sent as a value, so that nothing is retried by Dask."""
    from glacier.execution.attempts import Call
    from glacier.execution.executors.worker import returned

    try:
        return [bytes(part) for part in returned(Call(*decode(parts))(), job, encode)]
    except Exception as error:
        return failure(error)


def _address(job: Job) -> str:
    address = job.env.dask or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        hint = 'GlacierEnv(..., dask="tcp://host:8786"), or set DASK_SCHEDULER_ADDRESS'
        raise ExecutorError(f"{job} asks for executor 'dask', and no cluster is named", hint=hint)
    return address


_clients: dict[str, Any] = {}
_connecting = threading.Lock()


def _client(address: str, job: Job) -> Any:
    """Return the connection to a scheduler, made once and again when it is lost."""
    with _connecting:
        client = _clients.get(address)
        if client is None or client.status != "running":
            _clients[address] = client = _connected(address, job)
    return client


def _connected(address: str, job: Job) -> Any:
    try:
        return _distributed().Client(address, timeout=_CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        message = f"the Dask scheduler {address!r} of {job} does not answer: {error}"
        raise InfrastructureError(message, hint="is it running, and is this its address?") from error


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ModuleNotFoundError as error:
        hint = 'pip install "glacier-workbench[dask]"'
        raise MissingExtraError("distributed is needed for dask and is not installed", hint=hint) from error
