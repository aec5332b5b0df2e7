"""`%glacier logs [RUN [TASK]]`: what the tasks of a run printed and logged, and why attempts failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a run and a task."""
    parser.add("run", nargs="?", names="runs", help="a run's id, or the beginning of it; the newest when left out")
    parser.add("task", nargs="?", names="tasks", help="lines of this task only")
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Show the lines."""
    record = (session.env if given.env is None else session.named(given.env)).runs.find(given.run)
    rows = [(f"{line.time:%H:%M:%S}", line.task, line.text) for line in record.story(given.task)]
    note = "" if rows else "nothing was printed or logged, and nothing failed"
    return Table(f"logs of run {record.id} of {record.pipeline}", ("time (UTC)", "task", "line"), rows, note)
