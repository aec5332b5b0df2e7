"""Tables as everything that shows rows shows them: lines of text, and HTML that reads well on any page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["counted", "html_table", "lasting", "printable", "text_table"]

_TABLE = 'style="border-collapse:collapse;color:inherit;background:none"'
# Half-transparent grey is a quiet line on white and on black.
_HEAD = 'style="border-bottom:1px solid rgba(128,128,128,.6)"'
_ROW = 'style="border-bottom:1px solid rgba(128,128,128,.2)"'


def text_table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return rows, the first of which are usually the headings, as lines of text with aligned columns.

    Columns whose numbers are in `right` end at one place. Characters that a terminal would obey are shown as escapes.
    """
    plain = [[printable(cell) for cell in row] for row in rows]
    wide = [max(map(len, column)) for column in zip(*plain, strict=True)]
    cells = [
        [cell.rjust(width) if place in right else cell.ljust(width) for place, (cell, width) in enumerate(each)]
        for each in (zip(row, wide, strict=True) for row in plain)
    ]
    return "\n".join("  ".join(row).rstrip() for row in cells)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return a table as HTML in which nothing of the cells is markup; without headings where all of `head` are empty.

    No rows are no table: what is not there is said in words.
    """
    if not rows:
        return ""
    above = f"<thead>{_line('th', head, _HEAD, right)}</thead>" if any(cell.strip() for cell in head) else ""
    body = "".join(_line("td", row, _ROW, right) for row in rows)
    return f"<table {_TABLE}>{above}<tbody>{body}</tbody></table>"


def printable(text: str) -> str:
    """Return a text in which what is not printable, such as control and bidirectional characters, is an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def counted(number: int, what: str) -> str:
    """Return a number of things in words: `counted(1, "row")` is `"1 row"`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def lasting(seconds: float) -> str:
    """Return a duration as people say it: `lasting(75)` is `'1 min 15 s'`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0005 else "< 1 ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s" if minutes else f"{left} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def _line(tag: str, cells: Sequence[str], style: str, right: Collection[int]) -> str:
    # Jupyter's own style sheet sets every cell of a table to the right.
    ends = ("right" if place in right else "left" for place in range(len(cells)))
    shown = (
        f'<{tag} style="text-align:{end}">{escape(printable(cell)).replace("  ", "&emsp;")}</{tag}>'
        for cell, end in zip(cells, ends, strict=True)
    )
    return f"<tr {style}>{''.join(shown)}</tr>"
