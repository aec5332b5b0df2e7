"""This machine: buckets are folders, functions are Python functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.base import Provider
from glacier.providers.local.config import LocalConfig
from glacier.providers.local.serverless import LocalFunctions
from glacier.providers.local.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.resources import Bucket

__all__ = ["LocalProvider"]


class LocalProvider(Provider):
    """Resources on this machine: `LocalProvider(config=LocalConfig(base_path="./data"))`.

    The base folder is made at once when the config has `create_dirs`. Any cloud's bucket and function configs are
    kept as they are: a disk has no storage classes.

    Raises:
        ConfigError: the base folder cannot be made, or is a file.
        AccessError: it may not be made.
    """

    kind = "local"
    config_class = LocalConfig
    VARIABLES: ClassVar[Mapping[str, tuple[str, ...]]] = {"base_path": ("GLACIER_BASE_PATH",)}

    def __init__(self, config: Any = None, *, strict: bool = False, **fields: Any) -> None:
        super().__init__(config, strict=strict, **fields)
        base = self.config.base_path.expanduser().absolute()
        self._storage = LocalStorage(base, self.config.layout, self.config.create_dirs)
        self._functions = LocalFunctions(base)
        self._storage.make_base()

    @property
    def storage(self) -> LocalStorage:
        """The object storage."""
        return self._storage

    @property
    def functions(self) -> LocalFunctions:
        """The functions."""
        return self._functions

    def bucket(self, name: str, path: str, format: str | None = None, config: Any = None) -> Bucket:
        """Make a bucket resource; a warning says when it shares a file with another bucket.

        Raises:
            ConfigError: name, path or format is not allowed here.
        """
        made = super().bucket(name, path, format, config)
        self.storage.meet(name, path)
        return made
