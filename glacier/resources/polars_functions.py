"""Polars' own functions on the address of a bucket on a cloud: `df.write_parquet(bucket.get_uri())`.

Making the storage of a cloud wraps them: the first `get_uri()` would come too late, for Python looks up
`df.write_parquet` before it evaluates the argument. A wrap looks at the first argument, and leaves every call alone
that is not given a `BucketUri`:

| function                                      | what it does with a `BucketUri`                                    |
|-----------------------------------------------|--------------------------------------------------------------------|
| `write_*`, `sink_*`                           | the bucket's own atomic write, with the options of Polars' function |
| the same with one of `_BY_POLARS`             | Polars writes by itself, as the bucket's provider: not atomic      |
| `scan_*`, `read_*`                            | Polars reads by itself, as the bucket's provider                   |
| `read_*` that take no `credential_provider`   | the object is fetched, and Polars reads its bytes                  |
| any, with credentials or options of their own | Polars' own doing, untouched                                       |
| any, in a body that is only followed          | it is recorded as the bucket's own verb, and not done              |

A text made of an address (`uri + "/part"`) is plain text, and so is one that came out of a pickle. A function that was
imported by its own name before (`from polars import scan_parquet`) is Polars' own and sees plain text too.
"""

# pyright: reportPrivateUsage=false
# Bucket._write is every write's way to a storage, and takes a format that only this module makes.

from __future__ import annotations

import functools
import inspect
import io
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from glacier import context
from glacier.errors import ConfigError, GlacierError
from glacier.resources.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier.resources.bucket import Bucket

__all__ = ["BucketUri", "address", "prepare", "unwrap", "wrap"]

_BY_POLARS = ("lazy", "partition_by", "sinked_paths_callback")
"""Options by which Polars writes later, or several objects, or tells where: none of it fits one atomic write."""
_ACCESS = ("storage_options", "credential_provider")


class BucketUri(str):
    """The address of a bucket on a cloud: text like any other, that knows its bucket."""

    bucket: Bucket

    def __new__(cls, text: str, bucket: Bucket) -> Self:
        """Make the address of `bucket`."""
        made = super().__new__(cls, text)
        made.bucket = bucket
        return made

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def address(bucket: Bucket) -> BucketUri:
    """Return the address of a bucket on a cloud, for Polars' own functions."""
    prepare()
    return BucketUri(bucket.uri, bucket)


def prepare() -> None:
    """Wrap Polars' functions as soon as Polars is imported: every storage with `scheme://` addresses asks for it."""
    from wrapt import register_post_import_hook

    register_post_import_hook(lambda _: wrap(), "polars")


# --- wrapping --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """A function of Polars that takes an address: where it is, at which position, and by what name."""

    owner: Any
    name: str
    position: int
    parameter: str
    act: Callable[..., Any]

    @property
    def verb(self) -> str:
        """The bucket's own verb that does the same."""
        return "write" if self.act is _write else self.name.partition("_")[0]


_originals: dict[Function, Callable[..., Any]] = {}
_lock = threading.Lock()


def wrap() -> None:
    """Wrap Polars' functions, once however often it is called, from whichever thread."""
    functions = list(_functions())  # imports Polars: within the lock, that could wait for a thread that waits for it
    with _lock:
        if not _originals:
            for function in functions:
                _originals[function] = getattr(function.owner, function.name)
                setattr(function.owner, function.name, _wrapped(function, _originals[function]))


def unwrap() -> None:
    """Give Polars its own functions back."""
    with _lock:
        while _originals:
            function, original = _originals.popitem()
            setattr(function.owner, function.name, original)


def _functions() -> Iterator[Function]:
    import polars as pl

    for form in FORMATS.values():
        yield Function(pl.DataFrame, f"write_{form.name}", 1, "file", _write)
        yield Function(pl, f"read_{form.name}", 0, "source", _read)
        if not form.whole:
            yield Function(pl.LazyFrame, f"sink_{form.name}", 1, "path", _write)
            yield Function(pl, f"scan_{form.name}", 0, "source", _read)


def _wrapped(function: Function, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `original` with an eye on its first argument.

    It can be pickled and inspected as `original` can, which a proxy (wrapt's FunctionWrapper) could not.
    """
    position, parameter = function.position, function.parameter

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = args[position] if len(args) > position else kwargs.get(parameter)
        followed = context.recorder.get()
        if followed is not None and followed.tracing and (uris := _addresses(given)):
            return [followed.verb(uri.bucket, function.verb, args[:position], {}) for uri in uris][-1]
        if function.act is _write:
            _check_write(given)
        if not _addresses(given) or _has_own_access(given, kwargs):
            return original(*args, **kwargs)
        options = {name: value for name, value in kwargs.items() if name not in (parameter, *_ACCESS)}
        run = functools.partial(original, *args[:position])
        return function.act(run, given, options)

    return _placed(call, function.owner)


def _placed(call: Any, owner: Any) -> Callable[..., Any]:
    """Return `call` as a part of Polars: pickles look for it there, and warnings are about the first caller outside."""
    import polars as pl

    if owner is pl:
        call.__module__ = pl.__name__
    call.__code__ = call.__code__.replace(co_filename=str(Path(pl.__file__).with_name("<glacier>")))
    return call


# --- what the wraps do -----------------------------------------------------------------------------------------------


def _has_own_access(given: Any, options: dict[str, Any]) -> bool:
    """Whether the caller said with which credentials; the bucket's own `storage_options()` say nothing new."""
    if options.get("credential_provider", "auto") != "auto":
        return True
    said = options.get("storage_options")
    return said is not None and not all(_is_its_own(said, uri.bucket) for uri in _addresses(given))


def _is_its_own(options: Any, bucket: Bucket) -> bool:
    try:
        with bucket._crossing("read"):
            return options == bucket.storage_options()
    except GlacierError:
        return False


def _check_write(given: Any) -> None:
    """Refuse to write to an environment that is only read, by whatever address.

    Raises:
        AccessError: it belongs to one.
    """
    if isinstance(given, str | Path):
        context.check_write(given.bucket if isinstance(given, BucketUri) else str(given))


def _addresses(given: Any) -> list[BucketUri]:
    found = cast("list[Any]", given) if isinstance(given, list | tuple) else [given]
    return [each for each in found if isinstance(each, BucketUri)]


def _write(run: functools.partial[Any], given: Any, options: dict[str, Any]) -> Any:
    """Write what `run` makes as the bucket's object.

    Raises:
        ConfigError, AccessError: as `Bucket.write` does.
        Exception: the query's own error.
    """
    if not isinstance(given, BucketUri):
        raise ConfigError("a frame is written to one address, not to a list", hint="write to each for itself")
    bucket = given.bucket
    _note(bucket, "write")
    if any(options.get(name) for name in _BY_POLARS):
        return run(str(given), **options, **_target(bucket, "write")[1])

    def sink(_: Any, target: Any) -> None:
        run(target, **options)

    return bucket._write(run.args[0], if_absent=False, form=replace(FORMATS[bucket.format], sink=sink))


def _read(run: functools.partial[Any], given: Any, options: dict[str, Any]) -> Any:
    """Read buckets as their provider does.

    Raises:
        ConfigError: they do not share their credentials, or are several where one object is fetched.
        GlacierError: as `Bucket.read` does, where the object is fetched first.
    """
    buckets = [uri.bucket for uri in _addresses(given)]
    several = isinstance(given, list | tuple)
    fetched = "credential_provider" not in inspect.signature(run).parameters
    if several:
        _check_alike(given, buckets, fetched)
    for bucket in buckets:
        _note(bucket, "read")
    if fetched:
        return run(_contents(buckets[0]), **options)
    targets = [_target(bucket, "read") for bucket in buckets]
    sources = [source for source, _ in targets]
    return run(sources if several else sources[0], **options, **targets[0][1])


def _check_alike(given: Any, buckets: list[Bucket], fetched: bool) -> None:
    """Refuse a list of addresses that Polars, which takes one set of credentials, would read with the wrong ones."""
    if fetched:
        raise ConfigError(
            f"this function of Polars reads one object, not {len(given)} addresses such as {buckets[0].uri}",
            hint="read each for itself, then pl.concat([...])",
        )
    if len(buckets) < len(given) or any(each.provider is not buckets[0].provider for each in buckets):
        raise ConfigError(
            f"{buckets[0].uri} and the other addresses of this list do not share one provider",
            hint="scan each for itself, then pl.concat([...])",
        )


def _target(bucket: Bucket, doing: str) -> tuple[str, dict[str, Any]]:
    with bucket._crossing(doing):
        return bucket.storage.scan_target(bucket.bucket_name, bucket.path)


def _contents(bucket: Bucket) -> io.BytesIO:
    import obstore

    with bucket._crossing("read"):
        key = bucket._single_key("read")
        return io.BytesIO(bytes(obstore.get(bucket.storage.store(bucket.bucket_name), key).bytes()))


def _note(bucket: Bucket, access: str) -> None:
    """Tell the running task, as the bucket's own methods do."""
    using = context.usage.get()
    if using is not None:
        using.touched(bucket, access)
