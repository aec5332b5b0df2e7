"""Static HTML that reads well wherever a saved notebook is shown: no script, no style sheet, no link.

It is built from elements with the standard library, so that no text can break out of it; control and bidirectional
characters are shown as escapes. `mathjax_ignore` keeps dollar signs in data from being typeset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from glacier.safe import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Child = ElementTree.Element | str

__all__ = ["RIGHT", "card", "element", "html", "rows_table", "scrolled", "table"]

RIGHT = {"style": "text-align:right"}
_LEFT = {"style": "text-align:left"}
_BARS = "color:#4a7fb5;letter-spacing:1px"
_CELL = 2000


def element(name: str, *children: Child, **attributes: str) -> ElementTree.Element:
    """Return an element; `_` in an attribute's name stands for `-`, and one at its end for nothing."""
    made = ElementTree.Element(name, {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    for child in children:
        _add(made, child)
    return made


def _add(parent: ElementTree.Element, child: Child) -> None:
    if isinstance(child, ElementTree.Element):
        parent.append(child)
        return
    text = visible(child, _CELL, keep="\n\t")
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def html(root: ElementTree.Element) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(root, encoding="unicode", method="html")


def card(token: str, title: str, facts: Iterable[str], *body: Child) -> str:
    """Return what a notebook shows of one thing: its title, facts beside it, and its body; alive by its token."""
    head = element("div", element("strong", title), *(f" · {fact}" for fact in facts))
    root = element("div", head, *body, class_="glacier-static tex2jax_ignore mathjax_ignore")
    if token:
        root.set("data-glacier", token)
    return html(root)


def scrolled(child: ElementTree.Element) -> ElementTree.Element:
    """Return an element that scrolls sideways where it is wider than the page."""
    return element("div", child, style="overflow-x:auto")


def table(
    heads: Iterable[str | ElementTree.Element], rows: Iterable[Iterable[Child]], right: Iterable[int] = ()
) -> ElementTree.Element:
    """Return a table; the columns numbered in `right` hold numbers."""
    ends = frozenset(right)
    head = element("tr", *(_head(each, place in ends) for place, each in enumerate(heads)))
    body = [
        element("tr", *(element("td", each, **(RIGHT if place in ends else _LEFT)) for place, each in enumerate(row)))
        for row in rows
    ]
    return element("table", element("thead", head), element("tbody", *body))


def _head(child: Child, right: bool) -> ElementTree.Element:
    return element("th", child, scope="col", **(RIGHT if right else _LEFT))


def rows_table(page: Mapping[str, Any]) -> ElementTree.Element:
    """Return the rows of a page as a table, with the columns' types and how they are spread below their names."""
    told = zip(page["columns"], page["types"], page["nulls"], page["sketches"], strict=True)
    heads = [
        element("span", name, element("br"), _small(f"{kind}, {nulls}" if nulls else kind), *_sketch(*sketch))
        for name, kind, nulls, sketch in told
    ]
    rows = ([element("em", "null") if value is None else value for value in row] for row in page["rows"])
    return table(heads, rows, [place for place, number in enumerate(page["numeric"]) if number])


def _small(text: str, style: str = "font-weight:normal;white-space:nowrap") -> ElementTree.Element:
    return element("small", text, style=style)


def _sketch(bars: str, words: str) -> list[ElementTree.Element]:
    drawn = [element("br"), _small(bars, _BARS)] if bars else []
    return [*drawn, element("br"), _small(words)] if words else []
