"""How a bucket's path becomes a LazyFrame."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeVar

from glacier.resources import formats
from glacier.resources.border import not_readable
from glacier.resources.listing import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from glacier.resources.bucket import Bucket

    Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

__all__ = ["frame", "head", "sane"]


def frame(bucket: Bucket, **options: Any) -> pl.LazyFrame:
    """Return a LazyFrame of everything the path stands for; `options` go to Polars' scan function."""
    form = formats.FORMATS[bucket.format]
    if form.whole:
        return form.scan(_contents(bucket), **options)
    source, how = bucket.storage.scan_target(bucket.bucket_name, bucket.path)
    sources, more = formats.sources(form, source, pattern=formats.is_pattern(bucket.path))
    scanned = form.scan(sources, **{**how, **more, **options})
    return scanned.drop(_outside(bucket), strict=False) if "hive_partitioning" in more else scanned


def _outside(bucket: Bucket) -> list[str]:
    """Name the columns that Polars would make of folders like `k=v` above the bucket's own paths."""
    above = bucket.uri.removesuffix(bucket.path)
    return [part.partition("=")[0] for part in above.split("/") if "=" in part]


def _contents(bucket: Bucket) -> Iterator[io.BytesIO]:
    """Yield each object as an open file, in the order of their paths; of a folder those with the format's suffixes."""
    found = sorted(entry.path for entry in entries(bucket))
    if not formats.is_pattern(bucket.path) and bucket.is_many():
        found = [path for path in found if path.endswith(formats.FORMATS[bucket.format].suffixes)]
    if not found:
        raise FileNotFoundError(bucket.uri)
    for path in found:
        yield io.BytesIO(_bytes(bucket, path))


def _bytes(bucket: Bucket, path: str, most: int | None = None) -> bytes:
    import obstore

    store, key = bucket.storage.store(bucket.bucket_name), bucket.storage.key(bucket.bucket_name, path)
    return bytes(obstore.get(store, key, options={} if most is None else {"range": (0, most)}).bytes())


def sane(bucket: Bucket, frame: Frame) -> Frame:
    """Return the frame, unless its header shows that other bytes happened to parse as CSV: almost all bytes do.

    Raises:
        FormatError: the bytes are not CSV.
    """
    names = frame.collect_schema().names() if bucket.format == "csv" else []
    if names and names[0] and formats.looks_like(names[0].encode()) != "csv":
        raise not_readable(bucket, f"its header is {names[0][:40]!r}", head(bucket))
    return frame


def head(bucket: Bucket) -> bytes:
    """Return the first bytes of the first object, none where there is nothing to read."""
    first = min(entries(bucket), key=lambda entry: entry.path, default=None)
    return b"" if first is None or not first.size else _bytes(bucket, first.path, most=512)
