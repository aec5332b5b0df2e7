"""`%glacier runs [RUN]`: what ran in the environment, newest first; or one run with its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier_magics.views import With

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a run, or which to list."""
    parser.add("run", nargs="?", names="runs", help="a run's id, or the beginning of it")
    parser.add("--pipeline", names="pipelines", help="runs of this pipeline only")
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """List the runs, or show one."""
    env = session.env if given.env is None else session.named(given.env)
    history = env.runs
    if given.run is not None:
        return history[str(given.run)]
    found = history if given.pipeline is None else history.of(given.pipeline)
    if given.pipeline is not None and not found:
        env.find_pipeline(given.pipeline)
    return With(found, lambda: [each.plain() for each in found])
