"""Which objects a bucket's path stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier.resources.formats import is_pattern, matcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

    from glacier.resources.bucket import Bucket

__all__ = ["ObjectInfo", "entries", "literal"]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object: path in the bucket, bytes, time of the last change (aware), version mark."""

    path: str
    size: int
    modified: datetime
    etag: str | None


def entries(bucket: Bucket) -> Iterator[ObjectInfo]:
    """Yield the objects, in the order of the store.

    Raises:
        FileNotFoundError: the path is neither a pattern nor a folder, and there is no such object.
    """
    storage, name, path = bucket.storage, bucket.bucket_name, bucket.path
    store, key = storage.store(name), storage.key(name, path)
    above = key.removesuffix(path)
    if is_pattern(path):
        matches = matcher(path)
        yield from (entry for entry in _below(store, storage.prefix(name, path), above) if matches(entry.path))
    elif storage.is_folder(name, path):
        yield from _below(store, storage.prefix(name, path), above)
    else:
        yield _info(_head(store, key), above)


def _head(store: ObjectStore, key: str) -> ObjectMeta:
    import obstore
    from obstore.exceptions import GenericError

    try:
        return obstore.head(store, key)
    except GenericError as error:
        # ENOTDIR, of a disk: below a file there is nothing.
        raise (FileNotFoundError(key) if "os error 20" in str(error) else error) from error


def _below(store: ObjectStore, prefix: str, above: str) -> Iterator[ObjectInfo]:
    import obstore

    for chunk in obstore.list(store, prefix=prefix or None):
        for meta in chunk:
            if meta["path"].startswith(above):
                yield _info(meta, above)


def _info(meta: ObjectMeta, above: str) -> ObjectInfo:
    # Google and Azure write the mark in quotes in a header, and without them in a list.
    mark = meta["e_tag"] and meta["e_tag"].strip('"')
    return ObjectInfo(meta["path"].removeprefix(above), meta["size"], meta["last_modified"], mark)


def literal(pattern: str) -> str:
    """Return the folder that everything a pattern matches lies in."""
    parts = pattern.split("/")
    first = next(index for index, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:first])
