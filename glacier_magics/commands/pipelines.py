"""`%glacier pipelines`: the environment's pipelines and their last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    pipeline = env.find_pipeline(name)
    run, stale = pipeline.last_run, session.stale.of(env, name)
    seconds = "" if run is None or run.seconds is None else f"{run.seconds:.2f}"
    about = (pipeline.fn.__doc__ or "").strip().partition("\n")[0]
    last = ("", "") if run is None else (run.id, run.state)
    return (name, *last, seconds, f"{len(stale)} steps" if stale else "", about)
