"""The nouns of a drawing: boxes, arrows between them, and the picture they make."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from glacier.errors import RenderError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Arrow", "ArrowStyle", "Box", "BoxKind", "Picture"]

BoxKind = Literal["task", "inline", "resource"]
ArrowStyle = Literal["data", "resource", "control"]


@dataclass(frozen=True, slots=True)
class Box:
    """One step or resource of a picture.

    `key` is unique in the picture and never shown. `sub` is a small second line, such as "336,776 rows · 1.2 s".
    `group` names the frames around the box, outermost first. `state` is a word of `glacier.render.look.STATES`; any
    other word has no colour of its own and stands in the tooltip only. `dashed` marks a step that may not run.
    """

    key: str
    label: str
    kind: BoxKind = "task"
    sub: str = ""
    tooltip: str = ""
    group: tuple[str, ...] = ()
    state: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the box `source` to the box `target`, by key; dashed and labelled where a condition rules."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False
    style: ArrowStyle = "data"


@dataclass(frozen=True)
class Picture:
    """What is drawn: boxes and the arrows between them, without cycles.

    Raises:
        RenderError: two boxes share a key, an arrow names an unknown box, or the arrows run in a circle.
    """

    name: str
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = ()

    def __post_init__(self) -> None:
        twins = [key for key, count in Counter(box.key for box in self.boxes).items() if count > 1]
        if twins:
            raise RenderError(f"picture {self.name!r} has two boxes {twins[0]!r}", hint="give every box its own key")
        known = {box.key for box in self.boxes}
        for end in (end for arrow in self.arrows for end in (arrow.source, arrow.target)):
            if end not in known:
                message = f"picture {self.name!r} has an arrow to an unknown box {end!r}"
                raise RenderError(message, hint=did_you_mean(end, known))
        self._check_order()

    def _check_order(self) -> None:
        if len(self.order) < len(self.boxes):
            stuck = sorted({box.key for box in self.boxes} - set(self.order))
            message = f"the arrows of picture {self.name!r} run in a circle through {', '.join(stuck[:5])}"
            raise RenderError(message, hint="draw a resource that is read and written as two boxes")

    @cached_property
    def index(self) -> Mapping[str, int]:
        """For each key, the place of its box in `boxes`."""
        return {box.key: place for place, box in enumerate(self.boxes)}

    @cached_property
    def links(self) -> tuple[Arrow, ...]:
        """The arrows as they are drawn: one for each pair of boxes, with the labels of all arrows between them."""
        merged: dict[tuple[str, str], Arrow] = {}
        for arrow in self.arrows:
            ends = (arrow.source, arrow.target)
            merged[ends] = _both(merged[ends], arrow) if ends in merged else arrow
        return tuple(merged.values())

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Every group, with those around it, outer ones before inner ones."""
        paths = (box.group[:depth] for box in self.boxes for depth in range(1, len(box.group) + 1))
        return tuple(sorted(dict.fromkeys(paths), key=len))

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """For each key, the keys of the boxes with an arrow to it."""
        near: dict[str, list[str]] = {box.key: [] for box in self.boxes}
        for link in self.links:
            near[link.target].append(link.source)
        return {key: tuple(sources) for key, sources in near.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The keys, each after everything with an arrow to it; ties stay in the order of `boxes`."""
        waiting = {box.key: 0 for box in self.boxes}
        children: dict[str, list[str]] = {box.key: [] for box in self.boxes}
        for link in self.links:
            waiting[link.target] += 1
            children[link.source].append(link.target)
        ready = deque(key for key, count in waiting.items() if not count)
        done: list[str] = []
        while ready:
            done.append(ready.popleft())
            for child in children[done[-1]]:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        return tuple(done)


def _both(one: Arrow, other: Arrow) -> Arrow:
    labels = dict.fromkeys(label for label in (one.label, other.label) if label)
    return replace(one, label=", ".join(labels), dashed=one.dashed or other.dashed)
