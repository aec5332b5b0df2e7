"""Picture -> Layout by our own code: columns from left to right, in the manner of Sugiyama, Tagawa and Toda (1981).

1. columns: every box stands right of all it needs (longest path), a source as near to its readers as it can (grid)
2. bends: a long arrow gets a place in every column that it crosses, so that it goes round the boxes (grid)
3. order: each column is sorted by the mean place of its neighbours, to and fro; the fewest crossings win (grid)
4. heights: each column moves towards its neighbours' heights and keeps its order and distances (heights)
5. routes, and a frame for every group in which no stranger stands (here)

Boxes and bends are numbered alike: boxes as in `Picture.boxes`, bends after them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier.render.engines import BUILTIN
from glacier.render.grid import LABEL_LINE, make_grid, sort_grid
from glacier.render.heights import FRAME_MARGIN, FRAME_TITLE, heights_of, make_room, straighten
from glacier.render.layout import Frame, Layout, Point, Route, Spot, hull
from glacier.render.look import SUB_FONT, caption, text_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier.render.grid import Grid, Path
    from glacier.render.picture import Picture

__all__ = ["layered"]

# Distances in px.
_BETWEEN_COLUMNS = 46
_HEAD = 7
_PORT = 10


def layered(picture: Picture) -> Layout:
    """Lay the picture out without any program; about linear in the boxes and arrows."""
    grid = make_grid(picture)
    sort_grid(grid)
    heights = heights_of(grid)
    make_room(grid, heights)
    ports = _ports(picture, grid, heights)
    straighten(grid, heights, ports)
    lefts, rights, labels = _columns(picture, grid)
    spots = [
        Spot((lefts[column] + rights[column]) / 2, heights[number], *grid.sizes[number])
        for number, column in enumerate(grid.column)
    ]
    boxes = {box.key: spots[number] for number, box in enumerate(picture.boxes)}
    ways = _routes(picture, grid, spots, ports, _Edges(lefts, rights, labels))
    return Layout(BUILTIN, boxes, tuple(ways), tuple(_frames(picture, grid, spots)))


# --- widths and routes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Edges:
    """The left and right edge of every column, and the room for labels before its left edge."""

    left: list[float]
    right: list[float]
    labels: list[float]


def _columns(picture: Picture, grid: Grid) -> tuple[list[float], list[float], list[float]]:
    labels = [0.0] * len(grid.rows)
    for link in picture.links:
        column = grid.column[picture.index[link.target]]
        labels[column] = max(labels[column], _label_room(link.label))
    lefts: list[float] = []
    rights = [-float(_BETWEEN_COLUMNS)]
    for row, room in zip(grid.rows, labels, strict=True):
        lefts.append(rights[-1] + _BETWEEN_COLUMNS + room)
        rights.append(lefts[-1] + max((grid.sizes[number][0] for number in row), default=0.0))
    return lefts, rights[1:], labels


def _label_room(label: str) -> float:
    return text_width(caption(label), SUB_FONT) + _HEAD + 8 if label else 0.0


def _routes(
    picture: Picture, grid: Grid, spots: Sequence[Spot], ports: Sequence[float], edges: _Edges
) -> Iterator[Route]:
    for link, chain, port in zip(picture.links, grid.chains, ports, strict=True):
        target, column = spots[chain[-1]], grid.column[chain[-1]]
        tip = (target.left, port)
        curve = _curve([spots[number] for number in chain], [grid.column[number] for number in chain], port, edges)
        label = (edges.left[column] - edges.labels[column] / 2 - _HEAD / 2, port - 8) if link.label else None
        yield Route(tuple(curve), tip, label)


def _ports(picture: Picture, grid: Grid, heights: Sequence[float]) -> list[float]:
    """Return the y at which each link arrives: the arrows of one box spread in the order they come from."""
    arriving: dict[int, list[int]] = defaultdict(list)
    for number, chain in enumerate(grid.chains):
        arriving[chain[-1]].append(number)
    ports = [0.0] * len(grid.chains)
    for target, links in arriving.items():
        links.sort(key=lambda link: heights[grid.chains[link][-2]])
        step = _port_step(picture, links, grid.sizes[target][1])
        for place, link in enumerate(links):
            ports[link] = heights[target] + (place - (len(links) - 1) / 2) * step
    return ports


def _port_step(picture: Picture, links: Sequence[int], height: float) -> float:
    if len(links) < 2:
        return 0.0
    widest = LABEL_LINE if any(picture.links[link].label for link in links) else _PORT
    return min(widest, (height - 18) / (len(links) - 1))


def _curve(way: Sequence[Spot], column: Sequence[int], port: float, edges: _Edges) -> Iterator[Point]:
    """Yield the points of a curve that crosses columns level and changes height between them."""
    here = (way[0].right, way[0].y)
    yield here
    for place, spot in zip(column[1:], way[1:], strict=True):
        last = spot is way[-1]
        turn = max(here[0], edges.right[column[0]] if here[0] == way[0].right else here[0])
        yield from _level(here, turn)
        entry = (edges.left[place] - edges.labels[place], port if last else spot.y)
        yield from _swing((turn, here[1]), entry)
        here = ((spot.left - _HEAD) if last else edges.right[place], entry[1])
        yield from _level(entry, here[0])


def _level(start: Point, x: float) -> Iterator[Point]:
    """Yield a level piece, or nothing where it has no length."""
    if x != start[0]:
        yield from ((start[0], start[1]), (x, start[1]), (x, start[1]))


def _swing(start: Point, end: Point) -> Iterator[Point]:
    middle = (start[0] + end[0]) / 2
    yield from ((middle, start[1]), (middle, end[1]), end)


# --- frames -----------------------------------------------------------------------------------------------------------


def _frames(picture: Picture, grid: Grid, spots: Sequence[Spot]) -> Iterator[Frame]:
    """Yield a frame for every group that can have one, outer ones first."""
    direct: dict[Path, list[Spot]] = defaultdict(list)
    for group, spot in zip(grid.groups, spots, strict=True):
        direct[group].append(spot)
    found: dict[Path, Spot] = {}
    for group in reversed(picture.groups):
        inner = [spot for other, spot in found.items() if other[:-1] == group]
        if direct[group] or inner:
            spot = hull(iter([*direct[group], *inner])).around(margin=FRAME_MARGIN, head=FRAME_TITLE)
            if not _strangers(grid, spots, group, spot) and not _overlaps(found, group, spot):
                found[group] = spot
    yield from (Frame(group, found[group]) for group in picture.groups if group in found)


def _strangers(grid: Grid, spots: Sequence[Spot], group: Path, frame: Spot) -> bool:
    boxes = zip(grid.groups[: grid.boxes], spots, strict=False)
    return any(path[: len(group)] != group and frame.meets(spot) for path, spot in boxes)


def _overlaps(found: dict[Path, Spot], group: Path, frame: Spot) -> bool:
    return any(other[: len(group)] != group and frame.meets(spot) for other, spot in found.items())
