"""A run as it is watched: the picture of the pipeline, in the output of the cell that runs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier_magics import widgets

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from glacier import Pipeline
    from glacier_magics.session import Session

__all__ = ["watched"]


@contextmanager
def watched(session: Session, pipeline: Pipeline, params: Mapping[str, Any]) -> Generator[list[Any]]:
    """Show a run within the block; what it gives are the listeners to run with."""
    graph = pipeline.run("analyze", **params)["dag"]
    stale = dict.fromkeys(session.stale_in(pipeline), "stale")
    before = session.run_here(pipeline)
    live = widgets.live(graph, env=pipeline.env, states=stale)
    live.show()
    try:
        yield [live]
    finally:
        run = session.run_here(pipeline)
        live.finish(None if run is before else run)
