"""`%glacier dag [PIPELINE]`: the picture of a pipeline, with the states of its last run and what is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.loading import parameters
from glacier_magics import widgets
from glacier_magics.views import Text, With, graph_data

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from glacier import Pipeline
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline and a file."""
    parser.add("pipeline", nargs="?", names="pipelines", help="a pipeline; may be left out where there is only one")
    parser.add("-o", "--output", metavar="FILE", names="files", help="write FILE.svg, .png, .dot, .mmd or .txt instead")
    parser.add_parameters()
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Draw."""
    pipeline = session.pipeline(given.pipeline, given.env)
    graph = pipeline.run("analyze", **parameters(given.param))["dag"]
    stale = session.stale_in(pipeline)
    states = {**_known(pipeline), **dict.fromkeys(stale, "stale")}
    if given.output is not None:
        path = graph.save(given.output, states, stale)
        return Text(str(path), {"path": str(path)})
    board = widgets.dag(graph, session.run_here(pipeline), env=pipeline.env)
    board.ledger.mark(states, stale)
    return With(board, lambda: graph_data(graph, states))


def _known(pipeline: Pipeline) -> Mapping[str, str]:
    return {} if pipeline.last_run is None else pipeline.last_run.states()
