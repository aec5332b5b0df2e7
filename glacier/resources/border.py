"""The border: errors of Polars, obstore and the operating system become Glacier's own, here and nowhere else."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from glacier.errors import (
    AccessError,
    ConfigError,
    FormatError,
    GlacierError,
    InfrastructureError,
    ObjectExistsError,
    ObjectNotFoundError,
)
from glacier.redaction import redacted
from glacier.resources.formats import FORMATS, looks_like

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from glacier.resources.protocols import Storage

__all__ = ["Place", "crossing", "not_readable"]


class Place(Protocol):
    """What an error names."""

    @property
    def uri(self) -> str:
        """The address."""
        ...

    @property
    def format(self) -> str:
        """The format it should have."""
        ...

    @property
    def on(self) -> str:
        """The kind of provider."""
        ...

    @property
    def bucket_name(self) -> str:
        """The bucket."""
        ...

    @property
    def storage(self) -> Storage:
        """The storage that it is in."""
        ...


@contextmanager
def crossing(place: Place, doing: str, head: Callable[[], bytes] = bytes) -> Generator[None]:
    """Raise what goes wrong in the block as an error that names the object, its provider and the next step.

    `head` fetches the first bytes of the object; it is asked only when they do not read as the bucket's format.

    Raises:
        ObjectNotFoundError, ObjectExistsError, AccessError, FormatError, ConfigError, InfrastructureError: by cause.
    """
    try:
        yield
    except GlacierError:
        raise
    except Exception as error:
        translated = _translated(error, place, doing, head)
        if translated is None:
            raise
        raise translated from error


# Of a pattern Polars says the first, of what should lie below a file a disk says the second (ENOTDIR).
_NOTHING_THERE = r"expanded paths were empty|Not a directory \(os error 20\)"


def _translated(error: Exception, place: Place, doing: str, head: Callable[[], bytes]) -> GlacierError | None:
    from obstore.exceptions import BaseError
    from polars.exceptions import PolarsError

    if place.on != "local" and _of_store(error) and re.search("NoSuchUpload|InvalidBlockList", str(error)):
        return _unsure(place, doing)
    if isinstance(error, FileNotFoundError) or re.search(_NOTHING_THERE, str(error)):
        return _not_found(place, doing)
    known = _by_words(error, place, doing) or _by_kind(error, place, doing)
    # Of an empty ipc file Polars says no more than EINVAL.
    if known is None and (isinstance(error, PolarsError) or "Invalid argument (os error 22)" in str(error)):
        return not_readable(place, _line(error), head())
    if known is None and isinstance(error, OSError | BaseError):
        return _failed(error, place, doing)
    return known


def _by_kind(error: Exception, place: Place, doing: str) -> GlacierError | None:
    from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, UnauthenticatedError

    if isinstance(error, AlreadyExistsError):
        message = f"{place.uri} exists already on {place.on}"
        return ObjectExistsError(message, hint="leave out if_absent=True to replace it")
    if isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError):
        message = f"not allowed to {doing} {place.uri} on {place.on}: {_line(error)}"
        return AccessError(message, hint=_access_hint(place))
    return None


_WORDS: tuple[tuple[str, type[GlacierError], str, str], ...] = (
    (
        r"NoSuchBucket|ContainerNotFound|bucket does not exist",
        ObjectNotFoundError,
        "there is no such bucket",
        "make it, or check its name and the provider's account and region",
    ),
    (
        r"ExpiredToken|TokenRefreshRequired|RequestExpired",
        AccessError,
        "the credentials have expired",
        "log in again, then run again",
    ),
    (
        r"RequestTimeTooSkewed",
        AccessError,
        "this machine's clock differs too much from the store's",
        "set the clock",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        ConfigError,
        "the bucket is in another region",
        "set the provider's region to the bucket's",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|Authentication|Authorization|AccessDenied|\b40[13] ",
        AccessError,
        "the credentials do not suffice",
        "check the credentials and what they may do in this bucket",
    ),
    (
        r"SlowDown|TooManyRequests|ServerBusy|\b429 |\b503 ",
        InfrastructureError,
        "the store is too busy",
        "wait a little and try again",
    ),
    (
        r"(?i)connection|connect error|dns error|error sending request|timed out|response body|incomplete",
        InfrastructureError,
        "the store cannot be reached, or breaks off",
        "check the network and the provider's endpoint_url, then try again",
    ),
)
"""What stores and their clients say of a failure, the error that it becomes, what that says, and the next step.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
https://cloud.google.com/storage/docs/xml-api/reference-status,
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
"""


def _by_words(error: Exception, place: Place, doing: str) -> GlacierError | None:
    if place.on == "local" or not _of_store(error):
        return None
    text = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    for words, kind, what, hint in _WORDS:
        if re.search(words, text):
            return kind(f"cannot {doing} {place.uri} on {place.on}: {what}", hint=hint)
    return None


def _of_store(error: Exception) -> bool:
    """Whether a store or the way to it failed: Polars' errors about data may use the same words."""
    from obstore.exceptions import AlreadyExistsError, BaseError

    if isinstance(error, BaseError | OSError):
        return not isinstance(error, AlreadyExistsError)
    return re.search(r"Generic \w+ error|status code|error sending request|object.?store", str(error)) is not None


def _unsure(place: Place, doing: str) -> InfrastructureError:
    """Make the error for an upload that the store has forgotten: it may have completed it, and its reply was lost."""
    message = f"cannot {doing} {place.uri} on {place.on}: the store no longer knows the upload, or its reply was lost"
    hint = "the object is whole, the old or the new one: look with bucket.stat(), then write again if need be"
    return InfrastructureError(message, hint=hint)


def _not_found(place: Place, doing: str) -> ObjectNotFoundError:
    if not place.storage.is_there(place.bucket_name):
        message = f"cannot {doing} {place.uri} on {place.on}: there is no bucket {place.bucket_name!r} to be seen"
        return ObjectNotFoundError(message, hint="check its name, the provider's account and region, and permissions")
    return ObjectNotFoundError(
        f"cannot {doing} {place.uri} on {place.on}: there is no such object",
        hint="bucket.list() shows what is there; of a folder, files with the format's suffix are read",
    )


def _access_hint(place: Place) -> str:
    if place.on == "local":
        return "check the owner and mode of the file and of its folder"
    return "check the credentials and what they may do in this bucket"


def not_readable(place: Place, why: str, head: bytes) -> FormatError:
    """Make the error for bytes that are not of the format that they should be."""
    message = f"{place.uri} on {place.on} does not read as {place.format}: {why}"
    if re.search(_DIFFER, why):
        return FormatError(message, hint="its objects have different columns: name one of them")
    return FormatError(message, hint=_format_hint(place.format, looks_like(head)))


_DIFFER = r"extra column in file|data type mismatch for column|did not find column|schema (names|lengths) differ"
"""What Polars says of objects that are read together and do not fit together."""


def _format_hint(wanted: str, found: str) -> str:
    if found == wanted:
        if wanted in {"parquet", "ipc"}:
            return f"it begins like {wanted}: it may be cut short or damaged; write it again"
        return f"it begins like {wanted}: a later part may differ; bucket.scan() takes Polars' own options"
    if found in FORMATS:
        return f"it looks like {found}: pass format={found!r}"
    return f"it looks like {found}"


def _failed(error: Exception, place: Place, doing: str) -> GlacierError:
    text = _line(error)
    if "File name too long" in text or getattr(error, "errno", None) == errno.ENAMETOOLONG:
        return ConfigError(f"cannot {doing} {place.uri} on {place.on}: the path is too long", hint="shorten the path")
    if "os error 28" in text or "No space left" in text:
        return InfrastructureError(
            f"cannot {doing} {place.uri} on {place.on}: the disk is full", hint="free some space"
        )
    hint = "try again; if it stays, check the provider's config and the network"
    return InfrastructureError(f"cannot {doing} {place.uri} on {place.on}: {text}", hint=hint)


def _line(error: Exception) -> str:
    """Return the first line of a message: obstore and Polars append whole paragraphs of their insides."""
    lines = str(error).strip().splitlines()
    return redacted(lines[0], 300) if lines else type(error).__name__
