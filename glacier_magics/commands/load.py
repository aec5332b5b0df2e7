"""`%glacier load TASK`: fill the next cell with a task's real inputs and its body, to take it apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.unfolding import unfolded
from glacier_magics.views import Text

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a task, and the pipeline that says where its inputs come from."""
    parser.add("task", names="tasks", help="the task")
    parser.add("--pipeline", names="pipelines", help="the pipeline it is taken from, where several have it")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Fill the next cell; a program gets the lines instead."""
    env = session.env
    names = env.pipelines if given.pipeline is None else [given.pipeline]
    lines = unfolded(env.find_task(given.task), [env.find_pipeline(name) for name in names])
    if given.json:
        return Text(lines)
    session.shell.set_next_input(lines)
    return None
