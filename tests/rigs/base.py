"""What the rigs share: paths of the running test's own, and a store to look into from the outside."""

import io
from pathlib import Path
from typing import Any, ClassVar

import obstore

from glacier.resources import Bucket, ObjectInfo


class PrefixedRig:
    """A rig whose tests each have a folder of the one bucket."""

    bucket_name = "contract"
    prefix = "nobody"
    environment: ClassVar[dict[str, str]] = {}
    provider: Any
    store: Any

    def bucket(self, path: str, format: str | None = None, provider: Any = None) -> Bucket:
        return (provider or self.provider).bucket(self.bucket_name, self.path(path), format)

    def path(self, path: str) -> str:
        return f"{self.prefix}/{path}"

    def listed(self, entries: list[ObjectInfo]) -> list[str]:
        assert all(entry.path.startswith(f"{self.prefix}/") for entry in entries)
        return [entry.path.removeprefix(f"{self.prefix}/") for entry in entries]

    def put(self, path: str, data: bytes) -> None:
        obstore.put(self.store, self.path(path), io.BytesIO(data))

    def get(self, path: str) -> bytes:
        return bytes(obstore.get(self.store, self.path(path)).bytes())

    def names(self) -> list[str]:
        keys = [meta["path"] for meta in obstore.list(self.store, self.prefix).collect()]
        keys += [f"{key}#" for key in self.unfinished()]
        return sorted(key.removeprefix(f"{self.prefix}/") for key in keys)

    def unfinished(self) -> list[str]:
        """Return the keys of uploads that were begun and neither completed nor given up."""
        return []


class CloudRig(PrefixedRig):
    """A rig on a server."""

    supports: ClassVar[frozenset[str]]

    def __init__(self, folder: Path, server: Any) -> None:
        self.folder = folder
        self.server = server
        self._made: set[str] = set()
        self.make_bucket(self.bucket_name)
        self.store = server.store(self.bucket_name)
        self.provider = self.another()

    def make_bucket(self, name: str) -> str:
        if name not in self._made:
            self._made.add(self.server.make_bucket(name))
        return name

    def another(self, **fields: Any) -> Any:
        raise NotImplementedError
