"""Rows of a frame as strings, a page at a time: what a browser gets of data."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.safe import visible
from glacier_magics.widgets.sketch import MOST, sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

__all__ = ["COLUMNS", "Pages", "said", "text_of"]

COLUMNS = 100
"""Columns that are shown; a note tells of the others."""
_CELL = 200
_NAME = 120
_BYTES = 120_000
"""Characters of one page; further rows are left out."""


class Pages:
    """A frame, sorted as asked, cut into pages of `size` rows.

    `nulls` has for each column how many values are missing of all the rows that the frame is the beginning of.
    """

    def __init__(self, frame: pl.DataFrame, size: int = 25, nulls: Mapping[str, int] | None = None) -> None:
        self.size = size
        self._nulls = nulls or {}
        self._whole = frame
        self._frame = frame.select(frame.columns[:COLUMNS])
        self._sorted: tuple[int | None, bool, pl.DataFrame] = (None, False, self._frame)

    def page(self, offset: int = 0, sort: int | None = None, descending: bool = False) -> dict[str, Any]:
        """Return the rows from `offset` on, sorted by the column numbered `sort`, as plain data.

        Every value is text of at most 200 characters in which control characters are escapes; None is null.
        """
        frame = self._by(sort if sort is not None and self._sortable(sort) else None, descending)
        start = min(offset, max(0, frame.height - 1))
        rows = self._texts(frame.slice(start, self.size))
        return {
            "columns": [visible(name, _NAME) for name in frame.columns],
            "types": [visible(_type(kind), _NAME) for kind in frame.dtypes],
            "numeric": [kind.is_numeric() for kind in frame.dtypes],
            "sortable": [self._sortable(place) for place in range(frame.width)],
            "nulls": [self._missing(column) for column in self._frame],
            "sketches": self._sketches,
            "sketched": f"of {min(frame.height, MOST):,} rows",
            "rows": rows,
            "offset": start,
            "size": self.size,
            "height": frame.height,
            "sort": self._sorted[0],
            "descending": self._sorted[1],
            "note": self._note(),
        }

    @cached_property
    def _sketches(self) -> list[list[str]]:
        return [sketch(column) for column in self._frame]

    def _missing(self, column: pl.Series) -> str:
        """Say how many values are missing: of all rows where that is known, else of those that are here."""
        known = self._nulls.get(column.name)
        count = column.null_count() if known is None else known
        return f"{count:,} null{'' if known is not None else ' here'}" if count else ""

    def _by(self, sort: int | None, descending: bool) -> pl.DataFrame:
        if self._sorted[:2] != (sort, descending):
            frame = self._frame
            if sort is not None:
                frame = frame.sort(frame.columns[sort], descending=descending, nulls_last=True, maintain_order=True)
            self._sorted = (sort, descending, frame)
        return self._sorted[2]

    def _sortable(self, place: int) -> bool:
        return (
            0 <= place < self._frame.width and not self._frame.dtypes[place].is_nested() and not self._is_object(place)
        )

    def _is_object(self, place: int) -> bool:
        return str(self._frame.dtypes[place]) == "Object"

    def _texts(self, frame: pl.DataFrame) -> list[list[str | None]]:
        found: list[list[str | None]] = []
        left = _BYTES
        for row in frame.iter_rows():
            found.append([text_of(value) for value in row])
            left -= sum(len(text or "") for text in found[-1])
            if left < 0:
                break
        return found

    def _note(self) -> str:
        hidden = self._whole.columns[COLUMNS:]
        if not hidden:
            return ""
        names = ", ".join(visible(name, 40) for name in hidden[:10])
        return f"{len(hidden):,} more columns: {names}{' …' if len(hidden) > 10 else ''}"


def _type(kind: pl.DataType) -> str:
    """Return a type as short as it can be: `Datetime('us', 'UTC')` rather than with the names of its parts."""
    text = str(kind)
    return re.sub(r"\w+=|, time_zone=None", "", text) if kind.is_temporal() else text


def text_of(value: Any) -> str | None:
    """Return a value as text that is safe to show; None stays None."""
    return None if value is None else visible(said(value), _CELL)


def said(value: Any) -> str:
    """Return what a value says of itself; a foreign one may raise whatever it likes."""
    try:
        return value if isinstance(value, str) else str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__} in its __str__>"
