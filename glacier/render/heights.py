"""The heights of boxes and bends: the second half of our own layout (see layered)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from glacier.render.grid import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier.render.grid import Grid, Path

__all__ = ["FRAME_MARGIN", "FRAME_TITLE", "heights_of", "make_room", "rising", "straighten"]

# Distances in px.
FRAME_MARGIN = 14
FRAME_TITLE = 14
_BETWEEN_BOXES = 20
_BETWEEN_BENDS = 12

_SWEEPS = 8
_ROUNDS = 3
# A bend holds its height more firmly than a box, so that long arrows run straight.
_FIRMNESS = 4.0


def heights_of(grid: Grid) -> list[float]:
    """Return the y of every number."""
    heights = [0.0] * len(grid.column)
    for row in grid.rows:
        _settle(grid, row, heights, [0.0] * len(row))
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        near = _beside(grid) if sweep >= _SWEEPS - 2 else grid.left if forth else grid.right
        for row in grid.rows if forth else reversed(grid.rows):
            wanted = [fmean(heights[each] for each in near[number] or [number]) for number in row]
            _settle(grid, row, heights, wanted)
    return heights


def _beside(grid: Grid) -> dict[int, list[int]]:
    return {number: grid.left[number] + grid.right[number] for number in range(len(grid.column))}


def _settle(grid: Grid, row: Sequence[int], heights: list[float], wanted: Sequence[float]) -> None:
    """Give a column the heights nearest to the wanted ones that keep its order and distances."""
    offsets = [0.0]
    for upper, lower in pairwise(row):
        offsets.append(offsets[-1] + _distance(grid, upper, lower))
    free = [want - offset for want, offset in zip(wanted, offsets, strict=True)]
    weights = [1.0 if number < grid.boxes else _FIRMNESS for number in row]
    for number, height, offset in zip(row, rising(free, weights), offsets, strict=True):
        heights[number] = height + offset


def _distance(grid: Grid, upper: int, lower: int) -> float:
    """Return how far apart the centres of two neighbours in a column must be."""
    gap = _BETWEEN_BOXES if upper < grid.boxes and lower < grid.boxes else _BETWEEN_BENDS
    shared = len(common(grid, upper, lower))
    left = (len(grid.groups[upper]) - shared) * FRAME_MARGIN
    entered = (len(grid.groups[lower]) - shared) * (FRAME_MARGIN + FRAME_TITLE)
    return (grid.sizes[upper][1] + grid.sizes[lower][1]) / 2 + gap + left + entered


def rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the never falling sequence nearest to `values` by weighted least squares.

    This is isotonic regression by pooling adjacent violators (Barlow et al., 1972): linear in the values.
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, count = value, weight, 1
        while pools and pools[-1][0] > mean:
            before, its_weight, its_count = pools.pop()
            mean = (before * its_weight + mean * total) / (its_weight + total)
            total, count = total + its_weight, count + its_count
        pools.append((mean, total, count))
    return [mean for mean, _, count in pools for _ in range(count)]


@dataclass(frozen=True)
class _Band:
    """The heights that the frame of a group takes, and the places of its members in each column it spans."""

    group: Path
    top: float
    bottom: float
    rows: dict[int, list[int]]


def _bands(grid: Grid, heights: Sequence[float]) -> list[_Band]:
    """Return the band of every group, inner ones first."""
    members: dict[Path, list[int]] = defaultdict(list)
    for number, path in enumerate(grid.groups):
        for depth in range(1, len(path) + 1):
            members[path[:depth]].append(number)
    return [_band(grid, heights, group, members[group]) for group in sorted(members, key=lambda path: -len(path))]


def _band(grid: Grid, heights: Sequence[float], group: Path, members: Sequence[int]) -> _Band:
    frames = {number: len(grid.groups[number]) - len(group) + 1 for number in members}
    half = {number: grid.sizes[number][1] / 2 for number in members}
    rows: dict[int, list[int]] = defaultdict(list)
    for number in members:
        rows[grid.column[number]].append(number)
    return _Band(
        group,
        min(heights[each] - half[each] - frames[each] * (FRAME_MARGIN + FRAME_TITLE) for each in members),
        max(heights[each] + half[each] + frames[each] * FRAME_MARGIN for each in members),
        rows,
    )


def make_room(grid: Grid, heights: list[float]) -> None:
    """Push strangers out of the bands of groups; a few rounds, since one push may call for another."""
    for _ in range(_ROUNDS):
        for band in _bands(grid, heights):
            for column, members in band.rows.items():
                row = grid.rows[column]
                first, last = min(map(row.index, members)), max(map(row.index, members))
                _push(grid, heights, row[:first][::-1], band.top - _BETWEEN_BENDS, -1)
                _push(grid, heights, row[last + 1 :], band.bottom + _BETWEEN_BENDS, 1)


def _push(grid: Grid, heights: list[float], outside: Sequence[int], limit: float, way: int) -> None:
    """Push numbers, the nearest first, beyond a height: upwards for way -1, downwards for way 1."""
    last: int | None = None
    for number in outside:
        reach = limit + way * grid.sizes[number][1] / 2
        if last is not None:
            upper, lower = (last, number) if way > 0 else (number, last)
            reach = heights[last] + way * _distance(grid, upper, lower)
        heights[number] = way * max(way * heights[number], way * reach)
        last = number


def straighten(grid: Grid, heights: list[float], ports: Sequence[float]) -> None:
    """Let long arrows run level: at the height of their target, or of their source, or as near as there is room."""
    places = {number: (row, place) for row in grid.rows for place, number in enumerate(row)}
    bands = _bands(grid, heights)
    for chain, port in sorted(zip(grid.chains, ports, strict=True), key=lambda pair: -len(pair[0])):
        bends = chain[1:-1]
        limits = [_freedom(grid, heights, *places[number]) for number in bends]
        limits += [_outside(grid, heights, number, bands) for number in bends]
        low, high = max((each[0] for each in limits), default=0.0), min((each[1] for each in limits), default=0.0)
        if bends and low <= high:
            wanted = next((each for each in (port, heights[chain[0]]) if low <= each <= high), heights[bends[0]])
            for number in bends:
                heights[number] = min(max(wanted, low), high)


def _freedom(grid: Grid, heights: Sequence[float], row: Sequence[int], place: int) -> tuple[float, float]:
    """Return the least and the greatest height that the neighbours in the column leave to a number."""
    here, low, high = row[place], -inf, inf
    if place:
        low = heights[row[place - 1]] + _distance(grid, row[place - 1], here)
    if place + 1 < len(row):
        high = heights[row[place + 1]] - _distance(grid, here, row[place + 1])
    return low, high


def _outside(grid: Grid, heights: Sequence[float], number: int, bands: Sequence[_Band]) -> tuple[float, float]:
    """Return the least and the greatest height at which a bend stays on its side of the bands of other groups."""
    low, high = -inf, inf
    for band in bands:
        if grid.column[number] in band.rows and grid.groups[number][: len(band.group)] != band.group:
            if heights[number] >= band.bottom:
                low = max(low, band.bottom + _BETWEEN_BENDS)
            elif heights[number] <= band.top:
                high = min(high, band.top - _BETWEEN_BENDS)
    return low, high
