"""The border: errors of Polars, obstore and the operating system become Glacier's own, here and nowhere else."""

from __future__ import annotations

import errno
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
from glacier.resources.formats import FORMATS, looks_like

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

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


def _translated(error: Exception, place: Place, doing: str, head: Callable[[], bytes]) -> GlacierError | None:
    from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
    from polars.exceptions import PolarsError

    if isinstance(error, FileNotFoundError) or "expanded paths were empty" in str(error):
        return _not_found(place, doing)
    if isinstance(error, AlreadyExistsError):
        return ObjectExistsError(
            f"{place.uri} exists already on {place.on}", hint="leave out if_absent=True to replace it"
        )
    if isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError):
        return AccessError(
            f"not allowed to {doing} {place.uri} on {place.on}: {_line(error)}", hint=_access_hint(place)
        )
    # Of an empty ipc file Polars says no more than EINVAL.
    if isinstance(error, PolarsError) or "Invalid argument (os error 22)" in str(error):
        return not_readable(place, _line(error), head())
    if isinstance(error, OSError | BaseError):
        return _failed(error, place, doing)
    return None


def _not_found(place: Place, doing: str) -> ObjectNotFoundError:
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
    return FormatError(message, hint=_format_hint(place.format, looks_like(head)))


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
    return lines[0][:300] if lines else type(error).__name__
