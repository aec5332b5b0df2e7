"""`glacier step`: a pipeline, one task at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, Params, Target, Yes, pipeline_of
from glacier.cli.printing import plain_value, print_json, print_value

if TYPE_CHECKING:
    from glacier.stepping import Step
    from glacier.tasks import Pipeline

__all__ = ["step"]


@app.command()
def step(
    target: Target,
    *,
    param: Params = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin with the first task.")] = False,
    end: Annotated[bool, typer.Option("--end", help="Run no more of it, and forget what it kept.")] = False,
    env: EnvName = None,
    yes: Yes = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run the next ready task of a pipeline and show its result; again for the next.

    The journal keeps where it stands. A task that failed is tried again; a run that failed or was stopped is gone on
    with, too.
    """
    from glacier.cli.asking import ask_unless
    from glacier.errors import GlacierError
    from glacier.loading import arguments_of
    from glacier.stepping import next_step

    pipeline = pipeline_of(target, env)
    if end:
        _end(pipeline)
        return
    ask_unless(yes, pipeline.env)
    try:
        taken = next_step(pipeline, restart=restart, **arguments_of(pipeline, param or ()))
    except Exception as error:
        if not isinstance(error, GlacierError):
            error.add_note(f"mend it; the next `glacier step {target}` tries it again")
        raise
    if as_json:
        value = None if taken.task is None else plain_value(taken.task.value, taken.task.name)
        print_json({**taken.plain(), "value": value, "result": plain_value(taken.result, pipeline.name)})
    else:
        _show(taken, pipeline)


def _end(pipeline: Pipeline) -> None:
    from glacier.stepping import end

    ended = end(pipeline)
    print(f"nothing of {pipeline.name} is under way" if ended is None else f"{pipeline.name} ends here: run {ended.id}")


def _show(taken: Step, pipeline: Pipeline) -> None:
    if taken.earlier is not None:
        _say(f"goes on with run {taken.earlier.id} ({taken.earlier.state}); --restart begins anew")
    if taken.again:
        _say(f"once more, since their values could not be kept: {', '.join(taken.again)}")
    if taken.task is not None:
        _say(f"{taken.task.name}: {taken.task.state} in {taken.task.seconds or 0:.2f} s")
        print_value(taken.task.value, taken.task.name)
    if taken.done:
        _say(f"{pipeline.name} is done")
        if taken.task is None or taken.result is not taken.task.value:
            print_value(taken.result, pipeline.name)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
