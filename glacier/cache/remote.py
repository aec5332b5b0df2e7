"""A store in a bucket, for several machines: what it holds is fetched once and kept near.

Entries and files have the names that they have in a store of this machine (see `store`), below the bucket's path. Both
are only ever created: of two machines that computed the same, the first to finish wins. A bucket has no locks, so that
two machines may compute the same at the same time; the processes of one do not. A bucket has no limit either: give it a
lifecycle rule. Whoever may write into the bucket decides what its readers compute with, but a pickle that another user
wrote is not read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from glacier.cache import values
from glacier.cache.store import DEFAULT_LIMIT, Entry, Store, Stored, as_entry, from_bytes
from glacier.errors import CacheError, DamagedEntryError
from glacier.home import home
from glacier.resources.border import crossing

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator, Mapping

__all__ = ["BucketStore"]


class BucketStore(Store):
    """Results by key in a bucket, with a store of this machine before it."""

    def __init__(self, bucket: Any, near: str | os.PathLike[str] | None = None, limit: int = DEFAULT_LIMIT) -> None:
        name = hashlib.blake2b(bucket.uri.encode(), digest_size=8).hexdigest()
        super().__init__(home() / "cache" / "near" / name if near is None else near, limit)
        self.bucket = bucket

    def get(self, key: str) -> Stored | None:
        """Return what is kept under a key, here or in the bucket; an error of the bucket is a miss, and is said."""
        found = super().get(key)
        if found is not None:
            return found
        try:
            content = self._fetched(self._remote_entry(key))
            return None if content is None else self.stored(from_bytes(content, key))
        except DamagedEntryError as error:
            self._say("", f"an entry in {self.bucket.uri} is not used: {error}")
            self._forget(self._remote_entry(key))
        except Exception as error:
            self._say("", f"the cache in {self.bucket.uri} cannot be read: {error}")
        return None

    def put(self, key: str, value: Any, parts: Mapping[str, str], task: str) -> Stored | None:
        """Keep a value here and in the bucket; a warning says where that cannot be done."""
        stored = super().put(key, value, parts, task)
        if stored is not None:
            try:
                self._upload(stored)
            except Exception as error:
                self._say(task, f"the result of task {task!r} is kept on this machine only: {error}")
        return stored

    def load(self, stored: Stored) -> Any:
        """Return the value of an entry, fetching what is not here yet."""
        for name, _ in values.files_of(stored.meta):
            if not (self.objects / name).exists():
                self._bring(name, stored)
        return super().load(stored)

    def entries(self, task: str | None = None) -> list[Entry]:
        """Return what the bucket holds, of one task or of all, the newest first."""
        found = [self._listed(key) for key in self._remote("entries/")]
        chosen = (entry for entry in found if entry is not None and task in (None, entry.task))
        return sorted(chosen, key=lambda entry: -entry.created)

    def clear(self, task: str | None = None) -> int:
        """Remove the entries of one task, or everything, here and in the bucket; return how many entries went."""
        gone = self.entries(task)
        for entry in gone:
            self._forget(self._remote_entry(entry.key))
        if task is None:
            for key in self._remote("objects/"):
                self._forget(key)
        super().clear(task)
        return len(gone)

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return self.bucket.uri

    # --- the bucket ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self, doing: str) -> Generator[Any]:
        with crossing(self.bucket, doing):
            yield self.bucket.storage.store(self.bucket.bucket_name)

    def _key(self, name: str) -> str:
        return self.bucket.storage.key(self.bucket.bucket_name, f"{self.bucket.path}/{name}")

    def _remote_entry(self, key: str) -> str:
        return self._key(f"entries/{key[:2]}/{key}.json")

    def _fetched(self, key: str) -> bytes | None:
        import obstore

        with self._opened("read the cache in") as store:
            try:
                return bytes(obstore.get(store, key).bytes())
            except FileNotFoundError:
                return None

    def _created(self, key: str, content: Any) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._opened("write to the cache in") as store, contextlib.suppress(AlreadyExistsError):
            obstore.put(store, key, content, mode="create")

    def _forget(self, key: str) -> None:
        import obstore

        with self._opened("clear the cache in") as store, contextlib.suppress(FileNotFoundError):
            obstore.delete(store, key)

    def _remote(self, folder: str) -> Iterator[str]:
        """Yield the keys below a folder of the bucket."""
        import obstore

        with self._opened("list the cache in") as store:
            for chunk in obstore.list(store, prefix=self._key(f"{folder}x")[:-2]):
                yield from (meta["path"] for meta in chunk)

    def _upload(self, stored: Stored) -> None:
        for name, _ in values.files_of(stored.meta):
            with (self.objects / name).open("rb") as file:
                self._created(self._key(f"objects/{name}"), file)
        self._created(self._remote_entry(stored.key), self.entry_path(stored.key).read_bytes())

    def _bring(self, name: str, stored: Stored) -> None:
        """Fetch a file; one with other bytes than were written is forgotten, and so is its entry."""
        key = self._key(f"objects/{name}")
        try:
            content = self._fetched(key)
            self.make_folders()
            values.keep_bytes(self.objects, name, content)
        except DamagedEntryError as error:
            self._say(stored.task, f"the kept result of task {stored.task!r} in {self.bucket.uri} is lost: {error}")
            self._forget(key)
            self._forget(self._remote_entry(stored.key))
            raise
        except CacheError:
            raise
        except Exception as error:
            raise DamagedEntryError(f"{name} cannot be fetched: {error}") from error

    def _listed(self, key: str) -> Entry | None:
        with contextlib.suppress(CacheError, json.JSONDecodeError):
            content = self._fetched(key)
            if content is not None:
                found = from_bytes(content, key.rpartition("/")[2].removesuffix(".json"))
                return as_entry(found, found["created"])
        return None
