"""Values as files: how each kind of value is written, and read again only when its bytes are what was written.

| kind     | values                                                         | file                               |
|----------|----------------------------------------------------------------|------------------------------------|
| `frame`  | a DataFrame                                                    | Arrow IPC                          |
| `series` | a Series                                                       | the same, of one column            |
| `lazy`   | a LazyFrame: its query is run, and a scan of the file returned | the same                           |
| `data`   | numbers, texts, dates and the like; lists, dicts and so on of them and of frames | JSON             |
| `pickle` | everything else that can be pickled; frames in it are files of their own | a pickle, signed by its user |

A file is named by the digest of its bytes (xxh3, 128 bits). Arrow IPC without compression is written and read five to
ten times as fast as Parquet, which is what a cache is for; files for others to keep are a bucket's business.

A pickle can run any code when it is read. So it is signed with a key of the user's own (see `secret`), and read only
when the signature is right and nobody else may write into its folder. LazyFrames are never pickled: their plans may
hold credentials.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import json
import mmap
import os
import pickle
import re
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.cache.secret import is_private, sign
from glacier.errors import CacheError, DamagedEntryError, ForeignEntryError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    import polars as pl

    Meta = dict[str, Any]
    """What is known of a written value, as JSON: `kind`, `digest`, `file`, `size`, `bytes`, `rows`, `parts`, `mac`."""

__all__ = ["dump", "file_digest", "files_of", "is_full", "keep_bytes", "load"]

_MODE = 0o600


def dump(value: Any, folder: Path, *, context: str = "") -> Meta:
    """Write a value into a folder, atomically, and return what `load` needs to read it again, as JSON.

    `bytes` and `rows` are of the value with all its parts; `rows` is None where there are none. `context` is what the
    value is for, such as a key: signed with a pickle, so that no other can take its place.

    Raises:
        CacheError: the value cannot be written as any kind, or the disk is full.
        Exception: the error of a LazyFrame's own query, as itself.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = _kind_of(value)
    if kind is not None:
        return _dump_frame(value, folder, kind)
    parts: dict[str, Meta] = {}
    text = _as_data(value, folder, parts)
    if text is not None:
        return _dump_bytes("data", text, folder, parts)
    meta = _dump_bytes("pickle", _as_pickle(value, folder, parts), folder, parts)
    return {**meta, "mac": sign("pickle", context, meta["digest"])}


def load(
    meta: Mapping[str, Any], folder: Path, *, context: str = "", verify: Callable[[Path, str], None] | None = None
) -> Any:
    """Read a value that `dump` wrote; a LazyFrame is a scan of its file.

    `verify` raises when a file's bytes do not have a digest; by default every file is read for it in full.

    Raises:
        DamagedEntryError: a file is missing, or its bytes are not those that were written.
        ForeignEntryError: a pickle that this user did not write, or that others could have changed.
    """
    check = verify or verify_file
    try:
        return _load(meta, folder, context, check)
    except (CacheError, MemoryError):
        raise
    except Exception as error:
        raise DamagedEntryError(f"a kept {meta.get('kind', 'value')} cannot be read: {error}") from error


def files_of(meta: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield name and size of each file of a written value."""
    yield meta["file"], meta["size"]
    for part in meta.get("parts", ()):
        yield from files_of(part)


def verify_file(path: Path, digest: str) -> None:
    """Read a file in full and compare its digest.

    Raises:
        DamagedEntryError: it is missing, or another.
    """
    try:
        found = file_digest(path)
    except OSError as error:
        raise DamagedEntryError(f"{path.name} cannot be read: {error.strerror}") from error
    if found != digest:
        raise DamagedEntryError(f"{path.name} holds other bytes than were written")


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes: 7 ms for 100 MB that are in memory."""
    from xxhash import xxh3_128

    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return xxh3_128(b"").hexdigest()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return xxh3_128(cast("Any", content)).hexdigest()


def keep_bytes(folder: Path, name: str, content: bytes | None) -> None:
    """Write a file that came from elsewhere, if it is the one that its name says.

    Raises:
        DamagedEntryError: it is another, or there is none.
        CacheError: it cannot be written.
    """
    from xxhash import xxh3_128_hexdigest

    if content is None:
        raise DamagedEntryError(f"{name} is gone")
    if xxh3_128_hexdigest(content) != _plain_name(name).partition(".")[0]:
        raise DamagedEntryError(f"{name} holds other bytes than were written")
    with _draft(folder) as draft:
        try:
            draft.write_bytes(content)
            draft.replace(folder / name)
        except OSError as error:
            raise _cannot_write(error) from error


# --- frames ----------------------------------------------------------------------------------------------------------


def _kind_of(value: Any) -> str | None:
    name, module = type(value).__name__, str(type(value).__module__)
    if not module.startswith("polars."):
        return None
    return {"DataFrame": "frame", "Series": "series", "LazyFrame": "lazy"}.get(name)


def _dump_frame(value: Any, folder: Path, kind: str) -> Meta:
    write = _sink if kind == "lazy" else _write
    with _draft(folder) as draft:
        write(value if kind != "series" else value.to_frame(), draft)
        meta = _moved(draft, folder, "ipc", kind)
    rows = value.len() if kind == "series" else value.height if kind == "frame" else _rows(folder / meta["file"])
    return {**meta, "rows": rows}


def _write(frame: pl.DataFrame, draft: Path) -> None:
    try:
        # In one chunk equal frames are equal files, and what depends on them is not computed again.
        frame.rechunk().write_ipc(draft)
    except Exception as error:
        raise _cannot_write(error) from error


def _sink(frame: pl.LazyFrame, draft: Path) -> None:
    try:
        frame.sink_ipc(draft)
    except Exception as error:
        if is_full(error):
            raise _cannot_write(error) from error
        raise


def _rows(path: Path) -> int:
    import polars as pl

    return pl.scan_ipc(path, glob=False).select(pl.len()).collect().item()


def _load_frame(kind: str, path: Path) -> Any:
    import polars as pl

    scanned = pl.scan_ipc(path, glob=False)
    if kind == "lazy":
        return scanned
    frame = scanned.collect()
    return frame if kind == "frame" else frame.to_series()


# --- data ------------------------------------------------------------------------------------------------------------


class _NotDataError(Exception):
    """The value is none that JSON can say; it is pickled instead."""


def _as_data(value: Any, folder: Path, parts: dict[str, Meta]) -> bytes | None:
    try:
        return json.dumps(_encoded(value, folder, parts), separators=(",", ":")).encode()
    except (_NotDataError, RecursionError, ValueError):
        return None


def _encoded(value: Any, folder: Path, parts: dict[str, Meta]) -> Any:
    """Return a value as JSON: lists as they are, everything that JSON does not know as `{kind: what it is made of}`."""
    kind = cast("type[Any]", type(value))
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_encoded(each, folder, parts) for each in value]
    if kind is dict:
        pairs = [[_encoded(key, folder, parts), _encoded(each, folder, parts)] for key, each in value.items()]
        return {"dict": pairs}
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [_encoded(each, folder, parts) for each in value]}
    if kind in _TEXTS:
        return {kind.__name__: _TEXTS[kind][0](value)}
    if _kind_of(value) is not None:
        return {"part": _part(value, folder, parts)}
    raise _NotDataError


def _part(value: Any, folder: Path, parts: dict[str, Meta]) -> str:
    meta = dump(value, folder)
    # One file may be a frame here and a scan there.
    name = f"{meta['kind']}:{meta['digest']}"
    parts[name] = meta
    return name


def _decoded(found: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(found, list):
        return [_decoded(each, parts) for each in cast("list[Any]", found)]
    if not isinstance(found, dict):
        return found
    ((kind, made),) = cast("dict[str, Any]", found).items()
    if kind == "dict":
        return {_decoded(key, parts): _decoded(each, parts) for key, each in made}
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](_decoded(each, parts) for each in made)
    return parts[made] if kind == "part" else _READERS[kind](made)


def _utc_or_naive(value: datetime | time) -> str:
    if value.tzinfo not in (None, UTC):
        raise _NotDataError
    return value.isoformat() + ("#1" if value.fold else "")


def _moment(kind: type[datetime] | type[time]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        iso, _, fold = text.partition("#")
        found = kind.fromisoformat(iso)
        return found.replace(fold=1, tzinfo=UTC if found.tzinfo else None) if fold else found

    return read


_CONTAINERS: dict[str, Callable[[Iterator[Any]], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_TEXTS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: (lambda value: base64.b64encode(value).decode(), base64.b64decode),
    datetime: (_utc_or_naive, _moment(datetime)),
    time: (_utc_or_naive, _moment(time)),
    date: (date.isoformat, date.fromisoformat),
    timedelta: (lambda value: [value.days, value.seconds, value.microseconds], lambda made: timedelta(*made)),
    Decimal: (str, Decimal),
    complex: (lambda value: [value.real, value.imag], lambda made: complex(*made)),
    type(Path()): (str, Path),
}
_READERS = {kind.__name__: reader for kind, (_, reader) in _TEXTS.items()}


# --- pickles ---------------------------------------------------------------------------------------------------------


def _as_pickle(value: Any, folder: Path, parts: dict[str, Meta]) -> bytes:
    sink = io.BytesIO()
    try:
        _Pickler(sink, folder, parts).dump(value)
    except CacheError:
        raise
    except Exception as error:
        raise CacheError(f"a {type(value).__name__} cannot be kept: {error}") from error
    return sink.getvalue()


class _Pickler(pickle.Pickler):
    """Writes frames as files of their own."""

    def __init__(self, sink: io.BytesIO, folder: Path, parts: dict[str, Meta]) -> None:
        super().__init__(sink, protocol=5)
        self._folder = folder
        self._parts = parts

    def persistent_id(self, obj: Any) -> str | None:
        """Name the part that stands for a frame."""
        return None if _kind_of(obj) is None else _part(obj, self._folder, self._parts)


class _Unpickler(pickle.Unpickler):
    """Reads what `_Pickler` wrote."""

    def __init__(self, source: io.BytesIO, parts: Mapping[str, Any]) -> None:
        super().__init__(source)
        self._parts = parts

    def persistent_load(self, pid: str) -> Any:
        """Return the frame that a part stands for."""
        return self._parts[pid]


def _check_own(meta: Mapping[str, Any], folder: Path, context: str) -> None:
    import hmac

    if not is_private(folder):
        raise ForeignEntryError(
            f"a pickle in {folder}, which is not yours alone", hint=f"chmod 700 {folder}, if it is yours"
        )
    if not hmac.compare_digest(str(meta.get("mac", "")), sign("pickle", context, meta["digest"])):
        raise ForeignEntryError("a pickle that this user did not write")


# --- files -----------------------------------------------------------------------------------------------------------


def _load(meta: Mapping[str, Any], folder: Path, context: str, check: Callable[[Path, str], None]) -> Any:
    kind, path = meta["kind"], folder / _plain_name(meta["file"])
    if kind in ("frame", "series", "lazy"):
        check(path, meta["digest"])
        return _load_frame(kind, path)
    if kind == "pickle":
        _check_own(meta, folder, context)
    content = _read_whole(path, meta["digest"])
    parts = {f"{part['kind']}:{part['digest']}": _load(part, folder, context, check) for part in meta["parts"]}
    if kind == "data":
        return _decoded(json.loads(content), parts)
    if kind == "pickle":
        return _Unpickler(io.BytesIO(content), parts).load()
    raise DamagedEntryError(f"a kept value is of the unknown kind {kind!r}")


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}\.[a-z]+", name):
        raise DamagedEntryError(f"{name!r} is no file of a kept value")
    return name


def _read_whole(path: Path, digest: str) -> bytes:
    """Return the bytes of a file, the very ones that were checked."""
    from xxhash import xxh3_128

    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedEntryError(f"{path.name} cannot be read: {error.strerror}") from error
    if xxh3_128(content).hexdigest() != digest:
        raise DamagedEntryError(f"{path.name} holds other bytes than were written")
    return content


def _dump_bytes(kind: str, content: bytes, folder: Path, parts: Mapping[str, Meta]) -> Meta:
    with _draft(folder) as draft:
        try:
            draft.write_bytes(content)
        except OSError as error:
            raise _cannot_write(error) from error
        meta = _moved(draft, folder, "json" if kind == "data" else "pkl", kind)
    every = list(parts.values())
    rows = [part["rows"] for part in every]
    total = meta["size"] + sum(part["bytes"] for part in every)
    return {**meta, "bytes": total, "rows": sum(rows) if rows else None, "parts": every}


@contextlib.contextmanager
def _draft(folder: Path) -> Generator[Path]:
    """Make an empty file that only this user may read; it is gone after the block, unless it was moved."""
    draft = folder / f".{os.getpid()}-{uuid.uuid4().hex}.tmp"
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
    except OSError as error:
        raise _cannot_write(error) from error
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _moved(draft: Path, folder: Path, suffix: str, kind: str) -> Meta:
    """Give a complete file its name, in place of one of the same name, which may have been damaged since."""
    try:
        digest, size = file_digest(draft), draft.stat().st_size
        draft.chmod(_MODE)
        name = f"{digest}.{suffix}"
        draft.replace(folder / name)
    except OSError as error:
        raise _cannot_write(error) from error
    return {"kind": kind, "digest": digest, "file": name, "size": size, "bytes": size, "rows": None, "parts": []}


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = re.compile(rf"No space left|File too large|quota exceeded|os error ({'|'.join(map(str, _FULL))})\b")


def is_full(error: BaseException) -> bool:
    """Whether an error, also one of Polars, which has words for it only, says that there is no space left."""
    return getattr(error, "errno", None) in _FULL or _FULL_WORDS.search(str(error)) is not None


def _cannot_write(error: Exception) -> CacheError:
    if is_full(error):
        return CacheError("the disk of the cache is full", hint="free some space, or `glacier cache clear`")
    said = str(error).strip().splitlines()
    return CacheError(f"it cannot be written: {said[0] if said else type(error).__name__}")
