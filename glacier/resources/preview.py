"""A look at the first rows of an object, fetching as little as its format allows."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, did_you_mean
from glacier.resources import formats, reading
from glacier.resources.listing import entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from obstore.store import ObjectStore

    from glacier.resources.bucket import Bucket

__all__ = ["Preview", "preview", "readable"]

_FIRST, _MOST = 64 << 10, 4 << 20


@dataclass(frozen=True)
class Preview:
    """The first rows of an object.

    Attributes:
        uri: the object's address.
        format: its format.
        schema: its columns and their types; of a text format as its first rows let them appear.
        rows: the rows that are shown, as a DataFrame.
        total: rows in all, None where counting them would read everything.
        size: bytes; of a folder or pattern, of all its objects.
    """

    uri: str
    format: str
    schema: pl.Schema
    rows: pl.DataFrame
    total: int | None
    size: int

    @property
    def summary(self) -> str:
        """What is shown of what, on one line."""
        of = f"{self.rows.height:,} rows" if self.total is None else f"{self.rows.height:,} of {self.total:,} rows"
        return f"{self.uri} ({self.format}): {of}, {len(self.schema)} columns, {readable(self.size)}"

    def __str__(self) -> str:
        import polars as pl

        with pl.Config(tbl_rows=self.rows.height, tbl_cols=-1, tbl_hide_dataframe_shape=True):
            return f"{self.summary}\n{self.rows}"

    def _repr_html_(self) -> str:
        import polars as pl

        with pl.Config(tbl_rows=self.rows.height, tbl_cols=-1, tbl_hide_dataframe_shape=True):
            table: str = self.rows._repr_html_()  # pyright: ignore[reportPrivateUsage]
            return f"<div>{html.escape(self.summary)}</div>{table}"


def readable(size: int) -> str:
    """Return a number of bytes as people say it: `readable(34_700_000)` is `'34.7 MB'`."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    value, step = float(size), 0
    while value >= 999.5 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {units[step]}" if step else f"{size} bytes"


def preview(bucket: Bucket, n: int, columns: Sequence[str] | None, where: pl.Expr | str | None) -> Preview:
    """Fetch what a preview shows.

    Raises:
        ConfigError: `n` is negative, there is no such column, or `where` does not fit the columns.
    """
    if n < 0:
        raise ConfigError(f"preview of {bucket.uri}: n must be 0 or more, not {n}")
    size = sum(entry.size for entry in entries(bucket))
    rows, total = (None, None) if where is not None or not size else _from_text(bucket, n)
    frame = reading.frame(bucket) if rows is None else rows.lazy()
    schema = reading.sane(bucket, frame).collect_schema()
    if not formats.FORMATS[bucket.format].text:
        total = _count(frame)
    shown = _chosen(frame, schema, bucket, columns, where).head(n).collect()
    return Preview(bucket.uri, bucket.format, schema, shown, total, size)


def _count(frame: pl.LazyFrame) -> int:
    import polars as pl

    return frame.select(pl.len()).collect().item()


def _chosen(
    frame: pl.LazyFrame,
    schema: pl.Schema,
    bucket: Bucket,
    columns: Sequence[str] | None,
    where: pl.Expr | str | None,
) -> pl.LazyFrame:
    columns = [columns] if isinstance(columns, str) else columns
    for name in columns or ():
        if name not in schema:
            raise ConfigError(f"{bucket.uri} has no column {name!r}", hint=did_you_mean(name, schema))
    chosen = frame if where is None else frame.filter(_condition(where, schema, bucket))
    return chosen if columns is None else chosen.select(columns)


def _condition(where: pl.Expr | str, schema: pl.Schema, bucket: Bucket) -> pl.Expr:
    """Return `where` as an expression that was tried on the bucket's columns."""
    import polars as pl

    try:
        condition = pl.sql_expr(where) if isinstance(where, str) else where
        pl.LazyFrame(schema=schema).filter(condition).collect()
    except pl.exceptions.PolarsError as error:
        hint = f"the columns are {', '.join(schema)}"
        raise ConfigError(f"preview of {bucket.uri}: cannot filter by {where!s}: {error}", hint=hint) from error
    return condition


def _from_text(bucket: Bucket, n: int) -> tuple[pl.DataFrame | None, int | None]:
    """Read the first rows of a single text object; and how many there are, if that is all of them."""
    if not formats.FORMATS[bucket.format].text or bucket.is_many():
        return None, None
    store, key = bucket.storage.store(bucket.bucket_name), bucket.storage.key(bucket.bucket_name, bucket.path)
    rows = _text_head(store, key, bucket.format, n + 1)
    return (rows, rows.height) if rows is not None and rows.height <= n else (rows, None)


def _text_head(store: ObjectStore, key: str, format: str, n: int) -> pl.DataFrame | None:
    """Read the first `n` rows of a text object from its first bytes; None when these do not tell.

    Polars would fetch up to the whole object for them. A line break inside a quoted field may confuse where the bytes
    are cut; the caller then reads the object as a whole.
    """
    import polars as pl

    data, whole = _lines(store, key, n)
    try:
        rows = _parsed(data, format, n)
    except pl.exceptions.PolarsError:
        if whole:
            raise
        return None
    return rows if whole or rows.height == n else None


def _lines(store: ObjectStore, key: str, n: int) -> tuple[bytes, bool]:
    """Return whole lines, more than `n` of them if the object has so many, and whether that is the whole object."""
    import obstore

    size = _FIRST
    while True:
        part = obstore.get(store, key, options={"range": (0, size)})
        data, total = bytes(part.bytes()), part.meta["size"]
        if len(data) >= total:
            return data, True
        lines = data[: data.rfind(b"\n") + 1]
        if lines.count(b"\n") > n or size >= _MOST:
            return lines, False
        size *= 4


def _parsed(head: bytes, format: str, n: int) -> pl.DataFrame:
    import polars as pl

    read: Any = pl.read_csv if format == "csv" else pl.read_ndjson
    return read(io.BytesIO(head), n_rows=n)
