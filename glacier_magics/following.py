"""Pictures that follow a pipeline: what `%glacier dag --live` leaves under its cell.

| what happens                                     | the output of the cell                                    |
|--------------------------------------------------|-----------------------------------------------------------|
| the cell is run                                  | static, with the states of the last run and what is stale |
| a run of the pipeline begins or goes on          | a widget, which follows it                                |
| the run ends, or the cell that took a step of it | static again, with its states                             |
| a cell makes something stale                     | static, with that                                         |
| a cell defines the pipeline anew                 | drawn anew where its graph is another one                 |
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from glacier_magics import widgets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier import GlacierEnv, Graph, Pipeline
    from glacier.execution.events import Event
    from glacier_magics.widgets.board import Board

__all__ = ["Following", "Pictures", "marked"]


class Following:
    """The picture under one cell, and the pipeline that it follows."""

    def __init__(self, pipeline: Pipeline, params: Mapping[str, Any], cell: str | None) -> None:
        self.pipeline = pipeline
        self.env: GlacierEnv = pipeline.env
        self.cell = cell
        self._params = params
        self._graph: Graph = pipeline.run("analyze", **params)["dag"]
        self._live = widgets.live(self._graph, env=self.env)
        self._told: Mapping[str, str] = {}
        self._run = ""
        self._elsewhere = False
        self._turning = threading.Lock()

    def hear(self, event: Event) -> None:
        """Take an event of any run in the environment."""
        if event.kind == "run_started" and event.name == self.pipeline.name:
            self._run = event.run
        if event.run != self._run:
            return
        self._live(event)
        if event.kind == "run_finished":
            self._turn(self._live.finish)
        elif not self._live.moves:
            self._turn(self._live.show)

    def _turn(self, turn: Callable[[], None]) -> None:
        """Become a widget, or static, on whichever thread."""
        with self._turning:
            turn()
            self._elsewhere = threading.current_thread() is not threading.main_thread()

    def show(self, stale: Mapping[str, str], told: Mapping[str, str]) -> None:
        """Show the picture, static; `told` is what has been said to be stale, `stale` may know more."""
        self._told = dict(told)
        marked(self._live, self.pipeline, stale)
        self._live.stand()

    def rest(self, told: Mapping[str, str]) -> None:
        """Come to rest at the end of a cell.

        What another thread has shown is told again: who runs a notebook without a page may hear this thread alone.
        """
        with self._turning:
            if self._live.moves or self._elsewhere:
                self._live.finish()
                self._elsewhere = False
            if self._is_redrawn() or self._told != told:
                self.show(told, told)

    def _is_redrawn(self) -> bool:
        """Take the pipeline as it is defined now; whether that is another picture."""
        name = self.pipeline.name
        pipeline = self.env.find_pipeline(name) if name in self.env.pipelines else self.pipeline
        if pipeline is self.pipeline:
            return False
        self.pipeline = pipeline
        try:
            graph = pipeline.run("analyze", **self._params)["dag"]
        except Exception:  # whoever runs it is told what is wrong with it
            return False
        if _is_alike(graph, self._graph):
            return False
        self._graph, self._live = graph, self._live.redrawn(graph)
        return True


class Pictures:
    """The pictures of one notebook that follow a pipeline.

    `told` says what of a pipeline of an environment was said to be stale: steps by key, with the reason.
    """

    def __init__(self, told: Callable[[GlacierEnv, str], Mapping[str, str]]) -> None:
        self._told = told
        self._all: list[Following] = []

    def add(self, picture: Following, stale: Mapping[str, str]) -> None:
        """Show a picture, and let it follow from now on; where cells have no names, in the place of an earlier one."""
        if picture.cell is None:
            self._drop(lambda each: each.env is picture.env and each.pipeline.name == picture.pipeline.name)
        picture.show(stale, self._told(picture.env, picture.pipeline.name))
        picture.env.listeners.append(picture.hear)
        self._all.append(picture)

    def cell_begins(self, cell: str | None) -> None:
        """Let go of what an earlier run of a cell has shown."""
        if cell is not None:
            self._drop(lambda each: each.cell == cell)

    def cell_ends(self) -> None:
        """Let every picture come to rest."""
        for each in self._all:
            each.rest(self._told(each.env, each.pipeline.name))

    def close(self) -> None:
        """Let go of all."""
        self.cell_ends()
        self._drop(lambda each: True)

    def _drop(self, which: Callable[[Following], bool]) -> None:
        for each in [each for each in self._all if which(each)]:
            self._all.remove(each)
            each.env.listeners.remove(each.hear)


def marked(board: Board, pipeline: Pipeline, stale: Mapping[str, str]) -> dict[str, str]:
    """Let a board show the states of a pipeline's last run, and what is stale; return them, by key."""
    from glacier.execution.run import Run

    last = pipeline.last_run
    if isinstance(last, Run):
        board.ledger.record(last)
    states = {**({} if last is None else last.states()), **dict.fromkeys(stale, "stale")}
    board.ledger.mark(states, stale)
    return states


def _is_alike(one: Graph, other: Graph) -> bool:
    """Whether two graphs are drawn alike: wherever their code may stand."""
    nodes = [[(node.key, node.name, node.condition, node.group) for node in graph] for graph in (one, other)]
    return nodes[0] == nodes[1] and one.contains(other) and other.contains(one)
