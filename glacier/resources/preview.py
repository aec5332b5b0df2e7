"""A look at the first rows of an object, fetching as little as its format allows."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    from obstore.store import ObjectStore

__all__ = ["Preview", "text_head"]

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
            return f"<div>{html.escape(self.summary)}</div>{self.rows._repr_html_()}"


def readable(size: int) -> str:
    """Return a number of bytes as people say it: `readable(34_700_000)` is `'34.7 MB'`."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    value, step = float(size), 0
    while value >= 999.5 and step < len(units) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {units[step]}" if step else f"{size} bytes"


def text_head(store: ObjectStore, key: str, format: str, n: int) -> pl.DataFrame | None:
    """Read the first `n` rows of a text object from its first bytes; None when these do not tell.

    Polars would fetch up to the whole object for them. A line break inside a quoted field may confuse where the bytes
    are cut; the caller then reads the object as a whole.
    """
    import polars as pl

    head, whole = _lines(store, key, n)
    if not head:
        return None
    try:
        return _parsed(head, format, n)
    except pl.exceptions.PolarsError:
        if whole:
            raise
        return None


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
