"""A large Picture made smaller: whole groups become one box each."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glacier.errors import RenderError
from glacier.render.picture import Arrow, Box, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Folded", "fold"]


@dataclass(frozen=True)
class Folded:
    """A picture with fewer boxes; `home` has for each key of the whole picture the key of the box it is in."""

    picture: Picture
    home: Mapping[str, str]


def fold(picture: Picture, most: int) -> Folded:
    """Fold inner groups first, then those around them, until at most `most` boxes are left or no group is.

    A group stays open where an arrow leaves it and another way comes back: as one box it would need itself.
    """
    folded = Folded(picture, {box.key: box.key for box in picture.boxes})
    for group in reversed(picture.groups):
        if len(folded.picture.boxes) <= most:
            break
        with suppress(RenderError):
            folded = _closed(folded, group)
    return folded


def _closed(folded: Folded, group: tuple[str, ...]) -> Folded:
    """Draw one group as a box.

    Raises:
        RenderError: the arrows would run in a circle.
    """
    inside = {box.key for box in folded.picture.boxes if box.group[: len(group)] == group}
    key = f"group {'/'.join(group)}"
    home = {step: key if box in inside else box for step, box in folded.home.items()}
    steps = Counter(home.values())[key]
    box = Box(key, group[-1], sub=f"{steps} steps", group=group[:-1])
    first = next(place for place, each in enumerate(folded.picture.boxes) if each.key in inside)
    rest = [each for each in folded.picture.boxes if each.key not in inside]
    before = sum(each.key not in inside for each in folded.picture.boxes[:first])
    arrows = [
        replace(arrow, source=_in(inside, key, arrow.source), target=_in(inside, key, arrow.target))
        for arrow in folded.picture.arrows
        if not (arrow.source in inside and arrow.target in inside)
    ]
    return Folded(Picture(folded.picture.name, (*rest[:before], box, *rest[before:]), _bundled(arrows)), home)


def _in(inside: set[str], key: str, end: str) -> str:
    return key if end in inside else end


def _bundled(arrows: list[Arrow]) -> tuple[Arrow, ...]:
    """Return one arrow for each pair of boxes; conditions of many say nothing of one."""
    ends = Counter((arrow.source, arrow.target) for arrow in arrows)
    kept = {(arrow.source, arrow.target): arrow for arrow in arrows}
    return tuple(replace(arrow, label="") if ends[pair] > 1 else arrow for pair, arrow in kept.items())
