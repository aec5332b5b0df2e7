"""A run as it is watched: the picture of the pipeline, in the output of the cell that runs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier.errors import GlacierError
from glacier.execution.options import RunOptions
from glacier_magics import widgets

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from glacier import Graph, Pipeline
    from glacier.execution.run import Run
    from glacier_magics.session import Session
    from glacier_magics.widgets.board import Live

__all__ = ["followed", "show", "watched"]


def followed(pipeline: Pipeline, params: Mapping[str, Any]) -> Graph:
    """Return the graph of a pipeline with these parameters.

    Raises:
        Exception: what the body raised.
    """
    return pipeline.run_with("analyze", params, RunOptions())["dag"]


@contextmanager
def watched(session: Session, pipeline: Pipeline, params: Mapping[str, Any]) -> Generator[list[Any]]:
    """Show a run within the block; what it gives are the listeners to run with.

    A body that cannot be followed without running, as one that reads what a task has just written to a file, is shown
    when its run is over.
    """
    before = session.run_here(pipeline)
    graph = _followed_if_it_can_be(pipeline, params)
    watching = (
        _shown_afterwards(session, pipeline, params, before)
        if graph is None
        else _shown_live(session, pipeline, graph, before)
    )
    with watching as listeners:
        yield listeners


@contextmanager
def _shown_afterwards(
    session: Session, pipeline: Pipeline, params: Mapping[str, Any], before: Run | None
) -> Generator[list[Any]]:
    try:
        yield []
    finally:
        if session.run_here(pipeline) is not before:
            show(session, pipeline, params)


@contextmanager
def _shown_live(session: Session, pipeline: Pipeline, graph: Graph, before: Run | None) -> Generator[list[Any]]:
    live = widgets.live(graph, env=pipeline.env, states=dict.fromkeys(session.stale_in(pipeline), "stale"))
    live.show()
    try:
        yield [live]
    except KeyboardInterrupt as stopped:
        run = session.run_here(pipeline)
        if run is not None and run is not before and pipeline.name in pipeline.env.pipelines:
            stopped.add_note(f"run {run.id} is stopped; %glacier resume {run.id} goes on with it")
        raise
    finally:
        run = session.run_here(pipeline)
        _finish(live, None if run is before else run)


def _finish(live: Live, run: Run | None) -> None:
    try:
        live.finish(run)
    except KeyboardInterrupt:  # pressed twice: what is saved is to be the picture still
        live.finish(run)
        raise


def _followed_if_it_can_be(pipeline: Pipeline, params: Mapping[str, Any]) -> Graph | None:
    try:
        return followed(pipeline, params)
    except GlacierError:
        raise
    except Exception:  # the run is going to say what is wrong, if it is
        return None


def show(session: Session, pipeline: Pipeline, params: Mapping[str, Any]) -> None:
    """Display a pipeline with the states of its newest run: its whole graph, or what was executed of it."""
    from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

    run = session.run_here(pipeline)
    graph = _followed_if_it_can_be(pipeline, params) or (run.graph if run else None)
    if graph is None:
        return
    board = widgets.dag(graph, run, env=pipeline.env)
    if board.ledger.state == "running":  # it stands still between two steps
        board.ledger.state = "stepping"
    display(board)
