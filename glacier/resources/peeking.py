"""The first rows of one object, fetching as little as its format allows."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from glacier.errors import ConfigError, did_you_mean
from glacier.resources import formats, ipc_footer, parquet_footer, reading
from glacier.resources.border import not_readable
from glacier.resources.parts import LIMIT, STEP, Parts, Unclear, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from glacier.resources.bucket import Bucket

__all__ = ["INFERRED", "Head", "Wish", "peek"]

_FOOTER = 200_000
"""Bytes of a footer that is read to its end."""
_WHOLE = 8
"""How many times larger than what a preview fetches a text may be, for Polars to read it where its rows are long."""
INFERRED = 100
"""Rows of a text format that Polars takes the types from."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of an object.

    Attributes:
        bucket: whose object it is.
        n: rows.
        columns: the columns to show, None for all.
        folder: the folders like `year=2024` above the object, which become columns.
        hive: the types of these columns.
    """

    bucket: Bucket
    n: int
    columns: Sequence[str] | None
    folder: str = ""
    hive: Mapping[str, pl.DataType] = field(default_factory=dict["str", "pl.DataType"])

    def shown(self, schema: pl.Schema) -> list[str]:
        """Return the names of the columns to show.

        Raises:
            ConfigError: there is no such column.
        """
        for name in self.columns or ():
            if name not in schema:
                raise ConfigError(f"{self.bucket.uri} has no column {name!r}", hint=did_you_mean(name, schema))
        return schema.names() if self.columns is None else list(dict.fromkeys(self.columns))

    def scan(self, path: Path, **options: Any) -> pl.LazyFrame:
        """Return a LazyFrame of a local file in place of the object."""
        form = formats.FORMATS[self.bucket.format]
        if not self.hive:
            return form.scan(str(path), glob=False, hive_partitioning=False, **options)
        above = [part.partition("=")[0] for part in str(path).removesuffix(f"{self.folder}/object").split("/")]
        scanned = form.scan(str(path), glob=False, hive_partitioning=True, hive_schema=self.hive, **options)
        return scanned.drop([name for name in above if name not in self.hive], strict=False)


class Head(NamedTuple):
    """The first rows of an object, its schema, its number of rows where it tells, and why rows are not shown.

    `nulls` has for each column how many values of the whole object are missing, where the object tells.
    """

    rows: pl.DataFrame
    schema: pl.Schema
    total: int | None
    note: str | None = None
    nulls: Mapping[str, int] | None = None


def peek(parts: Parts, wish: Wish) -> Head:
    """Fetch the first rows of an object.

    Raises:
        Unclear: Polars has to read the object by itself.
        ConfigError: there is no such column, or the object is a json document too large to look into.
    """
    import polars as pl

    try:
        return _PEEKS[wish.bucket.format](parts, wish)
    except pl.exceptions.PolarsError as error:
        raise Unclear(str(error)) from error


# --- parquet: the footer, then the column chunks ------------------------------------------------------------------


def _parquet(parts: Parts, wish: Wish) -> Head:
    footer = _footer(parts, parquet_footer.TAIL, parquet_footer.footer_length)
    with parts.file(wish.folder) as path:
        schema = wish.scan(path).collect_schema()
    shown = wish.shown(schema)
    found = parquet_footer.read_footer(footer, wish.n)
    chunks = [chunk for group in found.groups for chunk in group.chunks if chunk.column in shown]
    if sum(chunk.size for chunk in chunks) > LIMIT:
        return Head(_no_rows(schema, shown), schema, found.rows, _too_large(found.groups, chunks), _nulls(footer))
    parts.fetch((chunk.start, chunk.start + chunk.size) for chunk in chunks)
    with parts.file(wish.folder) as path:
        rows = wish.scan(path, n_rows=wish.n).select(shown).collect()
    return Head(rows, schema, found.rows, None, _nulls(footer))


def _nulls(footer: bytes) -> Mapping[str, int] | None:
    """Count the nulls of every row group, where that is done in a moment: it takes about a second for each megabyte."""
    if len(footer) > _FOOTER:
        return None
    return parquet_footer.read_footer(footer, parquet_footer.ALL).nulls()


def _footer(parts: Parts, tail: int, length: Callable[[bytes], int]) -> bytes:
    """Return the footer of a file, which its last `tail` bytes tell the length of."""
    size = length(parts.back(tail))
    if size > min(LIMIT, parts.size - tail):
        raise Unclear("a footer longer than the file, or than a preview fetches")
    return parts.back(size + tail)[:size]


def _too_large(groups: Sequence[parquet_footer.Group], chunks: Iterable[parquet_footer.Chunk]) -> str:
    sizes: dict[str, int] = {}
    for chunk in chunks:
        sizes[chunk.column] = sizes.get(chunk.column, 0) + chunk.size
    what = "its first row group is" if len(groups) == 1 else f"its first {len(groups)} row groups are"
    advice = [f"columns={fitting}" for fitting in (_fitting(sizes),) if fitting]
    advice += ["a smaller n"] if len(groups) > 1 else []
    return _not_fetched(f"{what} {readable(sum(sizes.values()))}", " or ".join(advice))


def _fitting(sizes: Mapping[str, int]) -> list[str]:
    """Return the columns, first come, that a preview can fetch together."""
    left, names = LIMIT, list[str]()
    for name, size in sizes.items():
        if size <= left:
            left -= size
            names.append(name)
    return names


def _not_fetched(what: str, advice: str) -> str:
    after = f": pass {advice}" if advice else ": use scan()"
    return f"no rows were fetched: {what}, more than the {readable(LIMIT)} of a preview{after}"


def _no_rows(schema: pl.Schema, shown: list[str]) -> pl.DataFrame:
    return schema.to_frame().select(shown)


# --- ipc: the footer, then the record batches ---------------------------------------------------------------------


def _ipc(parts: Parts, wish: Wish) -> Head:
    footer = _footer(parts, ipc_footer.TAIL, ipc_footer.footer_length)
    found = ipc_footer.read_footer(footer)
    count_at = parts.size - ipc_footer.TAIL - len(footer) + found.count_at
    with parts.file(wish.folder, {count_at: bytes(4)}) as path:
        schema = wish.scan(path).collect_schema()
    shown = wish.shown(schema)
    taken, rows = _batches(parts, found, wish.n)
    total = rows if taken == len(found.batches) else None
    if rows < wish.n and total is None:
        what = f"its first {taken + 1} record batches are" if taken else "its first record batch is"
        note = _not_fetched(f"{what} {readable(_end(found, taken + 1))}", "a smaller n" if taken else "")
        return Head(_no_rows(schema, shown), schema, None, note)
    # Polars looks at every batch that the footer lists: the file's lists those that are there.
    with parts.file(wish.folder, {count_at: taken.to_bytes(4, "little")}) as path:
        return Head(wish.scan(path, n_rows=wish.n).select(shown).collect(), schema, total)


def _batches(parts: Parts, footer: ipc_footer.Footer, n: int) -> tuple[int, int]:
    """Fetch batches until they have `n` rows, there are no more or they are too large; return their number and rows."""
    taken, rows = 0, 0
    while rows < n and taken < len(footer.batches) and _end(footer, taken + 1) <= LIMIT:
        batch = footer.batches[taken]
        parts.fetch((block.start, block.end) for block in (*footer.dictionaries, batch))
        rows += ipc_footer.batch_rows(parts.read(batch.start, batch.start + batch.metadata))
        taken += 1
    return taken, rows


def _end(footer: ipc_footer.Footer, count: int) -> int:
    """Return the bytes of the dictionaries and of the first batches."""
    return sum(block.metadata + block.body for block in (*footer.dictionaries, *footer.batches[:count]))


# --- csv and ndjson: the first bytes ------------------------------------------------------------------------------


def _text(parts: Parts, wish: Wish) -> Head:
    try:
        return _lines(parts, wish)
    except Unclear:
        _check_that_rows_end(parts, wish)
        raise


def _check_that_rows_end(parts: Parts, wish: Wish) -> None:
    """Refuse to let Polars look through a large object for the ends of its rows.

    Raises:
        FormatError: there are too few ends in what a preview fetches.
    """
    if parts.size <= _WHOLE * LIMIT or formats.looks_like(parts.front(STEP)) in {"gzip", "zstd", "zip"}:
        return
    if parts.front(LIMIT).count(b"\n") < wish.n:
        raise not_readable(wish.bucket, f"rows do not end within its first {readable(LIMIT)}", parts.front(STEP))


def _lines(parts: Parts, wish: Wish) -> Head:
    count = STEP
    while (rows := _first_rows(parts, count, wish)).height < wish.n and count < parts.size:
        if count >= LIMIT and parts.size <= _WHOLE * LIMIT:
            raise Unclear("rows longer than a preview fetches")
        if count >= LIMIT:
            break
        count *= 4
    schema = reading.sane(wish.bucket, rows).schema
    total = _counted(parts.front(parts.size), wish) if count >= parts.size else None
    found = rows.select(wish.shown(schema)).head(wish.n)
    return Head(found, schema, total, _too_long(found.height) if count < parts.size and found.height < wish.n else None)


def _too_long(rows: int) -> str:
    which = f"row {rows + 1} is" if rows else "the first row is"
    return f"{which} longer than the {readable(LIMIT)} of a preview: use scan()"


def _first_rows(parts: Parts, count: int, wish: Wish) -> pl.DataFrame:
    """Read the rows, enough for Polars to guess the types, that stand as a whole in the first bytes."""
    import polars as pl

    data = parts.front(count)
    if len(data) < parts.size:
        data = _whole_rows(data, wish.bucket.format)
    if not data and len(data) < parts.size:
        return pl.DataFrame()
    rows = max(wish.n, INFERRED)
    try:
        return _scanned(data, wish, n_rows=rows).collect()
    except pl.exceptions.ComputeError:
        # A value after the first hundred rows does not fit the type that they let appear.
        return _scanned(data, wish, n_rows=rows, infer_schema_length=None).collect()


def _whole_rows(data: bytes, format: str) -> bytes:
    """Return the rows that end in the data; Polars ends a csv row at a line break with an even number of quotes before.

    Raises:
        Unclear: the data are no plain text: compressed ones must not be cut.
    """
    if formats.looks_like(data) not in formats.FORMATS:
        raise Unclear("no plain text")
    end = data.rfind(b"\n")
    quotes = data.count(b'"', 0, end + 1) if format == "csv" else 0
    while quotes % 2:
        before = data.rfind(b"\n", 0, end)
        quotes -= data.count(b'"', before + 1, end)
        end = before
    return data[: end + 1]


def _scanned(data: bytes, wish: Wish, **options: Any) -> pl.LazyFrame:
    return formats.FORMATS[wish.bucket.format].scan(io.BytesIO(data), **options)


def _counted(data: bytes, wish: Wish) -> int:
    import polars as pl

    return _scanned(data, wish).select(pl.len()).collect().item()


# --- json: all of it ----------------------------------------------------------------------------------------------


def _json(parts: Parts, wish: Wish) -> Head:
    if parts.size > LIMIT:
        message = f"preview of {wish.bucket.uri}: json is read as a whole, and this is {readable(parts.size)}"
        raise ConfigError(message, hint="write it as ndjson or parquet, or read() it")
    rows = formats.FORMATS["json"].scan([io.BytesIO(parts.front(parts.size))]).collect()
    return Head(rows.select(wish.shown(rows.schema)).head(wish.n), rows.schema, rows.height)


_PEEKS: dict[str, Callable[[Parts, Wish], Head]] = {
    "parquet": _parquet,
    "ipc": _ipc,
    "csv": _text,
    "ndjson": _text,
    "json": _json,
}
