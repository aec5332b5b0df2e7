"""How the values of a column are spread, in a few characters: bars for numbers and times, words for the rest."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import PolarsError

from glacier.safe import visible

if TYPE_CHECKING:
    from typing import Any

__all__ = ["MOST", "sketch"]

MOST = 100_000
"""Rows that are looked at: the first ones."""
_BARS = "▁▂▃▄▅▆▇█"
_BINS = 12
_VALUE = 24


def sketch(column: pl.Series) -> list[str]:
    """Return bars and words for a column, each "" where there is nothing to say.

    Numbers and times get a bar for each twelfth of the way from the least to the greatest value, and these two; truth
    values are counted; of texts it is told how many differ. Nulls, NaN and infinite values are left out, and one value
    alone is no spread.
    """
    values = column.head(MOST).drop_nulls()
    kind = values.dtype
    if len(values) < 2:
        return ["", ""]
    if kind == pl.Boolean:
        return ["", f"{values.sum():,} true, {(~values).sum():,} false"]
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return ["", _distinct(values)]
    if kind.is_numeric() or kind.is_temporal():
        return _spread(values)
    return ["", ""]


def _distinct(values: pl.Series) -> str:
    count = values.n_unique()
    return "all distinct" if count == len(values) else f"{count:,} distinct"


def _spread(values: pl.Series) -> list[str]:
    known = values.filter(values.is_finite()) if values.dtype.is_float() else values
    if known.is_empty():
        return ["", ""]
    least, greatest = _ends(known)
    if least == greatest:
        return ["", f"all {_text(least)}"]
    return [_bars(known), f"{_text(least)} to {_text(greatest)}"]


def _ends(values: pl.Series) -> tuple[Any, ...]:
    return values.to_frame("value").select(least=pl.min("value"), greatest=pl.max("value")).row(0)


def _bars(values: pl.Series) -> str:
    try:
        numbers = values.to_physical().cast(pl.Float64)
    except PolarsError:
        return ""
    least, greatest = _ends(numbers)
    width = greatest - least
    if not width or not math.isfinite(width):
        return ""
    places = ((numbers - least) / width * _BINS).floor().clip(0, _BINS - 1).cast(pl.Int64)
    counts = dict(places.value_counts().iter_rows())
    most = max(counts.values())
    return "".join(_bar(counts.get(place, 0), most) for place in range(_BINS))


def _bar(count: int, most: int) -> str:
    """Return a bar; what is there at all is higher than nothing."""
    return _BARS[math.ceil(count * (len(_BARS) - 1) / most)]


def _text(value: Any) -> str:
    """Return a value as short as a head can hold; a time to the minute, its zone stands in the type."""
    match value:
        case datetime():
            text = value.replace(tzinfo=None).isoformat(" ", "minutes")
        case float():
            text = f"{value:,.6g}"
        case int():
            text = f"{value:,}"
        case _:
            text = str(value)
    return visible(text, _VALUE)
