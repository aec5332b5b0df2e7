"""Atomic writes: readers see the old object or the new one, whatever happens to the writer.

Polars publishes what a failed sink has written so far, and goes on writing for a moment after the error. So a sink
never gets the object itself: it writes into a `Draft`, which becomes the object when, and only when, all went well.
"""

from __future__ import annotations

import io
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any, cast

from glacier import context

if TYPE_CHECKING:
    import polars as pl
    from obstore.store import ObjectStore

    from glacier.resources.formats import Format

__all__ = ["create", "replace"]

Guard = Callable[[], AbstractContextManager[None]]

_PART = 16 << 20
"""Bytes of a part, and what is held back before the first leaves: smaller objects are written in one request.

S3 takes 10,000 parts (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html): objects of up to 160 GB.
"""
_AT_ONCE = 2
"""Parts on their way at once. Each must arrive within the 28 s that a store may say nothing: 10 Mbit/s suffice."""


def replace(store: ObjectStore, key: str, form: Format, frame: pl.LazyFrame, guard: Guard) -> None:
    """Write a query's result as an object, in place of the old one if there is any.

    `guard` surrounds every dealing with the store; the query runs outside it, so that its errors stay its own.

    Raises:
        GlacierError: what `guard` makes of the store's errors.
        TaskCancelledError: the run was cancelled meanwhile; the old object stays.
        Exception: the query's own error.
    """
    try:
        _write(Draft(store, key, guard), form, frame)
    except context.AloneError:
        _write(Draft(store, key, guard), form, frame)


def _write(draft: Draft, form: Format, frame: pl.LazyFrame) -> None:
    try:
        form.sink(frame, cast("IO[bytes]", draft))
        _still_wanted()
        draft.commit()
    except BaseException:
        draft.abandon()
        if draft.error is not None:
            raise draft.error from draft.error.__cause__
        raise


def _still_wanted() -> None:
    using = context.usage.get()
    if using is not None:
        using.check()


def create(store: ObjectStore, key: str, form: Format, frame: pl.LazyFrame, guard: Guard) -> None:
    """Write a query's result as a new object; of several writers at once only one succeeds.

    Raises:
        ObjectExistsError: there is an object, if `guard` says so.
        GlacierError, Exception: as `replace` does.
    """
    import obstore

    with tempfile.TemporaryFile() as file:
        form.sink(frame, cast("IO[bytes]", file))
        file.seek(0)
        _still_wanted()
        with guard():
            obstore.put(store, key, file, mode="create")


class Draft(io.RawIOBase, context.Redoable):
    """A file that becomes an object on `commit`, and nothing at all on `abandon`.

    What is written is held back until it is more than one part; then a thread of its own sends part after part while
    Polars goes on. On `abandon` the store is told to forget the parts that it already has.

    `error` is what the store last refused: Polars would tell of it only in words.
    """

    def __init__(self, store: ObjectStore, key: str, guard: Guard) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._guard = guard
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._size = 0
        self._parts: queue.Queue[list[bytes] | None] = queue.Queue(maxsize=2)
        self._sender: threading.Thread | None = None
        self._open = True
        self._abandoned = False
        self.error: Exception | None = None

    def writable(self) -> bool:
        """Say that this is a file to write to."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes.

        Raises:
            ValueError: the draft was committed or abandoned before.
            GlacierError: the store refused an earlier part.
        """
        with self._lock:
            if not self._open:
                raise ValueError("this draft is closed")
            # No copy where they are bytes already, as Polars' are.
            self._held.append(bytes(data))
            self._size += len(self._held[-1])
            if self._size >= _PART:
                self._send()
        return len(data)

    def commit(self) -> None:
        """Make the draft the object.

        Raises:
            GlacierError: the store refused it.
        """
        import obstore

        with self._lock:
            self._open = False
            if self._sender is None:
                with self._guard():
                    obstore.put(self._store, self._key, io.BytesIO(b"".join(self._held)), use_multipart=False)
                return
            self._send()
        self._finish()

    def abandon(self) -> None:
        """Forget what was written; whoever writes on meets an error."""
        with self._lock:
            self._open = False
            self._abandoned = True
            self._held.clear()
        if self._sender is not None:
            self._hand_over(None)
            self._sender.join()

    def _send(self) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._upload, name="glacier-upload", daemon=True)
            self._sender.start()
        part, self._held, self._size = self._held, [], 0
        self._hand_over(part)

    def _finish(self) -> None:
        self._hand_over(None)
        if self._sender is not None:
            self._sender.join()
        if self.error is not None:
            raise self.error

    def _hand_over(self, part: list[bytes] | None) -> None:
        """Give the sender a part, None for the end, unless it has ended by itself."""
        while self._sender is not None and self._sender.is_alive():
            try:
                self._parts.put(part, timeout=0.1)
            except queue.Full:
                continue
            return
        if self.error is not None and not self._abandoned:
            raise self.error

    def _upload(self) -> None:
        import obstore

        try:
            with self._guard():
                obstore.put(
                    self._store,
                    self._key,
                    self._received(),
                    use_multipart=True,
                    chunk_size=_PART,
                    max_concurrency=_AT_ONCE,
                )
        except _AbandonedError:
            return
        except Exception as error:
            self.error = error

    def _received(self) -> Iterator[bytes]:
        """Yield the parts; raising here makes obstore tell the store to forget them."""
        while (part := self._parts.get()) is not None:
            yield from part
        if self._abandoned:
            raise _AbandonedError


class _AbandonedError(Exception):
    """The query failed: nothing of this upload is wanted."""
