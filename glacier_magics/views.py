"""What commands show: text for a terminal, HTML for a notebook, plain data for a program."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier import tables
from glacier.jsonable import jsonable
from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from glacier import Graph

__all__ = ["Json", "Table", "Text", "With", "graph_data", "plain"]


@dataclass(frozen=True)
class Table:
    """Rows under headings, with a line above and one below; columns numbered in `right` hold numbers."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    data: Any = field(default=None, repr=False)
    right: tuple[int, ...] = ()

    def plain(self) -> Any:
        """Return the rows as mappings, or the data given for them."""
        if self.data is not None:
            return self.data
        return [dict(zip(self.head, row, strict=True)) for row in self.rows]

    def __str__(self) -> str:
        parts = printable(self.title), tables.text(self._head, self.rows, self.right), printable(self.note)
        return "\n".join(part for part in parts if part)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the table as HTML in which nothing of the cells is markup."""
        note = tables.line(self.note) if self.note else ""
        return tables.block(tables.line(self.title, "b"), tables.html(self._head, self.rows, self.right), note)

    @property
    def _head(self) -> tuple[str, ...]:
        return self.head if any(each.strip() for each in self.head) else ()

    __repr__ = __str__


@dataclass(frozen=True)
class Text:
    """Lines of text, in which nothing moves other text."""

    text: str
    data: Any = None

    def plain(self) -> Any:
        """Return the text, or the data given for it."""
        return self.text if self.data is None else self.data

    def __repr__(self) -> str:
        return printable(self.text, "\n\t")


@dataclass(frozen=True, repr=False)
class With:
    """Something shown, with the plain data that a program gets in its place; they are asked for only then."""

    shown: Any
    data: Callable[[], Any]

    def plain(self) -> Any:
        """Return the data."""
        return self.data()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if hasattr(self.shown, "_repr_mimebundle_"):
            return self.shown._repr_mimebundle_()
        return {"text/plain": str(self.shown), "text/html": self.shown._repr_html_()}

    def __repr__(self) -> str:
        return str(self.shown)


def graph_data(graph: Graph, states: Mapping[str, str]) -> dict[str, Any]:
    """Return the nodes of a graph, with their states, and its edges."""
    nodes = [{"key": each.key, "name": each.name, "kind": each.kind} for each in graph]
    nodes = [{**node, "state": states.get(node["key"])} for node in nodes]
    edges = [{"source": each.source, "target": each.target, "access": each.access} for each in graph.edges]
    return {"name": graph.name, "nodes": nodes, "edges": edges}


@dataclass(frozen=True, repr=False)
class Json:
    """The machine form of a result."""

    value: Any

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": self.value, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return json.dumps(self.value, indent=2)


def plain(value: Any) -> Any:
    """Return a result in JSON's own types."""
    for name in ("plain", "to_dicts"):
        if callable(getattr(value, name, None)):
            return jsonable(getattr(value, name)())
    return jsonable(value)
