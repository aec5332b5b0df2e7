"""Rows under headings as text and as HTML, and words for cells: nothing in a cell is markup, moves other text or breaks
its row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier.safe import html_text, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["block", "counted", "html", "lasting", "line", "text"]

_TABLE = 'style="border-collapse:collapse;color:inherit;background:none"'
# Half-transparent grey is a quiet line on white and on black.
_HEAD = 'style="border-bottom:1px solid rgba(128,128,128,.6)"'
_ROW = 'style="border-bottom:1px solid rgba(128,128,128,.2)"'
_SHORT = 24
"""Characters of a cell that stay on one line: a date, a duration, a name."""
_PLAIN = 'class="tex2jax_ignore mathjax_ignore"'
"""What keeps dollar signs from being typeset: https://docs.mathjax.org/en/latest/options/document.html."""


def text(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return lines with aligned columns, nothing where there are no rows; `head` may be empty.

    The columns numbered in `right` hold numbers.
    """
    if not rows:
        return ""
    lines = [[printable(cell) for cell in row] for row in (head, *rows) if row]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if place in right else "<" for place in range(len(wide))]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, wide, strict=True)).rstrip()
        for row in lines
    )


def html(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return an HTML table, nothing where there are no rows; `head` may be empty.

    The columns numbered in `right` hold numbers.
    """
    if not rows:
        return ""
    top = f"<thead>{_row('th', head, _HEAD, right)}</thead>" if head else ""
    body = "".join(_row("td", row, _ROW, right) for row in rows)
    return f"<table {_PLAIN} {_TABLE}>{top}<tbody>{body}</tbody></table>"


def line(said: str, element: str = "div") -> str:
    """Return a line of text as an HTML element."""
    return f"<{element}>{html_text(said)}</{element}>"


def block(*parts: str) -> str:
    """Return pieces of HTML as one, in which dollar signs are no formulas."""
    return f"<div {_PLAIN}>{''.join(parts)}</div>"


def counted(number: int, what: str) -> str:
    """Return a number of things in words: `counted(1, "row")` is `"1 row"`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def lasting(seconds: float) -> str:
    """Return a duration as people say it: `lasting(75)` is `"1 min 15 s"`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0005 else "< 1 ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s" if minutes else f"{left} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def _row(tag: str, cells: Sequence[str], style: str, right: Collection[int]) -> str:
    shown = (f"<{tag} {_cell(cell, place in right)}>{html_text(cell)}</{tag}>" for place, cell in enumerate(cells))
    return f"<tr {style}>{''.join(shown)}</tr>"


def _cell(cell: str, number: bool) -> str:
    # Jupyter's own style sheet sets every cell to the right, and breaks its lines.
    space = "pre" if len(cell) <= _SHORT and "\n" not in cell else "pre-wrap"
    return f'style="text-align:{"right" if number else "left"};white-space:{space}"'
