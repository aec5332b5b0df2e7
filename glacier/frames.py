"""A look at a frame that is in memory or still a plan, as a preview is a look at an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, did_you_mean
from glacier.resources import Preview
from glacier.resources.preview import condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

__all__ = ["look_at"]


def look_at(
    value: Any, name: str = "frame", n: int = 20, columns: Sequence[str] | None = None, where: str | None = None
) -> Any:
    """Return the first `n` rows of a DataFrame or LazyFrame as a Preview; any other value is returned as it is.

    A LazyFrame computes no more than these rows need. `size` is the size in memory, of a LazyFrame that of the rows.

    Raises:
        ConfigError: `n` is negative, there is no such column, or `where` does not fit the columns.
        Exception: the error of a LazyFrame's own query, as itself.
    """
    import polars as pl

    if not isinstance(value, pl.DataFrame | pl.LazyFrame):
        return value
    if n < 0:
        raise ConfigError(f"preview of {name}: n must be 0 or more, not {n}")
    frame = value.lazy()
    schema = frame.collect_schema()
    rows = _chosen(_filtered(frame, name, where), name, schema, columns).head(n).collect()
    known = isinstance(value, pl.DataFrame)
    total = value.height if known and where is None else None
    size = value.estimated_size() if known else rows.estimated_size()
    return Preview(name, type(value).__name__, schema, rows, total, int(size))


def _chosen(frame: pl.LazyFrame, name: str, schema: pl.Schema, columns: Sequence[str] | None) -> pl.LazyFrame:
    for column in columns or ():
        if column not in schema:
            raise ConfigError(f"preview of {name}: there is no column {column!r}", hint=did_you_mean(column, schema))
    names = list(dict.fromkeys(columns or ()))
    return frame if columns is None else frame.select(names)


def _filtered(frame: pl.LazyFrame, name: str, where: str | None) -> pl.LazyFrame:
    return frame if where is None else frame.filter(condition(where, frame.collect_schema(), name))
