"""A preview: what is shown of what, the columns with their types, and the rows."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glacier.resources.parts import readable
from glacier.tables import counted
from glacier_magics.widgets import markup
from glacier_magics.widgets.messages import TABLE
from glacier_magics.widgets.pages import COLUMNS, Pages
from glacier_magics.widgets.shown import Shown
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.resources.preview import Preview
    from glacier_magics.widgets.front import Front
    from glacier_magics.widgets.messages import Turn

__all__ = ["Table", "facts_of", "note_of", "nulls_of"]

_WIDTH = 120
_ROWS = 25


class Table(Shown):
    """A preview in a notebook; heads sort the rows that are shown."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview
        self.pages = Pages(preview.rows, nulls=nulls_of(preview))

    def page(self, **wish: Any) -> dict[str, Any]:
        """Return a page of rows, with the preview's own note."""
        page = self.pages.page(**wish)
        return {**page, "note": "; ".join(part for part in (page["note"], note_of(self.preview)) if part)}

    @property
    def about(self) -> dict[str, Any]:
        """The address, and the facts beside it."""
        return {"title": clean(self.preview.uri, 300), "facts": facts_of(self.preview)}

    def _front(self) -> Front:
        from glacier_magics.widgets.front import TableFront

        return TableFront(TABLE, self._turn, token=self.token, about=self.about, page=self.page())

    def _turn(self, wish: Turn) -> None:
        self.front.page = self.page(offset=wish.offset, sort=wish.sort, descending=wish.descending)

    def _bundle(self) -> dict[str, str]:
        page = self.page()
        body = [markup.scrolled(markup.rows_table(page))] if page["columns"] else []
        note = page["note"]
        if page["height"] > len(page["rows"]):
            note = f"the first {len(page['rows']):,} of {page['height']:,} rows{'; ' if note else ''}{note}"
        body += [markup.element("div", markup.element("small", note))] if note else []
        html = markup.card(self.token if self.front else "", self.about["title"], self.about["facts"], *body)
        return {"text/html": html, "text/plain": _text(self.preview)}


def facts_of(preview: Preview) -> list[str]:
    """Return in a few words: format, rows, columns, bytes."""
    size = readable(preview.size)
    fetched = size if preview.fetched is None else f"{readable(preview.fetched)} of {size} fetched"
    return [clean(preview.format, 20), _rows_of(preview), counted(len(preview.schema), "column"), fetched]


def _rows_of(preview: Preview) -> str:
    shown, total = preview.rows.height, preview.total
    if total is None:
        return f"the first {counted(shown, 'row')}" if shown else "no rows"
    return counted(shown, "row") if total == shown else f"{shown:,} of {counted(total, 'row')}"


def nulls_of(preview: Preview) -> Mapping[str, int]:
    """Return how many values of each column are missing in the whole object, as far as that is known."""
    if preview.total == preview.rows.height:
        return {column.name: column.null_count() for column in preview.rows}
    return preview.nulls or {}


def note_of(preview: Preview) -> str:
    """Return why fewer rows are shown than were asked for, and the columns that were not asked for."""
    hidden = [
        f"{clean(name, 40)} ({kind})" for name, kind in preview.schema.items() if name not in preview.rows.columns
    ]
    left_out = f"not shown: {', '.join(hidden[:12])}{' …' if len(hidden) > 12 else ''}" if hidden else ""
    return "; ".join(part for part in (preview.note and clean(preview.note), left_out) if part)


def _text(preview: Preview) -> str:
    from rich.console import Console

    from glacier.console import print_preview

    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
    print_preview(console, replace(preview, **_cut(preview)))
    written: io.StringIO = console.file  # pyright: ignore[reportAssignmentType]
    return written.getvalue().rstrip()


def _cut(preview: Preview) -> dict[str, Any]:
    """Return no more rows than one looks at as text."""
    return {"rows": preview.rows.head(_ROWS).select(preview.rows.columns[:COLUMNS])}
