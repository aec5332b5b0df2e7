"""Colours, signs and sizes, the same for every form of a picture.

Boxes are light with dark text, and lines and titles are of one middle tone with a contrast of 4:1 and more against
white as well as #111 (WCAG 2.2, 1.4.11, asks for 3:1): so the canvas can stay transparent. A state never shows by
colour alone: it has a sign before the label, and its word in the tooltip.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier.safe import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.render.picture import Box, BoxKind

__all__ = [
    "FONT",
    "KINDS",
    "LINE",
    "STATES",
    "SUB_FONT",
    "KindLook",
    "StateLook",
    "box_size",
    "caption",
    "label_of",
    "note",
    "path_of",
    "state_look",
    "story",
    "text_width",
]

FONT = "Helvetica,Arial,sans-serif"
LINE = "#6b7f9e"
SUB_FONT = 10.5
_LABEL_LIMIT = 48
_STORY_LIMIT = 500


@dataclass(frozen=True, slots=True)
class StateLook:
    """How a state looks: colours of the box, its border and its text, a sign before the label, the border's width."""

    fill: str
    stroke: str
    ink: str
    sign: str = ""
    width: float = 1.2
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class KindLook:
    """How a kind of box looks: graphviz's shape, font size, heights for one and two lines, padding (px)."""

    shape: str
    style: str
    font: float
    heights: tuple[float, float]
    padding: float
    colours: StateLook


STATES: Mapping[str, StateLook] = {
    "planned": StateLook("#eceffe", "#6d7be0", "#2f3684", "◇"),
    "waiting": StateLook("#f3f5f8", "#7a889e", "#4a5568", "○"),
    "ready": StateLook("#e2f1fc", "#3a89bd", "#15466b", "●"),
    "running": StateLook("#d8e8ff", "#2563eb", "#173a8c", "▶", 2.2),
    "done": StateLook("#dff5e6", "#2a9354", "#14532d", "✓"),
    "cached": StateLook("#d9f3f0", "#22948a", "#134e4a", "≡"),
    "retried": StateLook("#fdf3cf", "#a9790c", "#6b4208", "↻"),
    "failed": StateLook("#fde4e4", "#d92d2d", "#7f1d1d", "✗", 2.2, dashed=True),
    "skipped": StateLook("#f3f5f8", "#7a889e", "#4a5568", "⤼"),
    "cancelled": StateLook("#f1e9f7", "#9a72b8", "#4f2d6b", "⊘"),
    "stale": StateLook("#ffead6", "#c8640f", "#7c3208", "△"),
}

KINDS: Mapping[BoxKind, KindLook] = {
    "task": KindLook("box", "rounded,filled", 13, (34, 48), 14, StateLook("#eef2f8", "#64789a", "#1f2a3d")),
    "inline": KindLook("ellipse", "filled", 11, (26, 40), 12, StateLook("#f7f8fb", "#7988a3", "#3b475c", width=1)),
    "resource": KindLook("cylinder", "filled", 12, (46, 60), 14, StateLook("#fbf3e2", "#a07c34", "#5a4312")),
}


def state_look(box: Box) -> StateLook:
    """Return the look of the box's state, or of its kind where the state has none."""
    return STATES.get(box.state, KINDS[box.kind].colours)


def label_of(box: Box) -> str:
    """Return the label as it is shown: the sign of the state, then the text made harmless and cut."""
    return f"{state_look(box).sign} {caption(box.label)}".strip()


def caption(text: str) -> str:
    """Return a short text as it is shown in a picture: harmless, and at most 48 characters long."""
    return visible(text, _LABEL_LIMIT)


def note(box: Box) -> str:
    """Return the state as a word and the second line, as they are shown where there is no sign."""
    said = box.sub.startswith(box.state)
    return caption(box.sub if said else " · ".join(part for part in (box.state, box.sub) if part))


def path_of(group: tuple[str, ...]) -> str:
    """Return the names of a group, outermost first, as they are shown in one line."""
    return " / ".join(caption(name) for name in group)


def story(box: Box) -> str:
    """Return what a reader hears and the tooltip shows: the whole label, the state, the second line, the tooltip."""
    head = ": ".join(part for part in (box.label, box.state) if part)
    return "\n".join(visible(part, _STORY_LIMIT, keep="\n") for part in (head, box.sub, box.tooltip) if part)


def box_size(box: Box) -> tuple[float, float]:
    """Return width and height of a box, in px."""
    look = KINDS[box.kind]
    lines = (text_width(label_of(box), look.font), text_width(caption(box.sub), SUB_FONT))
    return max(56.0, max(lines) + 2 * look.padding), look.heights[bool(box.sub)]


# Widths in parts of the font size, a little over Helvetica's (Adobe Core 14 font metrics), since others may stand in.
_NARROW = frozenset("ijl.,:;'|!()[]{}ftrI /\\`-")
_WIDE = frozenset("mwMW@%…—")


def text_width(text: str, size: float) -> float:
    """Estimate the width of a line of text in Helvetica of `size` px, without a font at hand."""
    return size * sum(_advance(each) for each in text)


def _advance(character: str) -> float:
    if character in _NARROW:
        return 0.34
    if character in _WIDE:
        return 0.92
    if not character.isascii():
        return _foreign_advance(character)
    return 0.7 if character.isupper() else 0.57


def _foreign_advance(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.7
