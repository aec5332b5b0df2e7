"""What tells one file, one object of a bucket and one frame from another, without a copy of its data."""

from __future__ import annotations

import glob
import os
import re
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import Unfingerprintable
from glacier.resources.border import crossing
from glacier.resources.listing import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from glacier.resources import Bucket
    from glacier.resources.listing import ObjectInfo

__all__ = [
    "bucket_identity",
    "file_identity",
    "folder_identity",
    "frame_identity",
    "is_folder",
    "named_file",
    "scanned_identity",
]

_SMALL = 256 << 10
"""Bytes up to which a file counts by its content alone; reading it costs less than 0.1 ms."""
_ENDS = 32 << 10
_MANY = 10_000
"""Files in a folder or pattern beyond which finding out whether one changed costs more than it is worth."""
_LONGEST = 1024
"""Characters beyond which text is not taken for the name of a file."""


def named_file(text: str) -> str | None:
    """Return the identity of what a text names if that is a file, or a pattern with matches; else None.

    What looks like a regular expression, or begins with a folder that is not there, is not taken for a pattern.
    """
    if not text or len(text) > _LONGEST or "\0" in text or "\n" in text:
        return None
    try:
        if os.path.isfile(text):  # noqa: PTH113 - text, not a path, and on the way of every hit
            return file_identity(text)
        if _is_pattern(text):
            return _files_identity(glob.iglob(text, recursive=True), text)  # noqa: PTH207
    except (OSError, ValueError):
        return None
    return None


def is_folder(text: str) -> bool:
    """Whether a text names a folder other than the root or the working directory."""
    return len(text) <= _LONGEST and "\0" not in text and text.strip("./") != "" and os.path.isdir(text)  # noqa: PTH112


def folder_identity(path: str | os.PathLike[str]) -> str:
    """Return what tells a folder, with all in it, from what it was before: names, sizes and times of its files.

    Raises:
        Unfingerprintable: it has too many files.
    """
    return _files_identity(_below(os.fspath(path)), str(path)) or "empty"


def _is_pattern(text: str) -> bool:
    magic = re.search(r"[*?[]", text)
    if magic is None or os.sep not in text[: magic.start()] or re.search(r"[\\+()^$|]", text):
        return False
    above = text[: text.rindex(os.sep, 0, magic.start())]
    return bool(above) and os.path.isdir(above)  # noqa: PTH112


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
    listed = ";".join(f"{name}={mark}" for name, mark in sorted(_bucket_objects(bucket)))
    return f"{bucket.uri} {bucket.format} [{listed}]"


@dataclass(frozen=True, slots=True)
class _Scanned:
    """What a query scans on a cloud, as a place of its storage."""

    uri: str
    storage: Any
    bucket_name: str
    path: str
    on: str
    format: str = "parquet"


def scanned_identity(address: str, storage: Any) -> str:
    """Return what tells the objects at an address that a query scans on a cloud from what they were before.

    Raises:
        GlacierError: the store cannot be asked.
    """
    bucket, _, path = address.partition("://")[2].partition("/")
    if "[" in path:
        raise Unfingerprintable(f"a query that reads the pattern {address[:80]!r}")
    found = _listed(_Scanned(address, storage, bucket, path.removesuffix("/"), storage.kind))
    return ";".join(sorted(f"{each.path}={_mark(each)}" for each in found))


def _mark(found: ObjectInfo) -> str:
    return f"{found.size} {found.etag} {found.modified.timestamp()}"


def _bucket_objects(bucket: Bucket) -> list[tuple[str, str]]:
    found = _listed(bucket)
    if bucket.on != "local":
        return [(each.path, _mark(each)) for each in found]
    base: Any = cast("Any", bucket.storage).base
    keys = [(each.path, bucket.storage.key(bucket.bucket_name, each.path)) for each in found]
    return [(path, file_identity(base / key)) for path, key in keys]


def _listed(place: Any) -> list[ObjectInfo]:
    """Return the objects: not by a bucket's own verbs, which a pipeline body would record as steps."""
    with crossing(place, "look at"):
        try:
            found = list(islice(entries(place), _MANY + 1))
        except FileNotFoundError:
            return []
    if len(found) > _MANY:
        raise Unfingerprintable(f"{place.uri} has more than {_MANY:,} objects")
    return found


def _below(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (f"{here}/{name}" for name in sorted(files))


def _files_identity(paths: Iterator[str], what: str) -> str | None:
    found: list[str] = []
    for path in paths:
        if len(found) >= _MANY:
            raise Unfingerprintable(f"{what!r} names more than {_MANY:,} files")
        seen = os.stat(path)  # noqa: PTH116 - thousands of them
        if not stat.S_ISDIR(seen.st_mode):
            found.append(f"{path} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}")
    return ";".join(sorted(found)) if found else None


# --- frames ----------------------------------------------------------------------------------------------------------


def frame_identity(frame: pl.DataFrame) -> str:
    """Return a digest of names, types, order and values of a frame, whatever chunks it is in.

    It is made of the columns as Arrow's oldest layout has them, where equal text is equal bytes. Where a value is
    missing a zero stands for it, and a column of its own says so: what Arrow has in such places is left over.

    Raises:
        Unfingerprintable: a column holds Python objects.
    """
    schema = [(name, _type_text(dtype)) for name, dtype in frame.schema.items()]
    if "Object" in str(schema) and any("Object" in repr(dtype) for dtype in frame.dtypes):
        raise Unfingerprintable("a frame with a column of Python objects")
    sink = _Digest()
    for column in frame:
        for plain in _plain_columns(column):
            sink.take(plain)
    return f"{frame.height} {schema} {sink.hexdigest()}"


def _type_text(dtype: pl.DataType) -> str:
    """Return a type as text; Polars' own cuts the categories of an enum short."""
    categories: Any = getattr(dtype, "categories", None)
    listed = categories.to_list() if hasattr(categories, "to_list") else ""
    return f"{dtype!r}{listed}"


def _plain_columns(column: pl.Series) -> Iterator[pl.Series]:
    """Yield a column without bits that mean nothing, and another that says where its values are missing."""
    import polars as pl

    plain = _plain(column)
    if plain is None:
        yield column
        return
    zero = _zero(plain.dtype)
    # Two pieces without missing values become one that has no marks for them; one piece would keep marks that say so.
    yield pl.concat([plain.fill_null(zero), pl.Series(column.name, [zero], dtype=plain.dtype)], rechunk=True)
    if plain.null_count():
        yield plain.is_null().cast(pl.UInt8)


def _plain(column: pl.Series) -> pl.Series | None:
    """Return a column of text or numbers; None where it holds lists, structs and the like, which stay as they are."""
    import polars as pl

    dtype = column.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if dtype == pl.Boolean:
        return column.cast(pl.UInt8)
    if dtype.is_numeric() or dtype.is_temporal():
        return column.to_physical()
    return column if isinstance(dtype, pl.String | pl.Binary) else None


def _zero(dtype: pl.DataType) -> Any:
    import polars as pl

    return "" if dtype == pl.String else b"" if dtype == pl.Binary else 0


class _Digest:
    """A digest of columns: a file to which each is written in turn as a stream of Arrow.

    The first message of a stream is left out. It is the schema, which also tells what Polars happens to know of the
    column, such as that it is sorted (https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format:
    a marker and a length, four bytes each, and as many bytes as the length says).
    """

    def __init__(self) -> None:
        from xxhash import xxh3_128

        self._digest = xxh3_128()
        self._head: bytes | None = b""

    def take(self, column: pl.Series) -> None:
        """Take one column.

        Raises:
            Unfingerprintable: Arrow cannot hold it.
        """
        import polars as pl

        self._head = b""
        try:
            column.rechunk().to_frame().write_ipc_stream(cast("Any", self), compat_level=pl.CompatLevel.oldest())
        except pl.exceptions.PolarsError as error:
            raise Unfingerprintable(f"a frame that Arrow cannot hold: {str(error).splitlines()[0]}") from error

    def write(self, data: bytes) -> int:
        """Take what Polars writes."""
        if self._head is None:
            self._digest.update(data)
        else:
            self._skip(data)
        return len(data)

    def flush(self) -> None:
        """Have nothing to do: what is written is digested at once."""

    def hexdigest(self) -> str:
        """Return the digest of all columns."""
        return self._digest.hexdigest()

    def _skip(self, data: bytes) -> None:
        assert self._head is not None
        self._head += data
        if len(self._head) >= 8:
            end = 8 + int.from_bytes(self._head[4:8], "little")
            if len(self._head) >= end:
                rest, self._head = self._head[end:], None
                self._digest.update(rest)
