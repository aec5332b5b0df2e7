"""Running with the data of another environment: `pipeline.run(read=prod)`."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from glacier.errors import AccessError, ConfigError, GlacierError, PipelineError
from glacier.resources import Bucket, polars_functions
from glacier.resources.formats import is_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.usage import Access

__all__ = ["Reading"]


class Reading:
    """Says for each access of a run which resource is meant: what is read is `source`'s, what is written is `own`'s.

    A resource of `own` stands for the one that `source` has registered under the same name, or else, of a bucket, for
    that bucket and path of `source`'s provider. What the run has written itself it reads from where it wrote it. No
    resource of `source` is written.

    Raises:
        ConfigError: they are one environment.
    """

    def __init__(self, own: Any, source: Any) -> None:
        if own is source:
            raise ConfigError(
                f"a run in environment {own.name!r} writes to it, and cannot only read from it",
                hint="name another one, or leave out read=",
            )
        polars_functions.prepare()
        self._own = own
        self._source = source
        self._resources = dict(source.resources)
        self._provider = source.provider
        self._storage = source.storage
        self._names = {id(resource): name for name, resource in own.resources.items()}
        self._theirs = {id(resource) for resource in self._resources.values()}
        buckets = {name: each for name, each in self._resources.items() if isinstance(each, Bucket)}
        self._places = {place: name for name, each in buckets.items() if (place := _place(each)) is not None}
        self._written: set[tuple[str, str] | int] = set()
        self._to_write: set[int] = set()

    def of(self, resource: Any, access: str) -> Any:
        """Return the resource that an access is meant for.

        Raises:
            AccessError: it would write to the environment that is only read.
        """
        if access == "write":
            self.check_writable(resource)
            self._written.add(_identity(resource))
            return resource
        if _identity(resource) in self._written or self.is_theirs(resource):
            return resource
        name = self._names.get(id(resource))
        if name is not None and name in self._resources:
            return self._resources[name]
        if isinstance(resource, Bucket):
            return self._provider.bucket(resource.bucket_name, path=resource.path, format=resource.format)
        return resource

    def address(self, resource: Any) -> Any:
        """Return the resource whose address is meant, where the task's source says whether it reads or writes it.

        Raises:
            PipelineError: that cannot be told.
        """
        if id(resource) in self._to_write or self.is_theirs(resource):
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

    def is_theirs(self, resource: Any) -> bool:
        """Whether a resource is of the environment that is only read."""
        provider = getattr(resource, "provider", None)
        theirs = provider is not None and provider is self._storage and provider is not self._own.storage
        return theirs or (id(resource) in self._theirs and id(resource) not in self._names)

    def check_writable(self, target: Any) -> None:
        """Refuse to write to a resource, or to an address as text, that belongs to the environment that is only read.

        Raises:
            AccessError: it does, or it lies where one of its resources does.
        """
        name = self._named_there(target if isinstance(target, str) else _place(target))
        if name is None and (isinstance(target, str) or not self.is_theirs(target)):
            return
        what = repr(target) if name is None else f"{target!r}, which is its {name!r},"
        raise AccessError(
            f"{what} belongs to environment {self._source.name!r}, which this run only reads",
            hint=f"write to a resource of environment {self._own.name!r}",
        )

    def _named_there(self, place: _Place | str | None) -> str | None:
        """Return the name of the resource that lies at a place or around it."""
        if place is None:
            return None
        account, where = (None, _where(place)) if isinstance(place, str) else place
        known = self._places.items()
        same = ((around, name) for (other, around), name in known if account is None or other in (None, account))
        return next((name for around, name in same if _is_within(where, around)), None)


_Place = tuple[tuple[Any, ...] | None, str]


def _place(resource: Any) -> _Place | None:
    """Return where a bucket's object lies, whatever the provider is called that leads there."""
    if not isinstance(resource, Bucket):
        return None
    try:
        where = _where(resource.uri)
    except GlacierError:
        return None
    if "://" not in where:
        return None, where
    known = ("endpoint_url", "storage_account", "subscription_id", "resource_group")
    return tuple(getattr(resource.provider.config, name, None) for name in known), where


def _is_within(where: str, around: str) -> bool:
    """Whether an address is another one, lies in the folder that it names, or matches it."""
    return where == around or where.startswith(f"{around}/") or (is_pattern(around) and fnmatch(where, around))


def _where(address: str) -> str:
    return address if "://" in address else os.path.realpath(address)


def _identity(resource: Any) -> tuple[str, str] | int:
    return (resource.bucket_name, resource.path) if isinstance(resource, Bucket) else id(resource)
