"""Atomic writes: readers see the old object or the new one, whatever happens to the writer.

Polars publishes what a failed sink has written so far, and goes on writing for a moment after the error. So a sink
never gets the object itself: it writes into a `Draft`, which becomes the object when, and only when, all went well.
"""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any, cast

from glacier.errors import GlacierError

if TYPE_CHECKING:
    import polars as pl
    from obstore.store import ObjectStore

    from glacier.resources.formats import Format

__all__ = ["create", "replace"]

Guard = Callable[[], AbstractContextManager[None]]

_PART = 16 << 20
"""Bytes that are held back before the first part leaves: smaller objects are written in one request."""


def replace(store: ObjectStore, key: str, form: Format, frame: pl.LazyFrame, guard: Guard) -> None:
    """Write a query's result as an object, in place of the old one if there is any.

    `guard` surrounds every dealing with the store; the query runs outside it, so that its errors stay its own.

    Raises:
        GlacierError: what `guard` makes of the store's errors.
        Exception: the query's own error.
    """
    import obstore

    with guard():
        draft = Draft(obstore.open_writer(store, key, buffer_size=_PART), guard)
    try:
        form.sink(frame, cast("IO[bytes]", draft))
        draft.commit()
    except BaseException:
        draft.abandon()
        if draft.error is not None:
            raise draft.error from draft.error.__cause__
        raise


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
        with guard():
            obstore.put(store, key, file, mode="create")


class Draft(io.RawIOBase):
    """A file that becomes an object on `commit`, and nothing at all on `abandon`.

    `error` is what the store last refused a write with: Polars would tell of it only in words.
    """

    def __init__(self, writer: Any, guard: Guard) -> None:
        super().__init__()
        self._writer = writer
        self._guard = guard
        self._lock = threading.Lock()
        self.error: GlacierError | None = None

    def writable(self) -> bool:
        """Say that this is a file to write to."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes.

        Raises:
            ValueError: the draft was committed or abandoned before.
        """
        return self._with_writer(lambda writer: writer.write(data))

    def commit(self) -> None:
        """Make the draft the object."""
        self._with_writer(lambda writer: writer.close())
        self._writer = None

    def abandon(self) -> None:
        """Forget what was written; whoever writes on meets an error. The store drops its parts with the writer."""
        with self._lock:
            self._writer = None

    def _with_writer(self, act: Callable[[Any], Any]) -> Any:
        with self._lock:
            if self._writer is None:
                raise ValueError("this draft is closed")
            try:
                with self._guard():
                    return act(self._writer)
            except GlacierError as error:
                self.error = error
                raise
