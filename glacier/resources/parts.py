"""An object that is read in parts: what was fetched is kept and counted, and nothing is fetched twice."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from obstore.store import ObjectStore

__all__ = ["LIMIT", "STEP", "Parts", "Range", "Unclear", "readable"]

STEP = 64 << 10
"""Bytes of the first request."""
LIMIT = 16 << 20
"""Bytes of one object that a preview fetches at most."""

_GAP = 16 << 10
"""Bytes between two ranges that are fetched with them, to save a request."""
_AT_ONCE = 8
"""Requests that are sent side by side."""

Range = tuple[int, int]


class Unclear(Exception):
    """What was fetched does not tell: Polars has to read the object by itself."""


class Parts:
    """An object of a store, of which some ranges are fetched; a range is (first byte, byte after the last).

    Making one fetches the first 64 KiB, with `back=True` the last. Without `size` that is also how the size becomes
    known: an object costs no request of its own for it, but on Azure, which cannot count from the end.

    Attributes:
        size: bytes of the object.

    Raises:
        Unclear: the object is empty, or was replaced while it was read.
        FileNotFoundError: there is no such object.
    """

    def __init__(self, store: ObjectStore, key: str, size: int | None = None, *, back: bool = False) -> None:
        self._store, self._key = store, key
        self._held: dict[int, bytes] = {}
        self._mark: str | None = None
        self.size = self._first(back) if size is None else size
        if not self.size:
            raise Unclear("the object is empty")
        self.fetch([(max(self.size - STEP, 0), self.size) if back else (0, min(STEP, self.size))])

    @property
    def fetched(self) -> int:
        """The bytes that were fetched so far."""
        return sum(len(data) for data in self._held.values())

    def front(self, count: int) -> bytes:
        """Return the first bytes, all of them if the object is shorter."""
        end = min(count, self.size)
        self.fetch([(0, end)])
        return self.read(0, end)

    def back(self, count: int) -> bytes:
        """Return the last bytes, all of them if the object is shorter."""
        start = max(self.size - count, 0)
        self.fetch([(start, self.size)])
        return self.read(start, self.size)

    def read(self, start: int, end: int) -> bytes:
        """Return a range that was fetched before."""
        held = sorted(self._held.items())
        return b"".join(data[max(start - at, 0) : max(end - at, 0)] for at, data in held)

    def fetch(self, wanted: Iterable[Range]) -> None:
        """Fetch what is missing of some ranges, side by side.

        Raises:
            Unclear: a range lies outside the object, or the object was replaced.
        """
        missing = [gap for near in _merged(wanted, self.size) for gap in self._missing(*near)]
        if missing:
            with ThreadPoolExecutor(min(len(missing), _AT_ONCE)) as pool:
                sizes = set(pool.map(self._get, missing))
            if sizes != {self.size}:
                raise Unclear("the object was replaced since it was listed")

    @contextmanager
    def file(self, folder: str = "", patches: Mapping[int, bytes] | None = None) -> Generator[Path]:
        """Give a sparse local file of the object's size with every part in its place; the rest of it is a hole.

        `folder` is where it lies below a folder of its own, for the sake of names like `year=2024`. `patches` are
        bytes that differ from the object's, by position.

        Raises:
            Unclear: there is no place for it, or reading it in the block failed.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="glacier-", ignore_cleanup_errors=True) as root:
                path = Path(root, folder, "object")
                path.parent.mkdir(parents=True, exist_ok=True)
                self._save(path, patches or {})
                yield path
        except OSError as error:
            raise Unclear(f"no sparse file: {error}") from error

    def _save(self, path: Path, patches: Mapping[int, bytes]) -> None:
        with path.open("wb") as file:
            file.truncate(self.size)
            for at, data in (*self._held.items(), *patches.items()):
                file.seek(at)
                file.write(data)

    def _missing(self, start: int, end: int) -> Iterator[Range]:
        for at, data in sorted(self._held.items()):
            if start < at + len(data) and at < end:
                if start < at:
                    yield start, at
                start = at + len(data)
        if start < end:
            yield start, end

    def _first(self, back: bool) -> int:
        import obstore
        from obstore.exceptions import GenericError, NotSupportedError

        try:
            return self._get({"suffix": STEP} if back else (0, STEP))
        except (GenericError, NotSupportedError) as error:
            # Azure knows no range from the end, and no store a range of an empty object.
            size = obstore.head(self._store, self._key)["size"]
            if size and isinstance(error, GenericError):
                raise
            return size

    def _get(self, asked: Any) -> int:
        """Fetch a range, of the same version of the object as before, and return the object's size."""
        import obstore
        from obstore.exceptions import PreconditionError

        options: Any = {"range": asked} if self._mark is None else {"range": asked, "if_match": self._mark}
        try:
            found = obstore.get(self._store, self._key, options=options)
            self._held[found.range[0]] = bytes(found.bytes())
        except PreconditionError as error:
            raise Unclear("the object was replaced while it was read") from error
        self._mark = found.meta["e_tag"]
        return found.meta["size"]


def _merged(ranges: Iterable[Range], size: int) -> list[Range]:
    """Join ranges that touch, overlap or nearly touch."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if not 0 <= start <= end <= size:
            raise Unclear(f"bytes {start} to {end} of an object of {size}")
        if merged and start - merged[-1][1] <= _GAP:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def readable(size: int) -> str:
    """Return a number of bytes as people say it: `readable(34_700_000)` is `'34.7 MB'`."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    value, step = float(size), 0
    while value >= 999.5 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {units[step]}" if step else f"{size} bytes"
