"""A recorded pipeline: nodes, edges, questions about them, and its picture. Nothing changes a Graph once made."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glacier.errors import PipelineError, RenderError, ResourceNotFoundError, did_you_mean

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from glacier.render import Arrow, Box, Picture

__all__ = ["Access", "Edge", "Graph", "Node", "NodeKind", "Site"]

NodeKind = Literal["task", "inline", "resource"]
Access = Literal["data", "read", "write", "both", "control"]


@dataclass(frozen=True, slots=True)
class Site:
    """A line of the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a pipeline: a task call, an operation written in the body, or a resource.

    `key` is unique in the graph and equal for the same call in every run of the same source; `name` is what the user
    called it. `group` holds the names of the nested pipelines around it, outermost first. `condition` says in words
    when the step runs, None when it always does. `config` has the effective task settings.
    """

    key: str
    name: str
    kind: NodeKind = "task"
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    group: tuple[str, ...] = ()
    condition: str | None = None
    approximate: bool = False
    site: Site | None = field(default=None, compare=False)
    doc: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` needs `source`: its value as the parameter `name`, or access to a resource.

    A resource is always the source, also of the task that writes it: so a pipeline may read and write one bucket and
    still be free of cycles. `"control"` means that the truth of `source` decides whether `target` runs.
    """

    source: str
    target: str
    name: str = ""
    access: Access = "data"
    condition: str | None = None


@dataclass(frozen=True)
class Graph:
    """The directed acyclic graph of a pipeline.

    Raises:
        PipelineError: two nodes share a key, an edge names an unknown node, or the edges form a cycle.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        if len(self._by_key) < len(self.nodes):
            twins = [key for key, count in Counter(node.key for node in self.nodes).items() if count > 1]
            raise PipelineError(f"graph {self.name!r} has two nodes called {twins[0]!r}")
        strangers = {end for edge in self.edges for end in (edge.source, edge.target)} - self._by_key.keys()
        if strangers:
            raise PipelineError(f"graph {self.name!r} has an edge to an unknown node {min(strangers)!r}")
        _ = self.order

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Node:
        """Return the node of that key, or the only node of that name.

        Raises:
            ResourceNotFoundError: there is no such node, or the name stands for several.
        """
        if name in self._by_key:
            return self._by_key[name]
        found = [node for node in self.nodes if node.name == name]
        if len(found) == 1:
            return found[0]
        hint = f"say which: {', '.join(node.key for node in found)}" if found else did_you_mean(name, self._names)
        raise ResourceNotFoundError(f"graph {self.name!r} has {len(found) or 'no'} nodes {name!r}", hint=hint)

    @cached_property
    def _by_key(self) -> dict[str, Node]:
        return {node.key: node for node in self.nodes}

    @property
    def _names(self) -> set[str]:
        return {node.name for node in self.nodes}

    @property
    def tasks(self) -> tuple[Node, ...]:
        """The task calls, in the order of the body."""
        return tuple(node for node in self.nodes if node.kind == "task")

    @property
    def resources(self) -> tuple[Node, ...]:
        """The resources that the pipeline makes, fetches or is given."""
        return tuple(node for node in self.nodes if node.kind == "resource")

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """For each key, the keys it needs, without doubles."""
        return self._neighbours((edge.target, edge.source) for edge in self.edges)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """For each key, the keys that need it, without doubles."""
        return self._neighbours((edge.source, edge.target) for edge in self.edges)

    def _neighbours(self, pairs: Iterator[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
        near: dict[str, dict[str, None]] = {node.key: {} for node in self.nodes}
        for here, there in pairs:
            near[here][there] = None
        return {key: tuple(others) for key, others in near.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The keys, each after everything it needs; ties stay in the order of the body."""
        waiting = {key: len(parents) for key, parents in self.parents.items()}
        ready = deque(key for key, count in waiting.items() if not count)
        done: list[str] = []
        while ready:
            key = ready.popleft()
            done.append(key)
            for child in self.children[key]:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if len(done) < len(self.nodes):
            stuck = sorted(key for key, count in waiting.items() if count)
            raise PipelineError(f"graph {self.name!r} has a cycle among {', '.join(stuck[:5])}")
        return tuple(done)

    def upstream(self, key: str) -> frozenset[str]:
        """Everything that `key` needs, directly or not, without itself."""
        return self._reach(key, self.parents)

    def downstream(self, key: str) -> frozenset[str]:
        """Everything that needs `key`, directly or not, without itself."""
        return self._reach(key, self.children)

    def _reach(self, key: str, near: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
        seen: set[str] = set()
        todo = list(near[self[key].key])
        while todo:
            found = todo.pop()
            if found not in seen:
                seen.add(found)
                todo.extend(near[found])
        return frozenset(seen)

    def contains(self, other: Graph) -> bool:
        """Whether every node and every edge of `other` is also here: its conditions may differ."""
        ends = {(edge.source, edge.target, edge.name) for edge in self.edges}
        return other._by_key.keys() <= self._by_key.keys() and all(
            (edge.source, edge.target, edge.name) in ends for edge in other.edges
        )

    # --- showing ------------------------------------------------------------------------------------------------

    def picture(self, states: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None) -> Picture:
        """Return the graph as a picture; `states` and `notes` (a small second line) are by key, as `Run` gives them.

        A resource that is read and written is drawn twice, before its readers and after its writers.
        """
        from glacier.render import Picture

        states, notes = states or {}, notes or {}
        boxes = [_box(node, states, notes) for node in self.nodes if node.kind != "resource"]
        boxes += [_cylinder(node, f"{node.key}{side}") for node in self.resources for side in self._sides(node.key)]
        return Picture(self.name, tuple(boxes), tuple(_arrow(edge) for edge in self.edges))

    def _sides(self, key: str) -> list[str]:
        """Return the marks of the boxes that a resource needs: "" where it is read or unused, ">" where written."""
        written = {edge.access == "write" for edge in self.edges if edge.source == key}
        return [mark for mark, wanted in (("", False in written or not written), (_WRITTEN, True in written)) if wanted]

    def text(self) -> str:
        """Return the graph as lines of text for a terminal."""
        from glacier.render import text

        return text(self.picture())

    def svg(self) -> str:
        """Return the graph as an SVG picture."""
        from glacier.render import svg

        return svg(self.picture())

    def mermaid(self) -> str:
        """Return the graph in mermaid's language, as Markdown pages show it."""
        from glacier.render import mermaid

        return mermaid(self.picture())

    def dot(self) -> str:
        """Return the graph in graphviz's language."""
        from glacier.render import dot

        return dot(self.picture())

    def mimebundle(
        self, states: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the picture in every form a notebook can show, by MIME type."""
        from glacier.render import mimebundle

        return mimebundle(self.picture(states, notes))

    def save(
        self,
        path: str | os.PathLike[str],
        states: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> Path:
        """Write the picture to a file, in the form that its suffix names, and return the path.

        Raises:
            RenderError: the suffix is none of .svg, .png, .dot, .mmd and .txt.
        """
        from glacier import render

        target = Path(path)
        forms = {
            ".svg": render.svg,
            ".png": render.png,
            ".dot": render.dot,
            ".mmd": render.mermaid,
            ".txt": render.text,
        }
        if target.suffix not in forms:
            raise RenderError(f"no picture has the suffix {target.suffix!r}", hint=f"use one of {', '.join(forms)}")
        drawn = forms[target.suffix](self.picture(states, notes))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(drawn if isinstance(drawn, bytes) else drawn.encode())
        return target

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.mimebundle()


_WRITTEN = " (written)"
_SIGNS = {
    "getitem": "[ ]", "setitem": "[ ] =", "item": "a, b =", "in": "in", "call": "( )", "neg": "-", "pos": "+",
    "invert": "~", "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "add": "+", "sub": "-",
    "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@", "and": "&", "or": "|",
    "xor": "^",
}  # fmt: skip


def _box(node: Node, states: Mapping[str, str], notes: Mapping[str, str]) -> Box:
    from glacier.render import Box

    kind: Literal["task", "inline"] = "inline" if node.kind == "inline" else "task"
    return Box(
        key=node.key,
        label=_SIGNS.get(node.name, f".{node.name}()") if kind == "inline" else node.name,
        kind=kind,
        sub=notes.get(node.key, ""),
        tooltip="\n".join(part for part in (node.doc, str(node.site or "")) if part),
        group=node.group,
        state=states.get(node.key, ""),
        dashed=node.condition is not None,
    )


def _cylinder(node: Node, key: str) -> Box:
    from glacier.render import Box

    return Box(key=key, label=node.name, kind="resource", sub=str(node.config.get("kind", "")))


def _arrow(edge: Edge) -> Arrow:
    from glacier.render import Arrow

    if edge.access == "write":
        return Arrow(edge.target, f"{edge.source}{_WRITTEN}", style="resource")
    style: Literal["data", "resource", "control"] = "resource"
    if edge.access in ("data", "control"):
        style = edge.access
    return Arrow(edge.source, edge.target, edge.condition or "", edge.condition is not None, style)
