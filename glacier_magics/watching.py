"""A run as it is watched: the picture of the pipeline, in the output of the cell that runs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier_magics.views import Picture

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from glacier import Pipeline
    from glacier_magics.session import Session

__all__ = ["watched"]


@contextmanager
def watched(session: Session, pipeline: Pipeline, params: Mapping[str, Any]) -> Generator[list[Any]]:
    """Show a run within the block; what it gives are the listeners to run with."""
    from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

    try:
        yield []
    finally:
        if pipeline.last_run is not None:
            run = pipeline.last_run
            graph = run.graph or pipeline.run("analyze", **params)["dag"]
            display(Picture(graph, run.states(), run.notes()))
