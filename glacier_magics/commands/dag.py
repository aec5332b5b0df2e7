"""`%glacier dag [PIPELINE]`: the picture of a pipeline, with the states of its last run and what is stale.

--live lets the picture follow every later run, step and resume of the pipeline in this notebook, until its cell is run
again. Between runs it is static, so that the saved notebook shows the last states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.loading import arguments_of
from glacier_magics import widgets
from glacier_magics.following import Following, marked
from glacier_magics.parsing import CommandError
from glacier_magics.views import Text, With, graph_data
from glacier_magics.widgets.shown import in_notebook

if TYPE_CHECKING:
    import argparse

    from glacier import Pipeline
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline and a file."""
    parser.add("pipeline", nargs="?", names="pipelines", help="a pipeline; may be left out where there is only one")
    parser.add("-o", "--output", metavar="FILE", names="files", help="write FILE.svg, .png, .dot, .mmd or .txt instead")
    parser.add("--live", action="store_true", help="let the picture follow every later run of the pipeline")
    parser.add_parameters()
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Draw."""
    pipeline = session.pipeline(given.pipeline, given.env)
    params = arguments_of(pipeline, given.param)
    stale = session.stale_in(pipeline)
    if given.live and _can_follow(pipeline, given):
        session.pictures.add(Following(pipeline, params, session.cell), stale)
        return None
    graph = pipeline.run("analyze", **params)["dag"]
    board = widgets.dag(graph, env=pipeline.env)
    states = marked(board, pipeline, stale)
    if given.output is not None:
        path = graph.save(given.output, states, stale)
        return Text(str(path), {"path": str(path)})
    return With(board, lambda: graph_data(graph, states))


def _can_follow(pipeline: Pipeline, given: argparse.Namespace) -> bool:
    if given.output is not None:
        raise CommandError("%glacier dag: a file cannot follow a run", hint="leave out --live, or -o")
    if not (given.json or in_notebook()):
        print(f"a terminal cannot follow a run; %glacier run {pipeline.name} shows its picture when it is over")
    return in_notebook() and not given.json
