"""The rig of this machine: a folder."""

from pathlib import Path

from glacier.config import LocalConfig
from glacier.providers import LocalProvider


class LocalRig:
    def __init__(self, folder: Path) -> None:
        self.bucket_name = "sales"
        self.root = folder / "base" / self.bucket_name
        self.root.mkdir(parents=True)
        self.provider = LocalProvider(config=LocalConfig(base_path=folder / "base"))

    def put(self, path: str, data: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)

    def get(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def names(self) -> list[str]:
        return sorted(str(file.relative_to(self.root)) for file in self.root.rglob("*") if file.is_file())
