"""`%glacier resume RUN`: go on with a run that failed, was interrupted or whose kernel died.

What succeeded is not run again, unless its code has changed. -p gives a parameter that the journal does not keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.loading import parameters
from glacier_magics.watching import watched

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a run and what it needs again."""
    parser.add("run", names="runs", help="a run's id, or the beginning of it")
    parser.add_parameters()
    parser.add("-o", "--output", metavar="VAR", help="the variable for what it returns")
    parser.add("--env", names="environments", help="another environment than the current one")
    parser.add("--yes", action="store_true", help="write to a protected environment without being asked")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Go on."""
    env = session.env if given.env is None else session.named(given.env)
    record, params = env.runs[str(given.run)], parameters(given.param)
    pipeline = env.find_pipeline(record.pipeline)
    shown = {**record.parameters, **params}
    with session.agreeing(given.yes), watched(session, pipeline, shown) as listeners:
        value = pipeline.resume(record, listeners=listeners, progress=False, **params)
    if given.output is None:
        return value
    session.bind(given.output, value)
    return None
