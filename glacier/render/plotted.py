"""Picture -> Layout by graphviz: positions and curves are taken over as numbers, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import RenderError
from glacier.render.digraph import dot
from glacier.render.engines import engine_name, plot
from glacier.render.layout import Frame, Layout, Point, Route, Spot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.render.picture import Picture

__all__ = ["plotted"]

_POINTS_PER_INCH = 72


def plotted(picture: Picture, program: str) -> Layout:
    """Lay the picture out with a graphviz program. A graphviz point becomes a px, and its y axis is turned over.

    Raises:
        RenderError: the program failed, took too long or left something out.
    """
    graph = plot(program, dot(picture))
    try:
        return _layout(picture, graph, engine_name(program))
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise RenderError(f"{engine_name(program)} left something out: {error!r}") from error


def _layout(picture: Picture, graph: Mapping[str, Any], engine: str) -> Layout:
    parts = {part["id"]: part for part in (*graph.get("objects", ()), *graph.get("edges", ())) if "id" in part}
    return Layout(
        engine=engine,
        spots={box.key: _spot(parts[f"box-{number}"]) for number, box in enumerate(picture.boxes)},
        routes=tuple(_route(parts[f"arrow-{number}"]) for number in range(len(picture.links))),
        frames=tuple(_frame(group, parts[f"frame-{number}"]) for number, group in enumerate(picture.groups)),
    )


def _spot(part: Mapping[str, Any]) -> Spot:
    x, y = _point(part["pos"])
    return Spot(x, y, float(part["width"]) * _POINTS_PER_INCH, float(part["height"]) * _POINTS_PER_INCH)


def _frame(group: tuple[str, ...], part: Mapping[str, Any]) -> Frame:
    left, low, right, high = (float(number) for number in part["bb"].split(","))
    return Frame(group, Spot((left + right) / 2, -(low + high) / 2, right - left, high - low))


def _route(part: Mapping[str, Any]) -> Route:
    """Read a curve such as "e,tip point point ..." (https://graphviz.org/docs/attr-types/splineType/)."""
    head, *rest = part["pos"].split()
    curve = tuple(_point(point) for point in rest)
    return Route(curve, _point(head.removeprefix("e,")), _point(part["lp"]) if "lp" in part else None)


def _point(text: str) -> Point:
    x, y = text.split(",")
    return float(x), -float(y)
