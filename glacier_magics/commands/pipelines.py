"""`%glacier pipelines`: the environment's pipelines and their last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.overview import pipeline_row
from glacier.tables import counted
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier import GlacierEnv
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take an environment."""
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """List the pipelines."""
    env = session.env if given.env is None else session.named(given.env)
    rows = [_row(session, env, name) for name in env.pipelines]
    note = "" if rows else "none yet: write a function below @env.pipeline()"
    return Table(f"pipelines of {env.name}", ("pipeline", "last run", "state", "seconds", "stale", "about"), rows, note)


def _row(session: Session, env: GlacierEnv, name: str) -> tuple[str, ...]:
    row, stale = pipeline_row(env.find_pipeline(name)), session.stale.of(env, name)
    seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
    return (name, row.run, row.state, seconds, counted(len(stale), "step") if stale else "", row.about)
