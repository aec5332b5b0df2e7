"""`%glacier run PIPELINE`: run a pipeline, or a single task, and watch it; ■ interrupts.

The cell's value is what the pipeline returns; -o VAR binds it. --env runs it in another environment, --read takes what
it reads from another environment, to which nothing is written. A protected environment asks first, unless --yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier import Task
from glacier.execution.options import RunOptions
from glacier.loading import arguments_of
from glacier.modes import MODES
from glacier_magics.watching import watched

if TYPE_CHECKING:
    import argparse

    from glacier import Pipeline
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "as_pipeline", "options_of", "run", "selecting"]


def arguments(parser: Parser) -> None:
    """Take a pipeline, which part of it, where, and with what."""
    parser.add("pipeline", nargs="?", names="runnable", help="a pipeline or task; may be left out where there is one")
    selecting(parser)
    parser.add("--env", names="environments", help="run it in this environment")
    parser.add("--read", names="environments", help="read from this environment, write to the other")
    parser.add_parameters()
    parser.add("-o", "--output", metavar="VAR", help="the variable for what it returns")
    parser.add("--mode", choices=list(MODES), default="local", help="local, analyze or generate (local)")
    parser.add("--keep-going", action="store_true", help="after a failure run all that does not need what failed")
    parser.add("--yes", action="store_true", help="write to a protected environment without being asked")


def selecting(parser: Parser) -> None:
    """Take which part of a pipeline is meant."""
    for flag, about in (
        ("--only", "this task alone; what it needs comes from the cache or is run"),
        ("--from", "this task and all that need it"),
        ("--until", "this task and all that it needs"),
        ("--force", "this task even when its result is cached"),
    ):
        parser.add(flag, action="append", default=[], metavar="TASK", names="tasks", help=about)


def run(session: Session, given: argparse.Namespace) -> Any:
    """Run."""
    target = session.runnable(given.pipeline, given.env)
    pipeline, params = as_pipeline(target), arguments_of(target, given.param)
    session.check_name(given.output)
    options = options_of(session, given)
    if given.mode != "local":
        return pipeline.run_with(given.mode, params, RunOptions())
    with session.agreeing(given.yes), watched(session, pipeline, params) as listeners:
        value = pipeline.run_with("local", params, RunOptions(listeners=tuple(listeners), progress=False, **options))
    if given.output is None:
        return value
    session.bind(given.output, value)
    return None


def as_pipeline(target: Task | Pipeline) -> Pipeline:
    """Return a pipeline, or a task as a pipeline of one step."""
    return target.as_pipeline() if isinstance(target, Task) else target


def options_of(session: Session, given: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a run that the words name."""
    named = {"only": given.only, "from_": getattr(given, "from"), "until": given.until, "force": given.force}
    options: dict[str, Any] = {key: value for key, value in named.items() if value}
    if given.read is not None:
        options["read"] = session.named(given.read)
    return {**options, "on_error": "continue"} if getattr(given, "keep_going", False) else options
