"""A look at the first rows of a bucket, fetching as little as its format allows."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from glacier import tables
from glacier.errors import ConfigError
from glacier.jsonable import jsonable
from glacier.resources import formats, reading
from glacier.resources.listing import ObjectInfo, entries
from glacier.resources.parts import Parts, Unclear, readable
from glacier.resources.peeking import INFERRED, Head, Wish, peek
from glacier.safe import printable
from glacier.tables import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from glacier.resources.bucket import Bucket

__all__ = ["Preview", "condition", "preview", "schema"]

_OBJECTS = 32
"""Objects of a folder or pattern that a preview looks into at most."""
_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What a folder like `year=2024` says where there is no value; the name is Hive's."""


@dataclass(frozen=True)
class Preview:
    """The first rows of an object, a folder or a pattern.

    Attributes:
        uri: the address.
        format: the format.
        schema: its columns and their types; of a text format as its first rows let them appear.
        rows: the rows that are shown, as a DataFrame.
        total: rows in all, None where counting them would fetch more.
        size: bytes; of a folder or pattern, of all the objects that are read.
        fetched: bytes of objects that were fetched, None where Polars read them by itself.
        note: why fewer rows are shown than were asked for, None where there is nothing to say.
        nulls: for each column how many values of the whole object are missing, None where knowing it would fetch more.
            Only a single parquet object tells, and not of nested columns.
    """

    uri: str
    format: str
    schema: pl.Schema
    rows: pl.DataFrame
    total: int | None
    size: int
    fetched: int | None = None
    note: str | None = None
    nulls: Mapping[str, int] | None = None

    @property
    def summary(self) -> str:
        """What is shown of what, what was fetched of it, and the note, on one line."""
        shown = self.rows.height
        of = counted(shown, "row") if self.total is None else f"{shown:,} of {counted(self.total, 'row')}"
        size = (
            readable(self.size)
            if self.fetched is None
            else f"fetched {readable(self.fetched)} of {readable(self.size)}"
        )
        line = f"{self.uri} ({self.format}): {of}, {counted(len(self.schema), 'column')}, {size}"
        return line if self.note is None else f"{line}; {self.note}"

    def __str__(self) -> str:
        import polars as pl

        with pl.Config(tbl_rows=self.rows.height, tbl_cols=-1, tbl_hide_dataframe_shape=True):
            return printable(f"{self.summary}\n{self.rows}", "\n")

    def plain(self) -> dict[str, Any]:
        """Return what is shown in JSON's own types."""
        facts = {"uri": self.uri, "format": self.format, "size": self.size, "total": self.total}
        schema = {name: str(kind) for name, kind in self.schema.items()}
        return jsonable({**facts, "schema": schema, "rows": self.rows.to_dicts()})

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        import polars as pl

        with pl.Config(tbl_rows=self.rows.height, tbl_cols=-1, tbl_hide_dataframe_shape=True):
            table: str = self.rows._repr_html_()  # pyright: ignore[reportPrivateUsage]
            return tables.block(tables.line(self.summary), printable(table, "\n"))


def preview(bucket: Bucket, n: int, columns: Sequence[str] | None, where: pl.Expr | str | None) -> Preview:
    """Fetch what a preview shows.

    Raises:
        ConfigError: `n` is negative, there is no such column, `where` does not fit the columns, or the object is a
            json document that is too large to look into.
    """
    if n < 0:
        raise ConfigError(f"preview of {bucket.uri}: n must be 0 or more, not {n}")
    wish = Wish(bucket, n, [columns] if isinstance(columns, str) else columns)
    try:
        return _peeked(wish) if where is None else _scanned(wish, where)
    except Unclear:
        return _scanned(wish, where)


def schema(bucket: Bucket) -> pl.Schema:
    """Return the columns and their types, fetching as little as the format allows.

    They are the ones that `scan` has: of text from its first hundred rows, of several objects from the first one. Of
    text that `scan` fails on, because a later value does not fit, they are those of the rows that were fetched.
    """
    form = formats.FORMATS[bucket.format]
    try:
        if form.whole or (form.text and formats.is_pattern(bucket.path)):
            raise Unclear("Polars looks into several objects for it")
        return _one(Wish(bucket, INFERRED, None)).schema if form.text else _peeked(Wish(bucket, 0, None)).schema
    except (Unclear, FileNotFoundError):
        return reading.sane(bucket, reading.frame(bucket)).collect_schema()


# --- by ranges ------------------------------------------------------------------------------------------------------


def _peeked(wish: Wish) -> Preview:
    if formats.is_pattern(wish.bucket.path):
        return _several(wish)
    try:
        return _one(wish)
    except FileNotFoundError:
        # It may be a folder: to ask first would cost every object two requests.
        return _several(wish)


def _one(wish: Wish) -> Preview:
    parts = _parts(wish.bucket, wish.bucket.path)
    head = peek(parts, wish)
    return _made(wish.bucket, head, parts.size, parts.fetched)


def _several(wish: Wish) -> Preview:
    """Look into one object after the other until there are `n` rows."""
    found = _objects(wish.bucket)
    hive = _hive(wish.bucket, found)
    heads: list[Head] = []
    fetched, missing = 0, wish.n
    for entry in found[:_OBJECTS]:
        parts = _parts(wish.bucket, entry.path, entry.size)
        heads.append(peek(parts, replace(wish, n=missing, folder=_folder(entry) if hive else "", hive=hive)))
        fetched, missing = fetched + parts.fetched, missing - heads[-1].rows.height
        if missing <= 0 or heads[-1].note:
            break
    head = _joined(heads, len(found), enough=missing <= 0)
    return _made(wish.bucket, head, sum(entry.size for entry in found), fetched)


def _joined(heads: Sequence[Head], objects: int, *, enough: bool) -> Head:
    """Put the first rows of the first of so many objects together."""
    import polars as pl

    try:
        rows = pl.concat([head.rows for head in heads])
    except pl.exceptions.PolarsError as error:
        raise Unclear("the objects' columns differ") from error
    totals = [head.total for head in heads if head.total is not None]
    note = heads[-1].note
    if not (enough or note) and len(heads) < objects:
        note = f"only the first {len(heads)} of {objects:,} objects were looked into"
    return Head(rows, heads[0].schema, sum(totals) if len(totals) == objects else None, note)


def _made(bucket: Bucket, head: Head, size: int, fetched: int) -> Preview:
    return Preview(bucket.uri, bucket.format, head.schema, head.rows, head.total, size, fetched, head.note, head.nulls)


def _parts(bucket: Bucket, path: str, size: int | None = None) -> Parts:
    store, key = bucket.storage.store(bucket.bucket_name), bucket.storage.key(bucket.bucket_name, path)
    return Parts(store, key, size, back=formats.FORMATS[bucket.format].hive)


def _objects(bucket: Bucket) -> list[ObjectInfo]:
    """Return the objects that Polars would read, in its order; like Polars it passes over empty ones.

    Raises:
        Unclear: there are none.
    """
    ends = "" if formats.is_pattern(bucket.path) else formats.FORMATS[bucket.format].suffixes
    found = sorted(
        (each for each in entries(bucket) if each.size and each.path.endswith(ends)), key=lambda one: one.path
    )
    if not found:
        raise Unclear("no objects")
    return found


def _keys(entry: ObjectInfo) -> list[tuple[str, str]]:
    """Return names and values of the folders like `year=2024` above an object."""
    pairs = [part.partition("=") for part in entry.path.split("/")[:-1]]
    return [(name, value) for name, sign, value in pairs if sign]


def _folder(entry: ObjectInfo) -> str:
    return "/".join(f"{name}={value}" for name, value in _keys(entry))


def _hive(bucket: Bucket, found: Sequence[ObjectInfo]) -> Mapping[str, pl.DataType]:
    """Return the types of the columns that folders like `year=2024` become: those that Polars gives to csv fields.

    Raises:
        Unclear: the folders above the objects differ in their names, or their values are of no type.
    """
    import polars as pl

    names = [name for name, _ in _keys(found[0])] if formats.FORMATS[bucket.format].hive else []
    if not names:
        return {}
    rows = {tuple(_keys(entry)) for entry in found}
    if any([name for name, _ in row] != names for row in rows):
        raise Unclear("folders of several kinds")
    values = {name: [unquote(dict(row)[name]) for row in rows] for name in names}
    try:
        text = io.BytesIO(pl.DataFrame(values).write_csv().encode())
        return pl.read_csv(text, infer_schema_length=None, try_parse_dates=True, null_values=_NULL).schema
    except pl.exceptions.PolarsError as error:
        raise Unclear("folders of no type") from error


# --- by Polars ------------------------------------------------------------------------------------------------------


def _scanned(wish: Wish, where: pl.Expr | str | None) -> Preview:
    """Let Polars read it: `where` may need every row."""
    bucket, form = wish.bucket, formats.FORMATS[wish.bucket.format]
    size = sum(entry.size for entry in entries(bucket))
    frame = reading.frame(bucket)
    schema = reading.sane(bucket, frame).collect_schema()
    names = wish.shown(schema)
    chosen = frame if where is None else frame.filter(condition(where, schema, bucket.uri))
    rows = chosen.select(names).head(wish.n).collect()
    total = _count(frame) if form.whole or not (form.text or bucket.is_many()) else None
    return Preview(bucket.uri, bucket.format, schema, rows, total, size)


def _count(frame: pl.LazyFrame) -> int:
    import polars as pl

    return frame.select(pl.len()).collect().item()


def condition(where: pl.Expr | str, schema: pl.Schema, name: str) -> pl.Expr:
    """Return `where` as an expression that was tried on the columns of what has that name or address.

    Raises:
        ConfigError: it does not fit them.
    """
    import polars as pl

    try:
        found = pl.sql_expr(where) if isinstance(where, str) else where
        pl.LazyFrame(schema=schema).filter(found).collect()
    except pl.exceptions.PolarsError as error:
        hint = f"the columns are {', '.join(map(printable, schema))}"
        why = str(error).partition("\n")[0]  # Polars appends the plan
        raise ConfigError(f"preview of {name}: cannot filter by {str(where)!r}: {why}", hint=hint) from error
    return found
