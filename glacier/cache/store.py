"""The store of results: entries by key, and the files that they are made of by the digest of their bytes.

```
cache/                 mode 0700, everything in it 0600
  entries/ab/KEY.json  the digest of the rest of the file, then: task, parts of the key, what `values.dump` returned
  tasks/NAME           the key of the last entry of a task, by the digest of its name
  objects/DIGEST.ipc   files; several entries may share one
  checked/DIGEST       when a file was last read in full, and what the kernel said of it then
  locks/KEY            held while somebody computes the result of that key
  quarantine/          what was damaged, for a look; emptied after a week
```

Nothing is changed in place: a file gets its name when it is complete. So any number of processes may share a store, and
one that is killed leaves nothing but a draft, which the next eviction sweeps away. Entries may vanish at any time, for
another process may evict them; whoever finds one gone has a miss.

**When bytes are checked.** Of a result only what is loaded is checked, against the digest taken when it was written.
JSON and pickles are read in full anyway, and are checked each time. A frame's file is read in full (7 ms for 100 MB)
when it is loaded for the first time, and again when the kernel says that it was touched since: another inode, size,
time of modification or time of change, which no program can set. It is read again too after a restart of the machine,
after a day, and when it was touched so shortly before the last check that the kernel's clock may not tell. So a file
that a program altered is never served, and one that the disk altered is found within a day.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.cache import values
from glacier.cache.locks import held, try_pin
from glacier.errors import CacheError, DamagedEntryError, ForeignEntryError, GlacierWarning
from glacier.home import home
from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping

    from glacier.cache.fingerprint import Fingerprint

__all__ = ["DEFAULT_LIMIT", "Entry", "Store", "Stored", "Why", "as_entry", "from_bytes"]

DEFAULT_LIMIT = 20 << 30
"""Bytes that a store may take, unless it is told otherwise."""
_FORMAT = 1
_DAY = 24 * 3600
_TICK = 0.05
"""Seconds within which two changes of a file may bear the same time: more than the kernel's clock needs."""
_SCAN_EVERY = 64
"""Entries written by this process after which it looks again at what others have written."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A kept result that has not been read yet.

    Attributes:
        digest: of its content: equal results have equal digests, so that what depends on them need not run again.
        rows: rows of its frames, None where it holds none.
        bytes: size of its files.
        kind: `frame`, `series`, `lazy`, `data` or `pickle`.
        key: the key that it is kept under.
        task: the task that made it.
        created: when, in seconds since 1970.
    """

    digest: str
    rows: int | None
    bytes: int
    kind: str
    key: str
    task: str
    created: float
    meta: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)
    store: Store = dataclasses.field(repr=False, compare=False)

    def load(self) -> Any:
        """Return the value; a LazyFrame is a scan of the kept file.

        Raises:
            DamagedEntryError: its bytes are not those that were written. It was said and put into quarantine: compute
                the value again.
            ForeignEntryError: it would have to be unpickled, and this user did not write it.
        """
        return self.store.load(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What a list of a store's content tells of one entry; times are in seconds since 1970."""

    key: str
    task: str
    kind: str
    rows: int | None
    bytes: int
    created: float
    used: float
    parts: Mapping[str, str] = dataclasses.field(repr=False)
    because: tuple[str, ...] = ()
    """What had changed since the task's entry before this one: why it ran."""


@dataclasses.dataclass(frozen=True, slots=True)
class Why:
    """Why a task would run, or not: `changes` has one line for each part that differs from the last kept entry."""

    task: str
    hit: bool
    changes: tuple[str, ...]
    entry: Entry | None = None

    def __str__(self) -> str:
        if self.hit:
            return f"{self.task}: cached"
        gone = "nothing is cached yet" if self.entry is None else "its result is no longer there"
        return printable(f"{self.task}: {'; '.join(self.changes) or gone}")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": str(self)}


class Store:
    """Results by key, in a folder of this machine.

    Args:
        root: the folder, by default `cache` in `home()`. It is made by the first write.
        limit: bytes that it may take; what was used least recently goes first.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, limit: int = DEFAULT_LIMIT) -> None:
        self.root = home() / "cache" if root is None else Path(root)
        self.limit = limit
        self.objects = self.root / "objects"
        self._checked: dict[str, tuple[int, ...]] = {}
        self._pins: dict[str, int] = {}
        self._said: set[tuple[str, str]] = set()
        self._size: int | None = None
        self._writes = 0

    @staticmethod
    def on(bucket: Any, near: str | os.PathLike[str] | None = None, limit: int = DEFAULT_LIMIT) -> Store:
        """Return a store in a bucket of an environment; what it fetches is kept near, in a folder like any store's."""
        from glacier.cache.remote import BucketStore

        return BucketStore(bucket, near, limit)

    # --- using it -----------------------------------------------------------------------------------------------

    def get(self, key: str) -> Stored | None:
        """Return what is kept under a key, None for a miss; a damaged entry is a miss, and is said."""
        path = self.entry_path(key)
        try:
            found = _read_entry(path)
            for name, size in values.files_of(found["meta"]):
                if os.stat(f"{self.root}/objects/{name}").st_size != size:  # noqa: PTH116 - on the way of every hit
                    raise DamagedEntryError(f"{name} is not as long as it was")
            os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            self._say("", f"the cache in {self.root} cannot be read: {error.strerror}")
            return None
        except (DamagedEntryError, OSError) as error:
            self._quarantine(key, None, error)
            return None
        return self.stored(found)

    def put(self, key: str, value: Any, parts: Mapping[str, str], task: str) -> Stored | None:
        """Keep a value; None, after a warning, where that cannot be done: the value is good all the same.

        The query of a LazyFrame is run here.

        Raises:
            Exception: the error of a LazyFrame's own query, as itself.
        """
        try:
            self.make_folders()
            meta = values.dump(value, self.objects, context=key)
            entry = {
                "format": _FORMAT,
                "key": key,
                "task": task,
                "parts": dict(parts),
                "because": self._since_last(task, key, parts),
                "created": time.time(),
                "meta": meta,
            }
            _write_whole(self.entry_path(key), _as_bytes(entry))
            _write_whole(self._last_path(task), key.encode())
        except CacheError as error:
            self._say(task, f"the result of task {task!r} is not kept: {error}")
            return None
        self._grown(meta["bytes"], key)
        return self.stored(entry)

    def load(self, stored: Stored) -> Any:
        """Return the value of an entry; see `Stored.load`."""
        try:
            if stored.kind == "lazy":
                self._pin(stored)
            return values.load(stored.meta, self.objects, context=stored.key, verify=self._verify)
        except ForeignEntryError as error:
            self._say(stored.task, f"the kept result of task {stored.task!r} is not used: {error}")
            raise
        except DamagedEntryError as error:
            self._quarantine(stored.key, stored, error)
            raise

    @contextlib.contextmanager
    def lock(self, key: str, waiting: Callable[[str], None] | None = None) -> Generator[None]:
        """Be the only one, of all threads and processes, that computes the result of a key within the block.

        Whoever waited looks again with `get`. `waiting` is told once who holds the lock. A store that cannot be written
        to has no locks.
        """
        try:
            self.make_folders()
        except CacheError:
            yield
            return
        with held(self.root / "locks" / key, waiting):
            yield

    # --- looking at it ------------------------------------------------------------------------------------------

    def entries(self, task: str | None = None) -> list[Entry]:
        """Return what is kept, of one task or of all, what was used last first."""
        found = (entry for _, entry in self._entries() if task in (None, entry.task))
        return sorted(found, key=lambda entry: -entry.used)

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return str(self.root)

    @property
    def size(self) -> int:
        """The bytes of all files of results; a file that several entries share counts once."""
        return sum(size for _, size in self._files())

    def clear(self, task: str | None = None) -> int:
        """Remove the entries of one task, or everything; return how many entries went."""
        gone = [path for path, entry in self._entries() if task in (None, entry.task)]
        for path in gone:
            path.unlink(missing_ok=True)
        self._remove_unused(everything=task is None)
        self._size = None
        return len(gone)

    def why(self, task: str, fingerprint: Fingerprint, unknown: Iterable[str] = ()) -> Why:
        """Say which parts of a fingerprint differ from those of the entry of that task that was kept last.

        Arguments whose names are `unknown` are taken to be what they were then.
        """
        last = self.last(task)
        if last is not None:
            fingerprint = fingerprint.assuming(last.parts, unknown)
        if self.get(fingerprint.key) is not None:
            return Why(task, True, (), last)
        return Why(task, False, () if last is None else tuple(_changes(last.parts, fingerprint.parts)), last)

    def last(self, task: str) -> Entry | None:
        """Return the entry of a task that was kept last, None where there is none."""
        with contextlib.suppress(OSError, CacheError):
            path = self.entry_path(self._last_path(task).read_text())
            return as_entry(_read_entry(path), path.stat().st_mtime)
        return max(self.entries(task), key=lambda entry: entry.created, default=None)

    def _since_last(self, task: str, key: str, parts: Mapping[str, str]) -> list[str]:
        """Say what changed since the last entry of a task; nothing when that one is of the same key."""
        try:
            last = _read_entry(self.entry_path(self._last_path(task).read_text()))
        except (OSError, CacheError):
            return []
        return [] if last["key"] == key else list(_changes(last["parts"], parts))

    def _last_path(self, task: str) -> Path:
        return self.root / "tasks" / hashlib.blake2b(task.encode(), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    # --- entries ------------------------------------------------------------------------------------------------

    def entry_path(self, key: str) -> Path:
        """Return where the entry of a key is, or would be."""
        return self.root / "entries" / key[:2] / f"{key}.json"

    def stored(self, found: Mapping[str, Any]) -> Stored:
        """Return what an entry's file says as a result of this store."""
        meta = found["meta"]
        return Stored(
            meta["digest"], meta["rows"], meta["bytes"], meta["kind"],
            found["key"], found["task"], found["created"], meta, self,
        )  # fmt: skip

    def _entries(self) -> Iterator[tuple[Path, Entry]]:
        for path in sorted((self.root / "entries").glob("*/*.json")):
            with contextlib.suppress(OSError, CacheError):
                yield path, as_entry(_read_entry(path), path.stat().st_mtime)

    def make_folders(self) -> None:
        """Make the store's folders where they are missing.

        Raises:
            CacheError: they cannot be made.
        """
        try:
            if not self.objects.is_dir():
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self.root / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
                (self.root / ".gitignore").write_text("*\n")
            for name in ("entries", "objects", "tasks", "checked", "locks", "quarantine"):
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CacheError(f"the folder {self.root} cannot be made: {error.strerror}") from error

    # --- damage -------------------------------------------------------------------------------------------------

    def _quarantine(self, key: str, stored: Stored | None, error: Exception) -> None:
        """Put an entry, and its damaged files, where nobody takes them for good, and say so once."""
        aside = self.root / "quarantine"
        names = [] if stored is None else [name for name, _ in values.files_of(stored.meta)]
        with contextlib.suppress(OSError):
            aside.mkdir(mode=0o700, exist_ok=True)
            self.entry_path(key).replace(aside / f"{key}.json")
        for name in names:
            with contextlib.suppress(OSError, CacheError):
                path = self.objects / name
                if values.file_digest(path) != name.partition(".")[0]:
                    path.replace(aside / name)
                    self._checked.pop(name, None)
        what = "a kept result" if stored is None else f"the kept result of task {stored.task!r}"
        said = error if isinstance(error, CacheError) else f"{type(error).__name__}: {error}"
        line = f"{what} is damaged and is computed again: {said}; it was put into {aside}"
        warnings.warn(line, GlacierWarning, stacklevel=2)

    def _say(self, task: str, line: str) -> None:
        if (task, line) not in self._said:
            self._said.add((task, line))
            warnings.warn(line, GlacierWarning, stacklevel=3)

    def _verify(self, path: Path, digest: str) -> None:
        """Check a file's bytes, unless the kernel says that nobody touched it since that was done."""
        try:
            seen = _seen(path)
        except OSError as error:
            raise DamagedEntryError(f"{path.name} cannot be read: {error.strerror}") from error
        mark = self.root / "checked" / digest
        known = self._checked.get(path.name) or _read_mark(mark)
        if known is not None and known[:-1] == seen and 0 <= time.time() - known[-1] < _DAY:
            self._checked[path.name] = known
            return
        values.verify_file(path, digest)
        now = time.time()
        if _seen(path) == seen and now - max(seen[2], seen[3]) / 1e9 > _TICK:
            self._checked[path.name] = (*seen, int(now))
            _write_mark(mark, self._checked[path.name])

    def _pin(self, stored: Stored) -> None:
        """Keep a file that a LazyFrame may read at any time from being evicted, for as long as this process lives."""
        name = stored.meta["file"]
        if name not in self._pins and len(self._pins) < _MOST_PINS:
            with contextlib.suppress(OSError):
                descriptor = try_pin(self.objects / name, alone=False)
                if descriptor is not None:
                    self._pins[name] = descriptor

    # --- size ---------------------------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[Path, int]]:
        with contextlib.suppress(FileNotFoundError):
            for found in os.scandir(self.objects):
                with contextlib.suppress(FileNotFoundError):
                    yield Path(found.path), found.stat().st_size

    def _grown(self, size: int, newest: str) -> None:
        self._writes += 1
        if self._size is None or not self._writes % _SCAN_EVERY:
            self._size = self.size
        else:
            self._size += size
        if self._size > self.limit:
            self._evict(newest)

    def _evict(self, newest: str) -> None:
        """Remove what was used least recently, until a tenth of the limit is free; never what a process holds."""
        left, gone = self.size, set[str]()
        for path, entry in sorted(self._entries(), key=lambda found: found[1].used):
            if left <= self.limit * 0.9:
                break
            if entry.key != newest:
                left -= self._remove(path, entry, gone)
        self._remove_unused(gone)
        self._size = self.size

    def _remove(self, path: Path, entry: Entry, gone: set[str]) -> int:
        """Remove one entry whose files nobody holds, note their names, and return the bytes that are free then."""
        with contextlib.suppress(OSError, CacheError):
            files = [self.objects / name for name, _ in values.files_of(_read_entry(path)["meta"])]
            claims = [try_pin(file, alone=True) for file in files if file.exists()]
            for claim in claims:
                if claim is not None:
                    os.close(claim)
            if None not in claims:
                path.unlink()
                gone.update(file.name for file in files)
                return entry.bytes
        return 0

    def _remove_unused(self, gone: Collection[str] = (), *, everything: bool = False) -> None:
        """Remove files that no entry has: old ones, and those whose entry is `gone`; and what is long in quarantine."""
        used = {name for path, _ in self._entries() for name, _ in values.files_of(_read_entry(path)["meta"])}
        for path, _ in self._files():
            if path.name not in used and (everything or path.name in gone or not _is_fresh(path)):
                path.unlink(missing_ok=True)
                (self.root / "checked" / path.stem).unlink(missing_ok=True)
        for path in (self.root / "quarantine").glob("*"):
            if everything or _age(path) > 7 * _DAY:
                path.unlink(missing_ok=True)


_MOST_PINS = 256
_FRESH = 3600.0
"""Seconds in which a file without an entry may be one that another process is about to enter."""


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}, key=lambda name: (name not in now, name)):
        old, new = before.get(name), now.get(name)
        if old is None:
            yield f"{name} is new"
        elif new is None:
            yield f"{name} is gone"
        elif old != new:
            yield (
                f"{name} changed from {old} to {new}"
                if name in _VERSIONS or name.startswith("module ")
                else (f"{name} changed")
            )


_VERSIONS = ("polars", "python")


# --- files -----------------------------------------------------------------------------------------------------------


def _read_entry(path: Path) -> dict[str, Any]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a third of the time of Path.open
        return from_bytes(file.readall(), path.stem)


def from_bytes(content: bytes, key: str) -> dict[str, Any]:
    """Return the entry that some bytes are of.

    Raises:
        DamagedEntryError: they are not those that were written, or the entry is of another version or key.
    """
    from xxhash import xxh3_128_hexdigest

    digest, _, text = content.partition(b"\n")
    if xxh3_128_hexdigest(text).encode() != digest:
        raise DamagedEntryError(f"the entry {key} holds other bytes than were written")
    found: dict[str, Any] = json.loads(text)
    if found.get("format") != _FORMAT or found.get("key") != key:
        raise DamagedEntryError(f"the entry {key} is of another version of Glacier, or of another key")
    return found


def _as_bytes(entry: Mapping[str, Any]) -> bytes:
    from xxhash import xxh3_128_hexdigest

    text = json.dumps(entry, separators=(",", ":")).encode()
    return xxh3_128_hexdigest(text).encode() + b"\n" + text


def as_entry(found: Mapping[str, Any], used: float) -> Entry:
    """Return what an entry's file says as an item of a list."""
    meta, because = found["meta"], tuple(found["because"])
    told = (found["key"], found["task"], meta["kind"], meta["rows"], meta["bytes"], found["created"])
    return Entry(*told, used, found["parts"], because)


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{os.getpid()}-{time.monotonic_ns()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        why = "the disk of the cache is full" if values.is_full(error) else f"an entry cannot be written: {error}"
        raise CacheError(why, hint="free some space, or `glacier cache clear`") from error


def _seen(path: Path) -> tuple[int, ...]:
    """Return what the kernel says of a file: inode, size, times of modification and change, and which run it is of."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, _boot()


_BOOT: list[int] = []


def _boot() -> int:
    """Return a number of this run of the machine; where it is not to be had, one of this process."""
    if not _BOOT:
        try:
            _BOOT.append(int(Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", ""), 16))
        except (OSError, ValueError):
            _BOOT.append(time.time_ns())
    return _BOOT[0]


def _read_mark(mark: Path) -> tuple[int, ...] | None:
    try:
        return tuple(int(each) for each in mark.read_text().split())
    except (OSError, ValueError):
        return None


def _write_mark(mark: Path, seen: tuple[int, ...]) -> None:
    with contextlib.suppress(OSError, CacheError):
        _write_whole(mark, " ".join(map(str, seen)).encode())


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0


def _is_fresh(path: Path) -> bool:
    """Whether a file without an entry may still get one: it is young, or the draft of a process that lives."""
    if _age(path) < _FRESH:
        return True
    pid = path.name[1:].partition("-")[0] if path.suffix == ".tmp" else ""
    return pid.isdigit() and Path(f"/proc/{pid}").exists()
