"""AWS: which functions there can be, and calling them."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, FormatError, FunctionError, ResourceNotFoundError
from glacier.names import HANDLER
from glacier.providers.aws.border import crossing
from glacier.providers.aws.config import FUNCTION
from glacier.providers.base import RemoteFunctions
from glacier.providers.calling import as_json, in_background
from glacier.providers.remote import package
from glacier.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from glacier.providers.aws.config import AwsConfig
    from glacier.providers.aws.credentials import AwsCredentials

__all__ = ["LARGEST", "LambdaFunctions"]

LARGEST = 6 << 20
"""Bytes of a payload, and of a result: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
LONGEST = 900
"""Seconds that a function may take where its config does not say how long: the longest that Lambda lets one run."""
START = 30
"""Seconds that a call may take beyond what its function may: Lambda starts it, and the answer travels."""
LINES = 1000
"""Log lines that are returned."""
_STREAMS = 10
"""Log streams that are looked at, the latest ones: each instance of a function writes one of its own."""


class LambdaFunctions(RemoteFunctions):
    """Lambda: a handler is `module.function`.

    Region, credentials and endpoint are those of the provider; `AWS_ENDPOINT_URL_LAMBDA`, `AWS_ENDPOINT_URL_LOGS` and
    `AWS_ENDPOINT_URL` stand in for an endpoint that the config does not give.
    """

    kind = "aws"
    name_rule = FUNCTION
    handler_rule = HANDLER

    def __init__(self, config: AwsConfig, credentials: AwsCredentials) -> None:
        self._config = config
        self._credentials = credentials
        self._clients: dict[tuple[str, int], Any] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[AwsConfig, AwsCredentials]:
        return self._config, self._credentials

    def __setstate__(self, state: tuple[AwsConfig, AwsCredentials]) -> None:
        self.__init__(*state)

    def invoke(self, name: str, handler: str, payload: Any, config: Any) -> Any:
        """Call the function with a JSON value of at most 6 MB, wait for it, and return its JSON result.

        A call is sent once: whatever happens to it, nothing here sends it again, because the function may have run. A
        task that calls it calls it again in each of its own `retries`. The wait ends 30 seconds after the function's
        own timeout, where its config gives one, else after that of the longest function (15 minutes).

        Raises:
            ConfigError: the payload cannot be JSON, or is too large.
            ResourceNotFoundError: there is no such function.
            AccessError: the credentials do not suffice.
            FunctionError: the function failed by itself, ran out of time or memory, or its result is too large.
            FormatError: the result is no JSON.
            InfrastructureError: Lambda is too busy, cannot be reached, or its answer was lost.
        """
        sent = as_json(payload, f"the payload of function {name!r}")
        if len(sent) > LARGEST:
            raise ConfigError(
                f"the payload of function {name!r} has {len(sent):,} bytes: Lambda takes {LARGEST:,}",
                hint="write the data to a bucket, and send where they are",
            )
        with crossing(f"call function {name!r}"):
            client = self._client("lambda", _patience(config))
            answer = client.invoke(FunctionName=name, Payload=sent)
            body = answer["Payload"].read()
        if "FunctionError" in answer:
            raise _failed(name, body)
        return _result(name, body)

    def invoke_async(self, name: str, handler: str, payload: Any, config: Any) -> Future[Any]:
        """Call the function as `invoke` does, on a thread of its own, and return a Future of its result."""
        return in_background(name, lambda: self.invoke(name, handler, payload, config))

    def logs(self, name: str) -> list[str]:
        """Return the latest 1000 log lines, oldest first, each with its time: secrets that show as such are hidden.

        Those of the ten instances that wrote last are looked at.

        Raises:
            ResourceNotFoundError: there is no log: no such function, or one that never ran.
            AccessError, InfrastructureError: as for `invoke`.
        """
        missing = "it has no log: there is no such function, or it has never run"
        with crossing(f"read the logs of function {name!r}", missing):
            events = sorted(self._events(f"/aws/lambda/{name}"), key=lambda event: event["timestamp"])
        return [_line(event) for event in events[-LINES:]]

    def exists(self, name: str, handler: str) -> bool:
        """Whether there is such a function.

        It is asked for its reserved concurrency: of all that Lambda tells of a function this says the least, and what
        else there is to ask for shows the values of its environment variables.

        Raises:
            AccessError, InfrastructureError: as for `invoke`.
        """
        try:
            with crossing(f"look for function {name!r}"):
                self._client("lambda").get_function_concurrency(FunctionName=name)
        except ResourceNotFoundError:
            return False
        return True

    def _events(self, group: str) -> Iterator[dict[str, Any]]:
        client = self._client("logs")
        latest = {"orderBy": "LastEventTime", "descending": True, "limit": _STREAMS}
        for stream in client.describe_log_streams(logGroupName=group, **latest)["logStreams"]:
            yield from _last_page(client, logGroupName=group, logStreamName=stream["logStreamName"])

    def _client(self, service: str, patience: int = 0) -> Any:
        """Return a client; one with patience sends everything once, and waits so many seconds for an answer."""
        with self._lock:
            if (service, patience) not in self._clients:
                known = self._credentials.client(
                    service, endpoint_url=self._config.endpoint_url, config=_settings(patience)
                )
                self._clients[service, patience] = known
            return self._clients[service, patience]


def _patience(config: Any) -> int:
    return (getattr(config, "timeout", None) or LONGEST) + START


def _settings(patience: int) -> Any:
    """Return a client's settings: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html asks for keep-alive."""
    config = package("botocore.config", "aws").Config
    if not patience:
        return config(retries={"mode": "standard"})
    once = {"total_max_attempts": 1, "mode": "standard"}
    return config(retries=once, read_timeout=patience, tcp_keepalive=True, max_pool_connections=50)


def _last_page(client: Any, **stream: str) -> Iterator[dict[str, Any]]:
    """Yield the latest events of a log stream; pages may be empty before its end is reached.

    Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    token: dict[str, str] = {}
    while True:
        page = client.get_log_events(**stream, startFromHead=False, limit=LINES, **token)
        further = {"nextToken": page["nextBackwardToken"]}
        if page["events"] or further == token:
            yield from page["events"]
            return
        token = further


def _line(event: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    return f"{when.isoformat(timespec='milliseconds')} {redacted(event['message'].rstrip())}"


# Results -------------------------------------------------------------------------------------------------------------


def _result(name: str, body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError as error:
        message = f"the result of function {name!r} on aws is no JSON: {error}"
        raise FormatError(message, hint="let its handler return what JSON can hold") from error


def _failed(name: str, body: bytes) -> FunctionError:
    """Make the error for a function that failed: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html."""
    kind, said, stack = _told(body)
    error = FunctionError(
        f"function {name!r} on aws failed: {kind}{said and ': '}{said}",
        hint=_FAILURES.get(kind, "fn.logs() has what it logged"),
        error_type=kind,
        error_message=said,
        stack=stack,
    )
    if stack:
        error.add_note("in the function:\n" + "\n".join(stack))
    return error


_FAILURES = {
    "Function.ResponseSizeTooLarge": "let it write its result to a bucket, and return where it is",
    "Sandbox.Timedout": "give it more time: LambdaConfig(timeout=...)",
    "Runtime.OutOfMemory": "give it more memory: LambdaConfig(memory=...)",
    "Runtime.ImportModuleError": "put the module into its package, or into one of its layers",
}
"""The next step after failures that are Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html."""


def _told(body: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Return type, message and traceback of a function's error; other runtimes than Python's may tell less."""
    try:
        told: dict[str, Any] = {"errorType": "", "errorMessage": "", "stackTrace": (), **json.loads(body)}
    except (ValueError, TypeError):
        return "Error", redacted(body.decode(errors="replace").strip(), 1000), ()
    stack = tuple(redacted(each.rstrip()) for each in told["stackTrace"] or () if isinstance(each, str))
    return str(told["errorType"] or "Error"), redacted(str(told["errorMessage"] or "")), stack
