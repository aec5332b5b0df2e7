"""Buckets by their address: what a command line is given instead of a registered resource."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier import registry
from glacier.errors import ConfigError, did_you_mean
from glacier.resources.border import crossing
from glacier.resources.formats import is_pattern
from glacier.resources.listing import entries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glacier.resources import Bucket, ObjectInfo

__all__ = ["bucket_of", "fields_of", "first_entries", "is_address", "provider_of"]

_SCHEMES = {"s3": "aws", "gs": "gcp", "az": "azure"}
_EVERYTHING = "**"
_LOOKED_THROUGH = 50_000
_BEGINNINGS = ("/", "./", "../", "~")
_SECRETS = {"account_key": "AZURE_STORAGE_KEY", "connection_string": "AZURE_STORAGE_CONNECTION_STRING"}


def is_address(target: str) -> bool:
    """Whether a text that may also be a name is an address: `s3://...`, or a path that begins with /, ./, ../ or ~."""
    return "://" in target or target.startswith(_BEGINNINGS)


def bucket_of(target: str, provider: str | None = None, *, format: str | None = None, **fields: Any) -> Bucket:
    """Return the bucket resource of an address; nothing is touched, and no folder is made.

    Args:
        target: `s3://bucket/path`, `gs://bucket/path`, `az://container/path`, `bucket/path` with a provider, or a path
            on this machine. A path may be a folder or a pattern; without a path it is everything in the bucket.
        provider: the name of a provider; a scheme names its own.
        format: as for `Bucket`.
        fields: of the provider's config, beside those that the environment variables give.

    Raises:
        ConfigError: the address names no bucket, the provider is another cloud's, or its config lacks something.
    """
    name = provider_of(target, provider)
    if name is None:
        return _local(target, format, fields)
    bucket_name, path = _parts(target)
    if name == "local":
        fields = {"create_dirs": False, **fields}
    kind = registry.load("providers", name)
    return kind.from_variables(os.environ, **fields).bucket(bucket_name, path, format)


def provider_of(target: str, provider: str | None = None) -> str | None:
    """Return the name of the provider of an address, None for a path on this machine.

    Raises:
        ConfigError: its scheme is unknown, or is another cloud's than `provider`.
    """
    scheme, mark, _ = target.partition("://")
    if not mark:
        return provider
    own = _SCHEMES.get(scheme)
    if own is None and provider is None:
        known = ", ".join(f"{each}://" for each in _SCHEMES)
        raise ConfigError(f"{target!r} begins with no known scheme", hint=f"known: {known} and paths on this machine")
    if provider is not None and provider in {"local", *_SCHEMES.values()} and provider != own:
        raise ConfigError(
            f"{target!r} is no address of the provider {provider!r}",
            hint=f"leave out the provider: the address names {own}" if own else "write it as bucket/path",
        )
    return provider or own


def fields_of(target: str, provider: str | None, pairs: Iterable[str], region: str | None = None) -> dict[str, Any]:
    """Read `key=value` pairs as fields of the config of an address's provider; `region` is its region or location.

    Raises:
        ConfigError: a pair is none, the config has no such field, or the field is a secret.
    """
    kind = registry.load("providers", provider_of(target, provider) or "local").config_class
    found: dict[str, Any] = {} if region is None else {_region_field(kind): region}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals):
            raise ConfigError(f"{pair!r} is no option", hint="write key=value")
        found[key] = _value(kind, key, text)
    return found


def first_entries(bucket: Bucket, limit: int, pattern: str = "") -> tuple[list[ObjectInfo], bool]:
    """Return up to `limit` objects in the order of the store, sorted, and whether there are more.

    Nothing beyond the pages that they lie on is fetched. With a pattern they are those whose path matches it, out of no
    more than 50,000 that are looked through.

    Raises:
        ObjectNotFoundError: there is no such object or folder.
        AccessError: the credentials do not suffice.
    """
    with crossing(bucket, "list"):
        rest = entries(bucket)
        seen = islice(rest, _LOOKED_THROUGH) if pattern else rest
        matching = (entry for entry in seen if not pattern or fnmatchcase(entry.path, pattern))
        found = list(islice(matching, limit + 1))
        more = len(found) > limit or (bool(pattern) and next(rest, None) is not None)
    return sorted(found[:limit], key=lambda entry: entry.path), more


def _parts(target: str) -> tuple[str, str]:
    scheme, mark, rest = target.partition("://")
    name, _, path = (rest if mark else scheme).partition("/")
    if not name:
        raise ConfigError(f"{target!r} names no bucket", hint="write s3://bucket/path, or bucket/path and a provider")
    return name, path.rstrip("/") or _EVERYTHING


def _local(target: str, format: str | None, fields: dict[str, Any]) -> Bucket:
    """Return the bucket of a path on this machine: a file, a folder or a pattern below the folder that holds it."""
    if fields:
        raise ConfigError(f"a path on this machine takes no {', '.join(fields)}", hint="name a provider")
    head, path = _split(target)
    if not path:
        raise ConfigError(f"{target!r} names no file or folder", hint="name one inside it, or a pattern such as '/**'")
    provider = registry.load("providers", "local")
    config = provider.config_class(base_path=head, layout="flat", create_dirs=False)
    return provider(config=config).bucket("files", path, format)


def _split(target: str) -> tuple[Path, str]:
    """Split a path into a folder without links, and the file, folder or pattern in it."""
    parts = Path(target).expanduser().parts
    first = next((index for index, part in enumerate(parts) if is_pattern(part)), None)
    if first is None:
        place = Path(target).expanduser().resolve()
        return place.parent, place.name
    return Path(*parts[:first]).resolve(), "/".join(parts[first:])


def _region_field(kind: Any) -> str:
    for field in ("region", "location"):
        if field in kind.model_fields:
            return field
    raise ConfigError(f"{kind.__name__} has no region", hint="leave out the region")


def _value(kind: Any, key: str, text: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    if key not in kind.model_fields:
        raise ConfigError(f"{kind.__name__} has no field {key!r}", hint=did_you_mean(key, kind.model_fields))
    wanted = kind.model_fields[key].annotation
    if "SecretStr" in str(wanted):
        where = _SECRETS.get(key, "the environment variable that the cloud's own tools read")
        raise ConfigError(f"{key} is a secret, and a command line is seen and kept by others", hint=f"set {where}")
    try:
        return TypeAdapter(wanted).validate_strings(text)
    except ValidationError:
        return text  # the config says in its own words what is wrong with it
