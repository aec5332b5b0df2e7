"""A graph as it is drawn: one layout for the whole run, the boxes' texts, and which step is in which box."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.errors import GlacierError
from glacier.render import STATES, fold, lay_out, svg
from glacier.render.look import KINDS
from glacier.resources import Bucket, Serverless
from glacier_magics.cells import placed
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier import GlacierEnv
    from glacier.graph import Graph, Node
    from glacier.render import Box, Layout, Picture
    from glacier.render.picture import BoxKind

__all__ = ["MOST_BOXES", "Sheet"]

MOST_BOXES = 300
"""Above this, groups are drawn as one box each."""
_WRITTEN = " (written)"
_CODE = 4000
_ALL_CODE = 200_000
_ROOM = "0,000,000 rows · 00.00 s"
"""The note that every task's box has room for; an operation of the body shows no more than its sign."""
_KINDS: Mapping[str, BoxKind] = {"task": "task", "inline": "inline", "resource": "resource", "fold": "task"}


class Sheet:
    """The boxes of a graph, with ids `box-0`, `box-1`, ... as in its picture."""

    def __init__(self, graph: Graph, env: GlacierEnv | None = None) -> None:
        self.graph = graph
        self.env = env
        self.registered = _registered(env)
        folded = fold(_named(graph.picture(), self.registered), MOST_BOXES)
        self.picture: Picture = folded.picture
        self.ids = {box.key: f"box-{number}" for number, box in enumerate(self.picture.boxes)}
        self.home = {key: self.ids[box] for key, box in folded.home.items()}
        self.steps: dict[str, list[str]] = {each: [] for each in self.ids.values()}
        for key, box in self.home.items():
            self.steps[box].append(key)

    def node(self, box: str) -> Node | None:
        """Return the node that a box stands for; None for a group, and for a box that is not there."""
        steps = self.steps.get(box, [])
        if len(steps) != 1:
            return None
        return {node.key: node for node in self.graph}.get(steps[0].removesuffix(_WRITTEN))

    def resource(self, node: Node) -> Any:
        """Return the registered resource that a node stands for, None where the environment has none."""
        return self.env.resources.get(self.registered.get(node.key, node.name)) if self.env else None

    def drawn(self, states: Mapping[str, str], notes: Mapping[str, str]) -> Picture:
        """Return the picture with states and notes, both by box."""
        boxes = (self._drawn(box, states.get(self.ids[box.key], ""), notes) for box in self.picture.boxes)
        return replace(self.picture, boxes=tuple(boxes))

    def _drawn(self, box: Box, state: str, notes: Mapping[str, str]) -> Box:
        note = "" if box.kind == "inline" else notes.get(self.ids[box.key], "")
        return replace(box, state=state or box.state, sub=note or box.sub)

    @cached_property
    def roomy(self) -> Picture:
        """The picture with room for every state's sign, and for a note in each task's box."""
        boxes = (
            box if box.kind == "resource" else replace(box, state="waiting", sub=_ROOM if box.kind == "task" else "")
            for box in self.picture.boxes
        )
        return replace(self.picture, boxes=tuple(boxes))

    @cached_property
    def layout(self) -> Layout:
        """Where everything stands, before a run and after it."""
        return lay_out(self.roomy)

    def svg(self) -> str:
        """Return the picture that the page fills with states and notes."""
        return svg(self.roomy, layout=self.layout)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """What the page has to know of the graph, as plain data."""
        looks = {state: {"sign": look.sign, "hue": look.stroke} for state, look in STATES.items()}
        looks |= {kind: {"sign": "", "hue": KINDS[alike].colours.stroke} for kind, alike in _KINDS.items()}
        links = [[self.ids[link.source], self.ids[link.target]] for link in self.picture.links]
        code = _Budget(_ALL_CODE)
        return {
            "name": clean(self.graph.name, 100),
            "looks": looks,
            "arrows": links,
            "boxes": [self._plain(box, code) for box in self.picture.boxes],
        }

    def _plain(self, box: Box, code: _Budget) -> dict[str, Any]:
        node = self.node(self.ids[box.key])
        folded = len(self.steps[self.ids[box.key]]) > 1
        made = {
            "id": self.ids[box.key],
            "label": clean(box.label, 48),
            "kind": "fold" if folded else box.kind,
            "sub": clean(box.sub, 48),
            "group": " / ".join(clean(name, 48) for name in box.group),
            "needs": [self.ids[key] for key in self.picture.parents[box.key]],
            "when": "",
            "site": "",
            "doc": "",
            "code": "",
            "settings": [],
            "steps": self._names(self.ids[box.key]) if folded else [],
            "looks": node is not None and (node.kind == "resource" or not folded),
        }
        return made if node is None else made | self._told(node, code)

    def _names(self, box: str) -> list[str]:
        names = {node.key: node.name for node in self.graph}
        return [clean(names[key], 48) for key in self.steps[box] if key in names][:200]

    def _told(self, node: Node, code: _Budget) -> dict[str, Any]:
        return {
            "when": clean(node.condition or "", 300),
            "site": clean(placed(node.site.file, node.site.line), 100) if node.site else "",
            "doc": clean(_doc(node), 1000, keep="\n"),
            "code": code.spent(self._code(node)) if node.kind == "task" else "",
            "settings": _settings(node),
        }

    def _code(self, node: Node) -> str:
        if self.env is None:
            return ""
        with suppress(GlacierError, OSError, TypeError):
            source = inspect.getsource(self.env.find_task(node.name).fn)
            return clean(inspect.cleandoc(source), _CODE, keep="\n\t")
        return ""


class _Budget:
    """So many characters, for all texts of one kind together."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def spent(self, text: str) -> str:
        """Return the text, or nothing when there is no room for it."""
        self.left -= len(text)
        return text if self.left >= 0 else ""


def _doc(node: Node) -> str:
    return inspect.cleandoc(node.doc) if node.kind != "resource" else f"{node.config.get('kind', '')} {node.name}"


def _registered(env: GlacierEnv | None) -> dict[str, str]:
    """Return for the key that a graph gives a resource the name under which it is registered."""
    known: Mapping[str, Any] = env.resources if env else {}
    found: dict[str, str] = {}
    for name, resource in known.items():
        found.setdefault(_key(resource), name)
    return found


def _key(resource: Any) -> str:
    if isinstance(resource, Bucket):
        return f"bucket:{resource.bucket_name}/{resource.path}"
    return f"function:{resource.function_name}" if isinstance(resource, Serverless) else ""


def _named(picture: Picture, names: Mapping[str, str]) -> Picture:
    """Return the picture with its resources under the names that the user gave them."""
    boxes = (replace(box, label=names.get(box.key.removesuffix(_WRITTEN), box.label)) for box in picture.boxes)
    return replace(picture, boxes=tuple(boxes))


def _settings(node: Node) -> list[list[str]]:
    """Return the settings that say something: those that are set."""
    shown = ((name, value) for name, value in node.config.items() if value not in (None, False, 0, "", (), {}))
    return [[clean(str(name), 40), clean(str(value), 100)] for name, value in shown][:20]
