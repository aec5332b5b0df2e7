"""What a provider must supply, and nothing more: everything else is written once, over these protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future
    from datetime import timedelta

    from obstore.store import ObjectStore

__all__ = ["Functions", "ResourceProvider", "Storage"]


class ResourceProvider(Protocol):
    """Where resources come from: a cloud, this machine, or a stand-in of the user's own."""

    @property
    def config(self) -> Any:
        """The settings of the provider."""
        ...

    def bucket(self, name: str, path: str, format: str | None = None, config: Any = None) -> Any:
        """Make a bucket resource."""
        ...

    def serverless(self, name: str, handler: str, runtime: str | None = None, config: Any = None) -> Any:
        """Make a function resource."""
        ...

    def env(self, name: str = "default", **options: Any) -> Any:
        """Make an environment of this provider."""
        ...

    def get_provider_type(self) -> str:
        """Name the kind of provider: `"local"`, `"aws"`, `"gcp"`, `"azure"` or another."""
        ...


class Storage(Protocol):
    """The object storage of one provider: where things are, not how they are read or written.

    `path` is always relative to the bucket, and may be a pattern (`2024/*.parquet`) where something is only read.
    """

    def store(self, bucket_name: str) -> ObjectStore:
        """Return an obstore store in which `key` finds the bucket's objects."""
        ...

    def key(self, bucket_name: str, path: str) -> str:
        """Return the key of `path` in `store`; it ends with `path`. Called before every access.

        Raises:
            ConfigError: the bucket's name or the path is not allowed here.
        """
        ...

    def uri(self, bucket_name: str, path: str) -> str:
        """Return the address that users and Polars know an object by."""
        ...

    def scan_target(self, bucket_name: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return what Polars scans, and the arguments (credentials, endpoint) with which it does.

        An object is given as it is, a folder of objects with `/` at its end, and a pattern so that nothing but its
        `*`, `?` and `**` is special to Polars.
        """
        ...

    def prefix(self, bucket_name: str, path: str) -> str:
        """Return the key of the folder in which everything lies that a pattern or folder `path` stands for.

        Raises:
            ConfigError: something in there must not be read.
        """
        ...

    def is_there(self, bucket_name: str) -> bool:
        """Whether there is such a bucket to be seen; asked when something in it was not found."""
        ...

    def is_folder(self, bucket_name: str, path: str) -> bool:
        """Whether `path` names a folder of objects rather than an object."""
        ...

    def prepare(self, bucket_name: str, path: str) -> None:
        """Make the folders above `path`, where storage has folders.

        Raises:
            ConfigError: they cannot or may not be made.
        """
        ...

    def claim(self, bucket_name: str, path: str) -> None:
        """Make everything ready for a write to `path`, and clear away what killed writers left there.

        Raises:
            ConfigError: another bucket writes the same object.
        """
        ...

    def url(self, bucket_name: str, path: str, expires: timedelta) -> str:
        """Return a URL by which anyone reads the object until it expires."""
        ...


class Functions(Protocol):
    """The functions of one provider."""

    def check(self, name: str, handler: str) -> None:
        """Check name and handler of a function that is made.

        Raises:
            ConfigError: one of them is not allowed here.
        """
        ...

    def invoke(self, name: str, handler: str, payload: Any, config: Any) -> Any:
        """Call a function with a JSON value and return its JSON result."""
        ...

    def invoke_async(self, name: str, handler: str, payload: Any, config: Any) -> Future[Any]:
        """Call a function and return at once with a Future of its result."""
        ...

    def logs(self, name: str) -> list[str]:
        """Return the latest log lines of a function, oldest first."""
        ...

    def exists(self, name: str, handler: str) -> bool:
        """Whether the function is there to be called."""
        ...
