"""`%%glacier task [NAME]`: make a task of the function in the cell.

A plain cell with @env.task() does the same and is what linters understand. --show runs the task at once, keeps what it
returns in a variable (NAME_result, or that of -o), and previews it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier import TaskConfig
from glacier.frames import look_at
from glacier.loading import arguments_of
from glacier.resources import Preview
from glacier_magics import widgets
from glacier_magics.cells import function_in
from glacier_magics.views import With

if TYPE_CHECKING:
    import argparse

    from glacier import Task
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "cell"]

_SETTINGS = ("executor", "timeout", "retries", "retry_delay", "cache")


def arguments(parser: Parser) -> None:
    """Take a name, settings, and whether to run it."""
    parser.add("name", nargs="?", help="the task's name; by default the function's")
    parser.add("--executor", names="executors", help="what runs it")
    parser.add("--timeout", type=float, help="seconds until an attempt counts as failed")
    parser.add("--retries", type=int, help="how often a failed attempt is repeated")
    parser.add("--retry-delay", type=float, help="seconds between two attempts")
    parser.add("--cache", action="store_true", default=None, help="keep the result and use it again")
    parser.add("--show", action="store_true", help="run it at once and preview what it returns")
    parser.add("-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="with --show: a parameter")
    parser.add("-o", "--output", metavar="VAR", help="with --show: the variable for what it returns")


def cell(session: Session, given: argparse.Namespace, body: str) -> Any:
    """Define it."""
    config = TaskConfig(**{key: getattr(given, key) for key in _SETTINGS if getattr(given, key) is not None})
    env = session.env
    session.check_name(given.output)
    name, function = function_in(session.shell, body, given.name, "task")
    task = env.task(name=given.name or name, config=config)(function)
    session.bind(name, task)
    return _shown(session, task, given) if given.show else task


def _shown(session: Session, task: Task, given: argparse.Namespace) -> Any:
    value = task(**session.arguments(task, arguments_of(task, given.param)))
    variable = given.output or f"{task.name}_result"
    session.bind(variable, value)
    found = look_at(value, variable)
    return With(widgets.preview(found), found.plain) if isinstance(found, Preview) else found
