"""Running with the data of another environment: `pipeline.run(read=prod)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import AccessError, PipelineError
from glacier.resources import Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.usage import Access

__all__ = ["Reading"]


class Reading:
    """Says for each access of a run which resource is meant: what is read is `source`'s, what is written is `own`'s.

    A resource of `own` stands for the one that `source` has registered under the same name, or else, of a bucket, for
    that bucket and path of `source`'s provider. What the run has written itself it reads from where it wrote it. No
    resource of `source` is written.
    """

    def __init__(self, own: Any, source: Any) -> None:
        self._own = own
        self._source = source
        self._names = {id(resource): name for name, resource in own.resources.items()}
        self._theirs = {id(resource) for resource in source.resources.values()}
        self._written: set[tuple[str, str] | int] = set()
        self._to_write: set[int] = set()

    def of(self, resource: Any, access: str) -> Any:
        """Return the resource that an access is meant for.

        Raises:
            AccessError: it would write to the environment that is only read.
        """
        if access == "write":
            self._check_writable(resource)
            self._written.add(_identity(resource))
            return resource
        if _identity(resource) in self._written or self._is_theirs(resource):
            return resource
        name = self._names.get(id(resource))
        if name is not None and name in self._source.resources:
            return self._source.resources[name]
        if isinstance(resource, Bucket):
            return self._source.provider.bucket(resource.bucket_name, path=resource.path, format=resource.format)
        return resource

    def address(self, resource: Any) -> Any:
        """Return the resource whose address is meant, where the task's source says whether it reads or writes it.

        Raises:
            PipelineError: that cannot be told.
        """
        if id(resource) in self._to_write or self._is_theirs(resource):
            return resource
        raise PipelineError(
            f"whether {resource!r} is read or written by its address cannot be told, and this run reads from "
            f"environment {self._source.name!r}",
            hint="use its scan(), read(), write() or sink()",
        )

    def argument(self, resource: Any, access: Access) -> Any:
        """Return the resource that a task is given whose source says how it uses it."""
        if access == "read":
            return self.of(resource, "read")
        if access == "write":
            self._to_write.add(id(resource))
        return resource

    def arguments(self, given: Mapping[str, Any], accesses: Mapping[str, Access]) -> dict[str, Any]:
        """Return a task's arguments with the resources that are meant."""
        return {
            name: self.argument(value, accesses[name]) if name in accesses else value for name, value in given.items()
        }

    def _check_writable(self, resource: Any) -> None:
        if self._is_theirs(resource):
            raise AccessError(
                f"{resource!r} belongs to environment {self._source.name!r}, which this run only reads",
                hint=f"write to a resource of environment {self._own.name!r}",
            )

    def _is_theirs(self, resource: Any) -> bool:
        provider = getattr(resource, "provider", None)
        theirs = provider is not None and provider is self._source.storage and provider is not self._own.storage
        return theirs or (id(resource) in self._theirs and id(resource) not in self._names)


def _identity(resource: Any) -> tuple[str, str] | int:
    return (resource.bucket_name, resource.path) if isinstance(resource, Bucket) else id(resource)
