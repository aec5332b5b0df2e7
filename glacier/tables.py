"""Rows under headings as text and as HTML: nothing in a cell is markup, moves other text or breaks its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glacier.safe import html_text, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["block", "html", "line", "text"]

_TABLE = 'style="border-collapse:collapse;color:inherit;background:none"'
_CELL = 'style="text-align:left;padding:2px 8px;border-bottom:1px solid;white-space:pre-wrap"'
_PLAIN = 'class="tex2jax_ignore mathjax_ignore"'
"""What keeps dollar signs from being typeset: https://docs.mathjax.org/en/latest/options/document.html."""


def text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines with aligned columns, nothing where there are no rows; `head` may be empty."""
    if not rows:
        return ""
    lines = [[printable(cell) for cell in row] for row in (head, *rows) if row]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide, strict=True)).rstrip() for row in lines
    )


def html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table, nothing where there are no rows; `head` may be empty."""
    if not rows:
        return ""
    top = f"<thead>{_row('th', head)}</thead>" if head else ""
    return f"<table {_PLAIN} {_TABLE}>{top}<tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>"


def line(said: str, element: str = "div") -> str:
    """Return a line of text as an HTML element."""
    return f"<{element}>{html_text(said)}</{element}>"


def block(*parts: str) -> str:
    """Return pieces of HTML as one, in which dollar signs are no formulas."""
    return f"<div {_PLAIN}>{''.join(parts)}</div>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag} {_CELL}>{html_text(cell)}</{tag}>' for cell in cells)}</tr>"
