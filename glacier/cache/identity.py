"""What tells one file, one object of a bucket and one frame from another, without a copy of its data."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import Unfingerprintable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from glacier.resources import Bucket

__all__ = ["bucket_identity", "file_identity", "frame_identity", "named_file"]

_SMALL = 256 << 10
"""Bytes up to which a file counts by its content alone; reading it costs less than 0.1 ms."""
_ENDS = 32 << 10
_MANY = 10_000
"""Files in a folder or pattern beyond which finding out whether one changed costs more than it is worth."""
_LONGEST = 1024
"""Characters beyond which text is not taken for the name of a file."""


def named_file(text: str) -> str | None:
    """Return the identity of what a text names if that is a file, a folder or a pattern with matches; else None.

    Plain words are not taken for names of folders: `"sales"` is a word, `"./sales"` or `"data/sales"` a folder.
    """
    if not text or len(text) > _LONGEST or "\0" in text or "\n" in text:
        return None
    try:
        if os.path.isfile(text):  # noqa: PTH113 - text, not a path, and on the way of every hit
            return file_identity(text)
        if os.sep in text and os.path.isdir(text):  # noqa: PTH112
            return _files_identity(_below(text), text)
        if os.sep in text and glob.has_magic(text):
            return _files_identity(glob.iglob(text, recursive=True), text)  # noqa: PTH207
    except (OSError, ValueError):
        return None
    return None


def file_identity(path: str | os.PathLike[str]) -> str:
    """Return what tells a file of this machine from what it was before.

    A small file counts by its content, so that saving it again changes nothing. A larger one counts by its size, the
    times of its last change and the content of both its ends: a rewrite of the same size that restores the time of
    modification is noticed by the time of change, which no program can set.

    Raises:
        OSError: there is no such file, or it may not be read.
    """
    from xxhash import xxh3_128

    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a third of the time of Path.open
        found = os.fstat(file.fileno())
        digest = xxh3_128(file.read(_ENDS if found.st_size > _SMALL else _SMALL + 1))
        if found.st_size <= _SMALL:
            return f"content {found.st_size} {digest.hexdigest()}"
        file.seek(-_ENDS, os.SEEK_END)
        digest.update(file.read(_ENDS))
    return f"file {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {digest.hexdigest()}"


def bucket_identity(bucket: Bucket) -> str:
    """Return what tells the objects of a bucket from what they were before: its address, format and every version mark.

    On this machine that is `file_identity`, on a cloud the etag that the store gives each object.

    Raises:
        GlacierError: the store cannot be asked.
    """
    entries = _bucket_objects(bucket)
    listed = ";".join(f"{name}={mark}" for name, mark in sorted(entries))
    return f"{bucket.uri} {bucket.format} [{listed}]"


def _bucket_objects(bucket: Bucket) -> list[tuple[str, str]]:
    found = bucket.list() if bucket.is_many() or bucket.exists() else []
    if len(found) > _MANY:
        raise Unfingerprintable(f"{bucket.uri} has more than {_MANY:,} objects")
    if bucket.on != "local":
        return [(each.path, f"{each.size} {each.etag} {each.modified.timestamp()}") for each in found]
    base: Any = cast("Any", bucket.storage).base
    keys = [(each.path, bucket.storage.key(bucket.bucket_name, each.path)) for each in found]
    return [(path, file_identity(base / key)) for path, key in keys]


def _below(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (f"{here}/{name}" for name in sorted(files))


def _files_identity(paths: Iterator[str], what: str) -> str | None:
    found: list[str] = []
    for path in paths:
        if len(found) >= _MANY:
            raise Unfingerprintable(f"{what!r} names more than {_MANY:,} files")
        if Path(path).is_file():
            found.append(f"{path}={file_identity(path)}")
    return ";".join(sorted(found)) if found else None


# --- frames ----------------------------------------------------------------------------------------------------------


def frame_identity(frame: pl.DataFrame) -> str:
    """Return a digest of names, types, order and values of a frame, whatever chunks it is in.

    It is made of the columns as Arrow's oldest layout has them, where equal text is equal bytes, and of zeros where
    there is no value, so that nothing but the values counts.

    Raises:
        Unfingerprintable: a column holds Python objects.
    """
    import polars as pl

    sink = _Digest()
    try:
        plain = _without_leftovers(frame).rechunk()
        plain.write_ipc_stream(cast("Any", sink), compat_level=pl.CompatLevel.oldest())
    except pl.exceptions.PolarsError as error:
        raise Unfingerprintable(f"a frame that Arrow cannot hold: {str(error).splitlines()[0]}") from error
    schema = [(name, repr(dtype)) for name, dtype in frame.schema.items()]
    return f"{frame.height} {schema} {sink.hexdigest()}"


def _without_leftovers(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with zeros for missing values, and columns that say where they are missing."""
    import polars as pl

    flat = [
        each.name
        for each in frame
        if each.null_count() and (each.dtype.is_numeric() or each.dtype.is_temporal() or each.dtype == pl.Boolean)
    ]
    if not flat:
        return frame
    missing = [frame[name].is_null().alias(f"{name} is missing {index}") for index, name in enumerate(flat)]
    filled = [_zeros_for_missing(frame[name]) for name in flat]
    return frame.drop(flat).hstack([*filled, *missing])


def _zeros_for_missing(column: pl.Series) -> pl.Series:
    import polars as pl

    physical = column.to_physical()
    return physical.fill_null(False if physical.dtype == pl.Boolean else 0)


class _Digest:
    """A file that keeps a digest of what is written, without the first message of Arrow's stream.

    That one is the schema, which also tells what Polars happens to know of the columns, such as that one is sorted
    (https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format: a marker and a length, four bytes
    each, and as many bytes as the length says).
    """

    def __init__(self) -> None:
        from xxhash import xxh3_128

        self._digest = xxh3_128()
        self._head: bytes | None = b""

    def write(self, data: bytes) -> int:
        if self._head is None:
            self._digest.update(data)
        else:
            self._skip(data)
        return len(data)

    def flush(self) -> None:
        """Have nothing to do: what is written is digested at once."""

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def _skip(self, data: bytes) -> None:
        assert self._head is not None
        self._head += data
        if len(self._head) >= 8:
            end = 8 + int.from_bytes(self._head[4:8], "little")
            if len(self._head) >= end:
                rest, self._head = self._head[end:], None
                self._digest.update(rest)
