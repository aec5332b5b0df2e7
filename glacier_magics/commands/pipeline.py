"""`%%glacier pipeline [NAME]`: make a pipeline of the function in the cell; --show draws it.

A plain cell with @env.pipeline() does the same and is what linters understand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier_magics import widgets
from glacier_magics.cells import function_in
from glacier_magics.views import Text

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "cell"]


def arguments(parser: Parser) -> None:
    """Take a name."""
    parser.add("name", nargs="?", help="the pipeline's name; by default the function's")
    parser.add("--show", action="store_true", help="draw it")


def cell(session: Session, given: argparse.Namespace, body: str) -> Any:
    """Define it."""
    env = session.env
    name, function = function_in(session.shell, body, given.name, "pipeline")
    pipeline = env.pipeline(name=given.name or name)(function)
    session.bind(name, pipeline)
    return widgets.dag(pipeline.graph, env=env) if given.show else Text(repr(pipeline))
