"""Whether and when a failed attempt is made again.

An error and what caused it are looked at from the outside in, and the first that says something decides:

| it is                                                                                     | it is      |
|-------------------------------------------------------------------------------------------|------------|
| expired or wrong credentials, access denied, no such bucket or key, a clock that is wrong | lasting    |
| a full disk, no memory, a file that is missing or in the way                              | lasting    |
| an error in the program: TypeError, ValueError, KeyError, an unknown column ...           | lasting    |
| HTTP status 408, 425, 429, 500, 502, 503, 504; SlowDown and its like                      | passing    |
| another HTTP status from 400 on                                                           | lasting    |
| a timeout; a connection that is refused, reset or broken off; a reply cut short           | passing    |
| anything else                                                                             | it depends |

Of the words of stores and their clients: Polars says ExpiredToken as an OSError, and a full disk as a ComputeError. The
error of a function of a cloud counts as what its runtime calls it: a ValueError there is one here.

| `retry_on`    | tried again                                                                        |
|---------------|------------------------------------------------------------------------------------|
| None          | what passes, and what depends; of Glacier's own errors only what passes            |
| `"transient"` | what passes                                                                        |
| exceptions    | those and their child classes, whatever else they are                              |

A cancelled task and one that ran out of memory are never tried again.
"""

from __future__ import annotations

import builtins
import errno
import re
import time
from typing import TYPE_CHECKING, Any

from glacier.errors import (
    FunctionError,
    GlacierError,
    InfrastructureError,
    TaskCancelledError,
    TaskTimeoutError,
    WorkerDiedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenacity import RetryCallState

    from glacier.execution.attempts import Job

__all__ = ["LONGEST_WAIT", "lasting", "passing", "retrying", "worth_another"]

LONGEST_WAIT = 60.0
"""Seconds: neither the backoff nor a service that is busy makes a retry wait longer, unless `retry_delay` is."""


def retrying(job: Job) -> Callable[..., Any]:
    """Return what calls a function until it succeeds, at most `retries` times more, and returns its value."""
    import tenacity

    base = job.settings["retry_delay"]
    backoff = tenacity.wait_random_exponential(multiplier=base, max=max(LONGEST_WAIT, base))
    return tenacity.Retrying(
        stop=lambda state: state.attempt_number > job.settings["retries"] or _too_late(job, state),
        wait=lambda state: max(backoff(state), _asked(_error(state))),
        retry=tenacity.retry_if_exception(lambda error: worth_another(error, job.settings["retry_on"])),
        sleep=job.cancel.wait,
        before_sleep=lambda state: job.note("retried", _told(state)),
        reraise=True,
    )


def worth_another(error: BaseException, retry_on: Any = None) -> bool:
    """Whether another attempt may mend what failed, by the table at the top of the module."""
    if not isinstance(error, Exception) or isinstance(error, MemoryError | TaskCancelledError):
        return False
    if retry_on is None:
        return passing(error) or not (lasting(error) or _is_ours(error))
    return any(passing(error) if name == "transient" else _is_a(error, name) for name in retry_on)


def passing(error: BaseException) -> bool:
    """Whether the error tends to pass by itself."""
    return _verdict(error) is True


def lasting(error: BaseException) -> bool:
    """Whether the error stays however often one tries."""
    return _verdict(error) is False


def _too_late(job: Job, state: RetryCallState) -> bool:
    """Whether the next attempt would begin after the deadline."""
    return job.deadline is not None and time.monotonic() + state.upcoming_sleep >= job.deadline


def _told(state: RetryCallState) -> dict[str, Any]:
    return {"attempt": state.attempt_number, "error": _error(state), "seconds": state.upcoming_sleep}


def _error(state: RetryCallState) -> BaseException:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return error


def _is_a(error: BaseException, name: str) -> bool:
    told = isinstance(error, FunctionError) and error.error_type == name
    return told or any(name in _names(kind) for kind in type(error).__mro__)


def _names(kind: type[Any]) -> set[str]:
    return {kind.__name__, kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}"}


def _is_ours(error: BaseException) -> bool:
    """Whether Glacier says so itself, and not a function that it called."""
    return isinstance(error, GlacierError) and not isinstance(error, FunctionError)


# --- what errors say ------------------------------------------------------------------------------------------------

_LASTING = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    NameError,
    ImportError,
    SyntaxError,
    AssertionError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    PermissionError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)
_LASTING_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG})
_LASTING_NAMES = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"),
        *("UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError", "DefaultCredentialsError"),
        *("ClientAuthenticationError", "CredentialUnavailableError", "ResourceNotFoundError", "ResourceExistsError"),
        *("UnauthenticatedError", "PermissionDeniedError", "AlreadyExistsError", "NotFoundError"),
        *("ColumnNotFoundError", "SchemaError", "SchemaFieldNotFoundError", "StructFieldNotFoundError", "ShapeError"),
        *("DuplicateError", "InvalidOperationError", "OutOfBoundsError", "SQLSyntaxError", "SQLInterfaceError"),
        "StringCacheMismatchError",
    }
)
_LASTING_WORDS = re.compile(
    r"ExpiredToken|RequestExpired|TokenRefreshRequired|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch"
    r"|AccessDenied|UnrecognizedClient|AuthFailure|AuthenticationFailed|AuthorizationFailure|InvalidAuthenticationInfo"
    r"|NoSuchKey|NoSuchBucket|BlobNotFound|ContainerNotFound|RequestTimeTooSkewed|AccountProblem"
    r"|No space left|os error 28\b|Disk quota|os error 122\b|\b(?:401 Unauthorized|403 Forbidden|404 Not Found)\b"
)
_PASSING = (ConnectionError, TimeoutError)
_PASSING_NAMES = frozenset(
    {
        *("ConnectionError", "Timeout", "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "ReadTimeoutError"),
        *("EndpointConnectionError", "ConnectionClosedError", "ProxyConnectionError", "IncompleteRead"),
        *("ResponseStreamingError", "IncompleteReadError", "ChunkedEncodingError", "ProtocolError", "PayloadError"),
        *("FlexibleChecksumError", "ServiceRequestError", "ServiceResponseError", "TransportError", "RetryError"),
        *("ServerTimeoutError", "ServerDisconnectedError", "ConnectError", "ReadError", "RemoteProtocolError"),
    }
)
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_WORDS = re.compile(
    r"SlowDown|Throttl|TooManyRequests|ServerBusy|RequestTimeout\b|RequestLimitExceeded|ProvisionedThroughputExceeded"
    r"|InternalError\b|ServiceUnavailable|OperationTimedOut|OperationAborted"
    r"|(?i:\b(?:status|http|code)\b\D{0,12}(?:408|425|429|50[0234])\b)"
    r"|\b(?:429 Too Many|500 Internal Server|502 Bad Gateway|503 Service Unavailable|503 Slow Down|504 Gateway Time)"
    r"|(?i:connection (?:refused|reset|closed|aborted)|connect error|error sending request|dns error|broken pipe)"
    r"|(?i:timed out|time-?out\b|response body|incomplete (?:read|message)|end of file before message)"
    r"|the store is too busy|the store cannot be reached"
)


def _verdict(error: BaseException) -> bool | None:
    """Return True for what passes, False for what lasts, None when neither the error nor its causes tell."""
    return next((said for link in _chain(error) if (said := _says(link)) is not None), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an error to what caused it, which may be a circle."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _says(error: BaseException) -> bool | None:
    if isinstance(error, TaskTimeoutError | WorkerDiedError):
        return True
    if _is_ours(error) and not isinstance(error, InfrastructureError):
        return False
    text = _text(error)
    if _LASTING_WORDS.search(text) or _lasts_by_kind(error):
        return False
    if _PASSING_WORDS.search(text) or _passes_by_kind(error):
        return True
    status = _status(error)
    return None if status is None or not 400 <= status < 600 else status in _PASSING_STATUS


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _lasts_by_kind(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _LASTING_ERRNO:
        return True
    return issubclass(_kind(error), _LASTING) or _named(error, _LASTING_NAMES)


def _passes_by_kind(error: BaseException) -> bool:
    return issubclass(_kind(error), _PASSING) or _named(error, _PASSING_NAMES)


def _kind(error: BaseException) -> type[BaseException]:
    """Return the class of an error; of a function's error the builtin one that its runtime names, if it is one."""
    told = getattr(builtins, error.error_type, None) if isinstance(error, FunctionError) else None
    return told if isinstance(told, type) and issubclass(told, BaseException) else type(error)


def _named(error: BaseException, names: frozenset[str]) -> bool:
    """Whether the error is of one of the classes: by name, for their packages may not even be installed."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error of a cloud's package or an HTTP client carries."""
    told: Any = error
    response = getattr(told, "response", None)
    found: list[Any] = [getattr(told, "status_code", None), getattr(told, "code", None)]
    found += [getattr(response, "status_code", None), _metadata(response).get("HTTPStatusCode")]
    return next((int(each) for each in found if isinstance(each, int)), None)


def _metadata(response: Any) -> dict[str, Any]:
    """Return what botocore tells of a response."""
    return response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}  # pyright: ignore


def _asked(error: BaseException) -> float:
    """Return the seconds that a busy service asks to wait (its header Retry-After), at most a minute."""
    return max(min(_retry_after(link), LONGEST_WAIT) for link in _chain(error))


def _retry_after(error: BaseException) -> float:
    told: Any = error
    response: Any = getattr(told, "response", None)
    headers: Any = _metadata(response).get("HTTPHeaders") or getattr(response, "headers", None)
    try:
        wait = float(headers["retry-after"])
    except (LookupError, ValueError, TypeError):
        return 0.0
    return wait if wait > 0 else 0.0
