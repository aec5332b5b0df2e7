"""`%glacier tasks`: the environment's tasks, their settings, and which are stale and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.overview import task_row
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

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
    found = [task_row(env.find_task(name)) for name in env.tasks]
    rows = [(each.task, each.settings, stale.get(each.task, ""), each.about) for each in found]
    note = "" if rows else "none yet: write a function below @env.task()"
    return Table(f"tasks of {env.name}", ("task", "settings", "stale", "about"), rows, note)
