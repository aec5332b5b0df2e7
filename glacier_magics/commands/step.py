"""`%glacier step PIPELINE`: run the next ready task only, and show what it returns; again for the next.

The picture shows how far it is. When all tasks have run, the cell's value is what the pipeline returns. A step that
failed or was interrupted is tried again by the next one, which also takes a task as its cell has it by now. --restart
begins anew, --end runs no more of it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glacier.frames import look_at
from glacier.loading import arguments_of
from glacier.resources import Preview
from glacier_magics import widgets
from glacier_magics.views import Text, With
from glacier_magics.watching import show

if TYPE_CHECKING:
    import argparse

    from glacier import Pipeline
    from glacier.execution.stepping import Stepped, Stepper
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline, and what is done with its run."""
    parser.add("pipeline", nargs="?", names="pipelines", help="a pipeline; may be left out where there is only one")
    parser.add_parameters()
    parser.add("-o", "--output", metavar="VAR", help="the variable for what the task returns (NAME_result)")
    parser.add("--restart", action="store_true", help="begin with the first task")
    parser.add("--end", action="store_true", help="run no more of it")
    parser.add("--yes", action="store_true", help="write to a protected environment without being asked")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Take one step."""
    pipeline = session.pipeline(given.pipeline)
    params = arguments_of(pipeline, given.param)
    session.check_name(given.output)
    left = session.leave(pipeline) if given.restart or given.end else False
    if given.end:
        return Text(f"{pipeline.name} ends here" if left else f"nothing of {pipeline.name} is under way")
    with session.agreeing(given.yes):
        stepper = session.stepper(pipeline, params)
        passed = _next(session, pipeline, params, stepper)
    if stepper.again:
        print(f"once more, since their values could not be kept: {', '.join(stepper.again)}")
        stepper.again.clear()
    if passed is None:
        session.leave(pipeline)
        return stepper.result
    show(session, pipeline, params)
    session.bind(given.output or f"{passed.name}_result", passed.value)
    found = look_at(passed.value, passed.name)
    return With(widgets.preview(found), found.plain) if isinstance(found, Preview) else found


def _next(session: Session, pipeline: Pipeline, params: Any, stepper: Stepper) -> Stepped | None:
    try:
        with session.answered():
            return stepper.next()
    except BaseException:
        with suppress(Exception):
            show(session, pipeline, params)
        session.pause(pipeline)
        raise
