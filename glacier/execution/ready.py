"""The steps that can start now, the head of the longest path first."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glacier.execution.steps import StepRun

__all__ = ["Ready"]


class Ready:
    """A queue of steps by rank, first in first out within a rank.

    There are few ranks at a time and many steps of each: a heap of ranks over queues costs less than a heap of steps.
    """

    __slots__ = ("_by_rank", "_count", "_ranks")

    def __init__(self) -> None:
        self._by_rank: dict[int, deque[StepRun]] = {}
        self._ranks: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def first(self) -> StepRun:
        """Return the step that `pop` takes; there must be one."""
        return self._by_rank[-self._ranks[0]][0]

    def push(self, step: StepRun) -> None:
        """Add a step."""
        queue = self._by_rank.get(step.rank)
        if queue is None:
            queue = self._by_rank[step.rank] = deque()
            heapq.heappush(self._ranks, -step.rank)
        queue.append(step)
        self._count += 1

    def pop(self) -> StepRun:
        """Take the step with the longest path behind it; there must be one."""
        rank = -self._ranks[0]
        queue = self._by_rank[rank]
        step = queue.popleft()
        if not queue:
            del self._by_rank[rank]
            heapq.heappop(self._ranks)
        self._count -= 1
        return step

    def clear(self) -> None:
        """Forget every step."""
        self._by_rank.clear()
        self._ranks.clear()
        self._count = 0
