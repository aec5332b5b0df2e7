"""Layout -> SVG: one painter for both layouts, so that they look alike.

The SVG is built from elements with the standard library: texts cannot break out of it, and it has no script, no link
and no foreign markup because none is ever made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from glacier.render.layout import Spot, hull
from glacier.render.look import (
    FONT,
    KINDS,
    LINE,
    STATES,
    SUB_FONT,
    caption,
    label_of,
    path_of,
    state_look,
    story,
    text_width,
)
from glacier.safe import unlinked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier.render.layout import Frame, Layout, Point, Route
    from glacier.render.look import StateLook
    from glacier.render.picture import Arrow, Box, Picture

__all__ = ["paint"]

Element = ElementTree.Element

_MARGIN = 12
# Browsers draw no image wider or higher than 32,767 px; half of it leaves room for screens of double density.
_LARGEST = 16_000
_DASHES = "5 3.5"
_RADIUS = 8
_CAP = 6
_SUB_OPACITY = "0.82"
_FRAME_FONT = 11


def paint(picture: Picture, layout: Layout, background: str = "") -> str:
    """Return the picture as an SVG, 1 unit to the px; a very large one is shown smaller.

    `background` is a colour, without one the canvas is transparent.
    """
    area = hull(_extents(picture, layout)).around(margin=_MARGIN)
    root = _root(picture, layout, area)
    if background:
        ElementTree.SubElement(root, "rect", {**_rectangle(area), "fill": background, "rx": _number(_RADIUS)})
    for number, frame in enumerate(layout.frames):
        _frame(root, frame, number)
    for number, (link, route) in enumerate(zip(picture.links, layout.routes, strict=True)):
        _arrow(root, picture, link, route, number)
    framed = {frame.group for frame in layout.frames}
    for number, box in enumerate(picture.boxes):
        _box(root, box, layout.spots[box.key], number, framed=box.group in framed)
    return ElementTree.tostring(root, encoding="unicode")


def _root(picture: Picture, layout: Layout, area: Spot) -> Element:
    shrink = min(1.0, _LARGEST / max(area.width, area.height))
    name = unlinked(f"pipeline {caption(picture.name)}, {len(picture.boxes)} boxes, {len(picture.links)} arrows")
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{area.width * shrink:.0f}",
            "height": f"{area.height * shrink:.0f}",
            "viewBox": " ".join(_number(each) for each in (area.left, area.top, area.width, area.height)),
            "role": "img",
            "aria-label": name,
            "class": "glacier-picture",
            "data-engine": layout.engine,
            "font-family": FONT,
            "style": "max-width:100%;height:auto",
        },
    )
    ElementTree.SubElement(root, "title").text = name
    return root


def _extents(picture: Picture, layout: Layout) -> Iterator[Spot]:
    """Yield every rectangle that the canvas must hold; a small one for a picture without boxes."""
    yield from layout.spots.values()
    yield from (frame.spot for frame in layout.frames)
    for link, route in zip(picture.links, layout.routes, strict=True):
        yield from (Spot(x, y, 2, 2) for x, y in route.curve)
        if route.label:
            yield Spot(*route.label, text_width(caption(link.label), SUB_FONT), SUB_FONT + 4)
    if not layout.spots:
        yield Spot(0, 0, 24, 24)


# --- frames and arrows ------------------------------------------------------------------------------------------------


def _frame(root: Element, frame: Frame, number: int) -> None:
    group = _group(root, f"frame-{number}", "frame", path_of(frame.group))
    look = {"fill": LINE, "fill-opacity": "0.07", "stroke": LINE, "stroke-opacity": "0.7", "rx": "10"}
    ElementTree.SubElement(group, "rect", {**_rectangle(frame.spot), **look})
    place = (frame.spot.left + 10, frame.spot.top + 15)
    _text(group, caption(frame.group[-1]), place, _FRAME_FONT, fill=LINE, font_weight="bold", text_anchor="start")


def _arrow(root: Element, picture: Picture, link: Arrow, route: Route, number: int) -> None:
    ends = (picture.boxes[picture.index[key]].label for key in (link.source, link.target))
    story_of_link = " → ".join(caption(end) for end in ends) + (f": {caption(link.label)}" if link.label else "")
    group = _group(root, f"arrow-{number}", f"arrow {link.style}", story_of_link)
    width = "1" if link.style == "resource" else "1.4"
    line = {"fill": "none", "stroke": LINE, "stroke-width": width, "d": _curve(route.curve)}
    ElementTree.SubElement(group, "path", line | ({"stroke-dasharray": _DASHES} if link.dashed else {}))
    ElementTree.SubElement(group, "polygon", {"fill": LINE, "points": _head(route.curve[-1], route.tip)})
    if route.label:
        x, y = route.label
        _text(group, caption(link.label), (x, y + 3.5), SUB_FONT, fill=LINE)


def _curve(points: tuple[Point, ...]) -> str:
    start, *rest = (f"{_number(x)},{_number(y)}" for x, y in points)
    return f"M{start}C{' '.join(rest)}"


def _head(base: Point, tip: Point) -> str:
    """Return the corners of an arrow head: the tip, and half as wide as it is long at its base."""
    across = ((base[1] - tip[1]) * 0.45, (tip[0] - base[0]) * 0.45)
    corners = (tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1]))
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)


# --- boxes ------------------------------------------------------------------------------------------------------------


def _box(root: Element, box: Box, spot: Spot, number: int, *, framed: bool) -> None:
    look = state_look(box)
    state = box.state if box.state in STATES else ""
    group = _group(root, f"box-{number}", f"box {box.kind} {state}".strip(), story(box))
    border = {"fill": look.fill, "stroke": look.stroke, "stroke-width": f"{look.width:g}"}
    border |= {"stroke-dasharray": _DASHES} if box.dashed or look.dashed else {}
    _shape(group, box, spot, border)
    _words(group, box, spot, look)
    if box.group and not framed:
        place = (spot.x, spot.top - 5)
        _text(group, path_of(box.group), place, SUB_FONT, fill=LINE)


def _shape(group: Element, box: Box, spot: Spot, border: dict[str, str]) -> None:
    if box.kind == "resource":
        ElementTree.SubElement(group, "path", {**border, "d": _cylinder(spot)})
        ElementTree.SubElement(group, "path", {**border, "fill": "none", "d": _rim(spot)})
    else:
        radius = spot.height / 2 if box.kind == "inline" else _RADIUS
        ElementTree.SubElement(group, "rect", {**_rectangle(spot), "rx": _number(radius), **border})


def _cylinder(spot: Spot) -> str:
    left, right, top, bottom = (_number(each) for each in (spot.left, spot.right, spot.top + _CAP, spot.bottom - _CAP))
    arc = f"A{_number(spot.width / 2)},{_CAP} 0 0 1"
    return f"M{left},{top}{arc} {right},{top}V{bottom}{arc} {left},{bottom}Z"


def _rim(spot: Spot) -> str:
    top = _number(spot.top + _CAP)
    return f"M{_number(spot.left)},{top}A{_number(spot.width / 2)},{_CAP} 0 0 0 {_number(spot.right)},{top}"


def _words(group: Element, box: Box, spot: Spot, look: StateLook) -> None:
    font = KINDS[box.kind].font
    middle = spot.y + (_CAP / 2 if box.kind == "resource" else 0)
    place = (spot.x, middle + font * 0.35 - (7 if box.sub else 0))
    _text(group, label_of(box), place, font, fill=look.ink)
    if box.sub:
        place = (spot.x, middle + 13)
        _text(group, caption(box.sub), place, SUB_FONT, fill=look.ink, fill_opacity=_SUB_OPACITY)


# --- elements ---------------------------------------------------------------------------------------------------------


def _group(root: Element, name: str, kind: str, title: str) -> Element:
    group = ElementTree.SubElement(root, "g", {"id": name, "class": kind})
    ElementTree.SubElement(group, "title").text = unlinked(title)
    return group


def _text(parent: Element, text: str, place: Point, size: float, **more: str) -> None:
    look = {"text-anchor": "middle"} | {name.replace("_", "-"): value for name, value in more.items()}
    where = {"x": _number(place[0]), "y": _number(place[1]), "font-size": f"{size:g}"}
    ElementTree.SubElement(parent, "text", where | look).text = unlinked(text)


def _rectangle(spot: Spot) -> dict[str, str]:
    sides = {"x": spot.left, "y": spot.top, "width": spot.width, "height": spot.height}
    return {name: _number(value) for name, value in sides.items()}


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
