"""What an environment's resources hold: environment, resources, objects, as a tree."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from glacier import tables
from glacier.addresses import bucket_of, first_entries, is_address
from glacier.errors import ConfigError, GlacierError, ResourceNotFoundError
from glacier.jsonable import jsonable
from glacier.resources import Bucket, Serverless
from glacier.resources.parts import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier.environment import GlacierEnv
    from glacier.resources import ObjectInfo

__all__ = ["Listing", "Place", "browse", "bucket_in"]

_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Place:
    """A resource and the first of its objects; `problem` says why they could not be listed."""

    name: str
    kind: str
    address: str
    format: str | None = None
    objects: tuple[ObjectInfo, ...] = ()
    more: bool = False
    problem: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the objects that are listed."""
        return sum(each.size for each in self.objects)


@dataclass(frozen=True)
class Listing:
    """The resources of an environment with their objects."""

    environment: str
    places: tuple[Place, ...]
    pattern: str = "*"

    def plain(self) -> dict[str, Any]:
        """Return the tree in JSON's own types."""
        return jsonable({"environment": self.environment, "resources": [asdict(place) for place in self.places]})

    @property
    def _title(self) -> str:
        if is_address(self.pattern):
            return f"{self.pattern!r}: {tables.counted(sum(len(place.objects) for place in self.places), 'object')}"
        if self.places or self.pattern == "*":
            return f"{self.environment}: {tables.counted(len(self.places), 'resource')}"
        return f"{self.environment}: no resource matches {self.pattern!r}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [row for place in self.places for row in _rows(place)]

    def __str__(self) -> str:
        lines = tables.text((), self._rows(), right=(2,)).splitlines() if self.places else ()
        return "\n".join([self._title, *(f"  {line}" for line in lines)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        head = ("resource, object", "address", "size", "modified (UTC)")
        rows = tables.html(head, self._rows(), right=(2,)) if self.places else ""
        return tables.block(tables.line(self._title, "b"), rows)


def browse(env: GlacierEnv, pattern: str = "*", limit: int = 100) -> Listing:
    """List an environment's resources and up to `limit` objects of each, several resources side by side.

    `pattern` matches names of resources (`sales*`) or, with a slash, their objects (`sales_raw/2024/*`); an address, as
    of `bucket_in`, lists what is there instead. What cannot be reached is listed with its problem.

    Raises:
        ConfigError: the limit is below 1, or the address is none.
    """
    if limit < 1:
        raise ConfigError(f"limit={limit} lists nothing", hint="1 or more")
    if is_address(pattern):
        return Listing(env.name, (_place(pattern, bucket_of(pattern), limit=limit, inside=""),), pattern)
    wanted, _, inside = pattern.partition("/")
    chosen = [(name, each) for name, each in env.resources.items() if fnmatchcase(name, wanted or "*")]
    look = partial(_place, limit=limit, inside=inside)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return Listing(env.name, tuple(pool.map(look, *zip(*chosen, strict=True)) if chosen else ()), pattern)


def bucket_in(env: GlacierEnv, target: str) -> Any:
    """Return what a text names in an environment: a resource, `RESOURCE/OBJECT`, or an address.

    An address is `s3://bucket/path`, `gs://...`, `az://...` or a path on this machine that begins with /, ./, ../ or ~.

    Raises:
        ResourceNotFoundError: there is no such resource; the error suggests the nearest name.
        ConfigError: the address is of an unknown scheme.
    """
    if target in env.resources:
        return env.get(target)
    if is_address(target):
        return bucket_of(target)
    name, slash, path = target.partition("/")
    if not slash or name not in env.resources:
        if os.path.lexists(target):
            hint = f"a path on this machine begins with ./ here: ./{target}"
            raise ResourceNotFoundError(f"environment {env.name!r} has no resource {target!r}", hint=hint)
        return env.get(target)
    resource = env.get(name)
    if not isinstance(resource, Bucket):
        raise ResourceNotFoundError(f"resource {name!r} of environment {env.name!r} is no bucket")
    return resource.provider.bucket(resource.bucket_name, path)


def _place(name: str, resource: Any, *, limit: int, inside: str) -> Place:
    if isinstance(resource, Serverless):
        return Place(name, "serverless", f"{resource.function_name} ({resource.handler})")
    if not isinstance(resource, Bucket):
        return Place(name, type(resource).__name__, "")
    place = partial(Place, name, "bucket", resource.uri, resource.format)
    try:
        objects, more = first_entries(resource, limit, inside)
    except FileNotFoundError:
        return place(problem="nothing there yet")
    except GlacierError as error:
        return place(problem=error.message)
    problem = f"no object matches {inside!r}" if inside and not objects else None
    return place(tuple(objects), more, problem)


def _rows(place: Place) -> Sequence[tuple[str, ...]]:
    note = place.problem or ("first objects only" if place.more else "")
    head = (place.name, place.address, readable(place.size) if place.objects else "", note)
    objects = [
        (f"  {each.path}", "", readable(each.size), each.modified.astimezone(UTC).strftime("%Y-%m-%d %H:%M"))
        for each in place.objects
    ]
    return [head, *objects]
