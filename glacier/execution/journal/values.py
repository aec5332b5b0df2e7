"""Values that a run keeps so that it can be resumed: what is kept, in which form, and how it is read again.

| value                                | form     | where                                   |
|--------------------------------------|----------|-----------------------------------------|
| None, bool, int, float, str (short)  | `json`   | in the journal; not a str with a secret |
| DataFrame                            | `frame`  | Arrow IPC                               |
| LazyFrame that reads this machine    | `plan`   | Polars' own serialization of the plan   |
| LazyFrame that reads a cloud         | not kept | the plan could hold credentials         |
| anything else that pickle can take   | `pickle` | pickle; not where a secret is inside    |

What is not JSON carries a keyed checksum of this user; a small one stands in the journal, a larger one in a file. What
cannot be kept, or not be read again, is run again.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from glacier.execution.journal import seal
from glacier.execution.memory import MISSING
from glacier.redaction import is_secret, redacted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["INLINE", "LIMIT", "Content", "contents", "load", "write"]

LIMIT = 64 * 1024 * 1024
"""Bytes of a value that `checkpoint="auto"` keeps at most."""

INLINE = 16 * 1024
"""Bytes of a value that stands in the journal itself."""

_CLOUD = re.compile(rb"(?:s3a?|gs|gcs|az|azure|adl|abfss?|https?|hf)://")
_WORDS: dict[type[Any], Any] = {int: str, type(None): {None: "null"}.get, bool: {True: "true", False: "false"}.get}


class Content(NamedTuple):
    """A value as it is kept: its form, and its bytes, or its text where the form is `json`."""

    form: str
    data: bytes | str


class _Unkept(Exception):
    """This value is not kept."""


class _Bounded(io.RawIOBase):
    """A buffer that refuses to grow beyond its limit: nobody can say beforehand how large a pickle gets."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._buffer = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self._limit is not None and self._buffer.tell() + len(data) > self._limit:
            raise _Unkept
        return self._buffer.write(data)

    def getvalue(self) -> bytes:
        return self._buffer.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if is_secret(obj):
            raise _Unkept
        if type(obj).__name__ == "LazyFrame":
            _plan(obj, io.BytesIO())
        return NotImplemented


def contents(value: Any, limit: int | None = LIMIT) -> Content | None:
    """Return what to keep of a value, None where it is larger than `limit` bytes or cannot be kept."""
    kind = cast("type[Any]", type(value))
    if kind in _WORDS:
        return Content("json", _WORDS[kind](value))
    if kind is str and redacted(value) != value:
        return None
    if kind is float or (kind is str and len(value) <= INLINE):
        return Content("json", json.dumps(value))
    buffer = _Bounded(limit)
    try:
        form = _write(kind, value, buffer, limit)
    except BaseException:  # what __reduce__ raises, what pickle and Polars refuse, what is too large, an interrupt
        return None
    return Content(form, seal.sealed(buffer.getvalue()))


def _write(kind: type[Any], value: Any, buffer: _Bounded, limit: int | None) -> str:
    if kind.__name__ == "DataFrame" and kind.__module__.startswith("polars"):
        if limit is not None and value.estimated_size() > limit:
            raise _Unkept
        value.write_ipc(buffer, compression="uncompressed")
        return "frame"
    if kind.__name__ == "LazyFrame" and kind.__module__.startswith("polars"):
        _plan(value, buffer)
        return "plan"
    _Pickler(buffer, protocol=5).dump(value)
    return "pickle"


def _plan(value: Any, buffer: Any) -> None:
    value.serialize(buffer)
    if _CLOUD.search(buffer.getvalue()):
        raise _Unkept


def write(file: Path, content: Content) -> None:
    """Write a kept value to a file of its own.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    assert isinstance(content.data, bytes)
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(content.data)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def load(form: str, data: bytes | str) -> Any:
    """Return the value again; `MISSING` where its checksum is wrong or it cannot be read here."""
    if form == "json":
        return json.loads(data)
    assert isinstance(data, bytes)
    body = seal.opened(data)
    if body is None:
        return MISSING
    import polars as pl

    try:
        match form:
            case "frame":
                return pl.read_ipc(io.BytesIO(body))
            case "plan":
                return pl.LazyFrame.deserialize(io.BytesIO(body))
            case _:
                return pickle.loads(body)  # noqa: S301 - the checksum says that this user wrote it
    except Exception:  # a class that is gone, another version of Polars
        return MISSING
