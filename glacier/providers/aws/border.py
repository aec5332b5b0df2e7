"""AWS: errors of its services and of its SDK become Glacier's own; those of stores do in `glacier.resources.border`."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier.errors import AccessError, ConfigError, GlacierError, InfrastructureError, ResourceNotFoundError
from glacier.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["crossing"]


@contextmanager
def crossing(doing: str, missing: str = "there is no such function") -> Generator[None]:
    """Raise what goes wrong in the block as an error of ours that says what was done, and the next step."""
    try:
        yield
    except Exception as error:
        if not _of_aws(error):
            raise
        raise _translated(error, doing, missing) from error


_WORDS: tuple[tuple[str, type[GlacierError], str, str], ...] = (
    (
        r"ExpiredToken|RequestExpired|UnauthorizedSSOToken|TokenRetrieval|CredentialRetrieval",
        AccessError,
        "the credentials have expired",
        "log in again, then run again",
    ),
    (
        r"KMSAccessDenied",
        AccessError,
        "its role may not use the key of its environment variables",
        "check the key's policy",
    ),
    (
        r"AccessDenied|UnrecognizedClient|Signature|SecurityToken|AuthenticationToken|TokenId|Credentials| 40[13]\b",
        AccessError,
        "the credentials do not suffice",
        "check the credentials and what they may do with this function",
    ),
    (
        r"TooManyRequests|Throttl|LimitExceeded| 429\b",
        InfrastructureError,
        "there are too many calls at once",
        "wait a little and try again, or reserve concurrency: LambdaConfig(reserved_concurrent_executions=...)",
    ),
    (
        r"RequestTooLarge|RequestEntityTooLarge| 413\b",
        ConfigError,
        "the payload is too large",
        "write the data to a bucket, and send where they are",
    ),
    (
        r"ResourceNotReady|ResourceConflict|SnapStartNotReady",
        InfrastructureError,
        "it is not ready yet",
        "wait until Lambda has built it, then try again",
    ),
    (
        r"EndpointConnection|ConnectTimeout|ProxyConnection|SSL",
        InfrastructureError,
        "AWS cannot be reached",
        "check the network and the provider's region and endpoint_url, then try again",
    ),
    (
        r"ReadTimeout|ConnectionClosed|ResponseStreaming|IncompleteRead|HTTPClient",
        InfrastructureError,
        "there was no whole answer, and it may have been done",
        "look before you do it again: of a function, fn.logs() has what it logged",
    ),
)
"""Codes of AWS' errors and names of botocore's, the error that they become, what that says, and the next step.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and CommonErrors.html beside it
"""


def _translated(error: Exception, doing: str, missing: str) -> GlacierError:
    code, said = _named(error)
    if "ResourceNotFound" in code:
        hint = "deploy it, or check its name and the provider's account and region"
        return ResourceNotFoundError(f"cannot {doing} on aws: {missing}", hint=hint)
    for words, kind, what, hint in _WORDS:
        if re.search(words, code):
            return kind(f"cannot {doing} on aws: {what}", hint=hint)
    hint = "try again; if it stays, check the provider's config and the network"
    return InfrastructureError(f"cannot {doing} on aws: {said or code}", hint=hint)


def _named(error: Exception) -> tuple[str, str]:
    """Return code and status of an error of AWS, or the names of the SDK's, and the first line of what it says."""
    told = _told(error, "Error")
    lines = redacted(str(told.get("Message") or error)).strip().splitlines()
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    code = f"{told.get('Code') or names} {_told(error, 'ResponseMetadata').get('HTTPStatusCode', '')}"
    return code, lines[0][:300] if lines else ""


def _told(error: Exception, part: str) -> dict[str, Any]:
    """Return a part of AWS' response to which an error belongs; errors of the SDK have none."""
    try:
        return getattr(error, "response", {})[part]
    except (KeyError, TypeError):
        return {}


def _of_aws(error: Exception) -> bool:
    """Whether AWS or its SDK says so: the errors of everything else stay what they are."""
    return any(kind.__module__.partition(".")[0] == "botocore" for kind in type(error).__mro__)
