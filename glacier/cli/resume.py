"""`glacier resume`: a run that failed, was cancelled or was killed goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, Params, Progress, Yes, env_of
from glacier.cli.printing import told

__all__ = ["resume"]


@app.command()
def resume(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="The run's id, or the beginning of it; the newest when left out."),
    ] = None,
    param: Params = None,
    yes: Yes = False,
    progress: Progress = None,
    debug: Debug = False,
) -> None:
    """Go on with a run; what succeeded is not run again. -p gives a parameter that the journal does not keep."""
    import contextlib

    from glacier import home
    from glacier.cli.asking import agreed
    from glacier.execution.journal import History
    from glacier.loading import arguments_of, load_recorded
    from glacier.protection import guard

    record = History(home.home()).find(run)
    with contextlib.chdir(record.folder), home.using(record.home):
        pipeline = load_recorded(record)
        pipeline.env.guard = None if yes else guard(agreed)
        given = arguments_of(pipeline, param or ())
        read = record.options.get("read")
        more = {} if read is None else {"read": env_of(read)}
        told(pipeline, lambda shown: pipeline.resume(record, progress=shown, **more, **given), progress)
