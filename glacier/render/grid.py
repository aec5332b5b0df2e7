"""Columns of boxes and bends, and their order from top to bottom: the first half of our own layout (see layered)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from glacier.render.look import box_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glacier.render.picture import Picture

__all__ = ["LABEL_LINE", "Grid", "Path", "columns", "common", "make_grid", "sort_grid"]

Path = tuple[str, ...]

# The height in px that a labelled arrow takes where it arrives.
LABEL_LINE = 16
# An arrow keeps a place in the columns it crosses while there are fewer than this many; the others run straight.
_MOST_BENDS = 4000
_SWEEPS = 8


@dataclass
class Grid:
    """Boxes and bends in columns.

    `sizes`, `groups` and `column` are by number; `chains` has for each link the numbers along its way; `left` and
    `right` the neighbours of each number in the columns beside it.
    """

    sizes: list[tuple[float, float]]
    groups: list[Path]
    column: list[int]
    boxes: int
    chains: list[list[int]] = field(default_factory=list[list[int]])
    rows: list[list[int]] = field(default_factory=list[list[int]])
    left: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    right: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


# --- columns and bends ------------------------------------------------------------------------------------------------


def columns(picture: Picture) -> dict[str, int]:
    """Return the column of every box by key: right of all it needs, and a source just left of its first reader."""
    found: dict[str, int] = {}
    for key in picture.order:
        found[key] = max((found[parent] + 1 for parent in picture.parents[key]), default=0)
    first_reader: dict[str, int] = {}
    for link in picture.links:
        first_reader[link.source] = min(found[link.target], first_reader.get(link.source, found[link.target]))
    return {
        key: column if picture.parents[key] else first_reader.get(key, column + 1) - 1 for key, column in found.items()
    }


def make_grid(picture: Picture) -> Grid:
    """Put boxes and bends into columns, in the order of `Picture.boxes`."""
    column = columns(picture)
    ports = _ports_wanted(picture)
    grid = Grid(
        sizes=[_tall_enough(box_size(box), ports.get(box.key, 0)) for box in picture.boxes],
        groups=[box.group for box in picture.boxes],
        column=[column[box.key] for box in picture.boxes],
        boxes=len(picture.boxes),
    )
    _bend(picture, grid)
    grid.rows = [[] for _ in range(max(grid.column, default=-1) + 1)]
    for number, place in enumerate(grid.column):
        grid.rows[place].append(number)
    return grid


def _ports_wanted(picture: Picture) -> dict[str, int]:
    """Return how many arrows arrive at each box where several have a label, a dozen at most."""
    labelled = Counter(link.target for link in picture.links if link.label)
    return {key: min(12, len(picture.parents[key])) for key, count in labelled.items() if count > 1}


def _tall_enough(size: tuple[float, float], ports: int) -> tuple[float, float]:
    return size[0], max(size[1], (ports + 0.5) * LABEL_LINE)


def _bend(picture: Picture, grid: Grid) -> None:
    ends = [(picture.index[link.source], picture.index[link.target]) for link in picture.links]
    grid.chains = [list(pair) for pair in ends]
    left = _MOST_BENDS
    for chain in sorted(grid.chains, key=lambda pair: grid.column[pair[1]] - grid.column[pair[0]]):
        source, target = chain
        crossed = range(grid.column[source] + 1, grid.column[target])
        left -= len(crossed)
        if left >= 0:
            chain[1:1] = [_new_bend(grid, place, common(grid, source, target)) for place in crossed]
            _join(grid, chain)


def _new_bend(grid: Grid, column: int, group: Path) -> int:
    grid.sizes.append((0.0, 0.0))
    grid.groups.append(group)
    grid.column.append(column)
    return len(grid.column) - 1


def common(grid: Grid, one: int, other: int) -> Path:
    """Return the innermost group that holds both."""
    pairs = zip(grid.groups[one], grid.groups[other], strict=False)
    depth = next((depth for depth, (a, b) in enumerate(pairs) if a != b), None)
    shorter = min(grid.groups[one], grid.groups[other], key=len)
    return shorter[:depth]


def _join(grid: Grid, chain: Sequence[int]) -> None:
    for here, there in pairwise(chain):
        grid.right[here].append(there)
        grid.left[there].append(here)


# --- order ------------------------------------------------------------------------------------------------------------


def sort_grid(grid: Grid) -> None:
    """Sort every column, to and fro, and keep the order with the fewest crossings."""
    best, fewest = grid.rows, inf
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        places = _places(grid)
        groups = _group_places(grid, places)
        for row in grid.rows if forth else reversed(grid.rows):
            _sort_row(grid, row, grid.left if forth else grid.right, places, groups)
        crossings = _crossings(grid)
        if crossings < fewest:
            fewest, best = crossings, [list(row) for row in grid.rows]
    grid.rows = best


def _sort_row(
    grid: Grid, row: list[int], near: dict[int, list[int]], places: list[float], groups: dict[Path, tuple[float, int]]
) -> None:
    """Sort one column by the mean place of the neighbours; the members of a group stay together."""
    own = {number: fmean(places[each] for each in near[number]) if near[number] else places[number] for number in row}
    row.sort(key=lambda number: (*_path_places(grid.groups[number], groups), own[number], 0))
    _count(row, places)


def _places(grid: Grid) -> list[float]:
    """Return every number's place in its column, counted from the column's middle."""
    places = [0.0] * len(grid.column)
    for row in grid.rows:
        _count(row, places)
    return places


def _count(row: Sequence[int], places: list[float]) -> None:
    for place, number in enumerate(row):
        places[number] = place - (len(row) - 1) / 2


def _group_places(grid: Grid, places: Sequence[float]) -> dict[Path, tuple[float, int]]:
    """Return for each group the mean place of its members in all columns, and a number that keeps equals apart."""
    members: dict[Path, list[float]] = defaultdict(list)
    for group, place in zip(grid.groups, places, strict=True):
        for depth in range(1, len(group) + 1):
            members[group[:depth]].append(place)
    return {group: (fmean(found), number + 1) for number, (group, found) in enumerate(members.items())}


def _path_places(group: Path, groups: dict[Path, tuple[float, int]]) -> Iterator[float]:
    for depth in range(1, len(group) + 1):
        yield from groups[group[:depth]]


def _crossings(grid: Grid) -> int:
    """Count the pairs of arrow pieces that cross between two columns."""
    places = _places(grid)
    total = 0
    for row in grid.rows:
        seen: list[float] = []
        for number in row:
            ends = sorted(places[each] for each in grid.right[number])
            total += sum(len(seen) - bisect_left(seen, end + 0.25) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
