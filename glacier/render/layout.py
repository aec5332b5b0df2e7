"""Where everything of a picture stands: what the layouts give and the painter takes, in px, y downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Frame", "Layout", "Point", "Route", "Spot"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """A rectangle, by its centre."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """The x of the left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """The y of the upper edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height / 2

    def meets(self, other: Spot) -> bool:
        """Whether the two rectangles share an area."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def around(self, *, margin: float, head: float = 0) -> Spot:
        """Return the rectangle with a margin on every side, and `head` more above."""
        return Spot(self.x, self.y - head / 2, self.width + 2 * margin, self.height + 2 * margin + head)


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an arrow: a start, then three points for each cubic Bézier piece; its tip; the centre of its label."""

    curve: tuple[Point, ...]
    tip: Point
    label: Point | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame around a group."""

    group: tuple[str, ...]
    spot: Spot


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture laid out: `spots` by key, `routes` in the order of `Picture.links`, outer frames before inner ones."""

    engine: str
    spots: Mapping[str, Spot]
    routes: tuple[Route, ...]
    frames: tuple[Frame, ...] = ()


def hull(spots: Iterator[Spot]) -> Spot:
    """Return the smallest rectangle around at least one other."""
    every = list(spots)
    left, right = min(spot.left for spot in every), max(spot.right for spot in every)
    top, bottom = min(spot.top for spot in every), max(spot.bottom for spot in every)
    return Spot((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
