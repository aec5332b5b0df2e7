"""`%glacier tasks`: the environment's tasks, their settings, and which are stale and why."""

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
    """List the tasks."""
    env = session.env if given.env is None else session.named(given.env)
    stale = session.stale.tasks(env)
    rows = [(name, _settings(env, name), stale.get(name, ""), _about(env, name)) for name in env.tasks]
    note = "" if rows else "none yet: write a function below @env.task()"
    return Table(f"tasks of {env.name}", ("task", "settings", "stale", "about"), rows, note)


def _settings(env: GlacierEnv, name: str) -> str:
    rows = [row for row in env.explain(name).rows if row.level != "default"]
    return ", ".join(f"{row.setting}={row.shown}" for row in rows)


def _about(env: GlacierEnv, name: str) -> str:
    return (env.find_task(name).fn.__doc__ or "").strip().partition("\n")[0]
