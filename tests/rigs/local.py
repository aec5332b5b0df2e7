"""The rig of this machine: a folder."""

from pathlib import Path
from typing import Any

from glacier.config import LocalConfig
from glacier.providers import LocalProvider
from rigs.base import PrefixedRig


class LocalRig(PrefixedRig):
    """`names` shows the files that are there: obstore would hide unfinished ones."""

    supports = frozenset[str]()
    secrets = ()
    never = {
        "buckets": "a bucket is a folder, which the first write makes",
        "credentials": "the file system asks for none",
        "keys": "the file system asks for none",
        "users": "the tests may run as root, who may write everything",
        "web": "a file:// URL is the file's own address",
        "signatures": "a file:// URL is the file's own address",
    }

    def __init__(self, folder: Path) -> None:
        self.base = folder / "base"
        self.root = self.base / self.bucket_name
        self.root.mkdir(parents=True)
        self.address = f"{self.root}/"
        self.provider = self.another()

    def another(self, **fields: Any) -> LocalProvider:
        return LocalProvider(config=LocalConfig(**{"base_path": self.base, **fields}))

    def make_bucket(self, name: str) -> str:
        (self.base / name).mkdir(exist_ok=True)
        return name

    def put(self, path: str, data: bytes) -> None:
        file = self.root / self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def get(self, path: str) -> bytes:
        return (self.root / self.path(path)).read_bytes()

    def names(self) -> list[str]:
        mine = self.root / self.prefix
        return sorted(str(file.relative_to(mine)) for file in mine.rglob("*") if file.is_file())
