"""`glacier resume`: a run that failed, was cancelled or was killed goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, Params, Progress
from glacier.cli.printing import told

__all__ = ["resume"]


@app.command()
def resume(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="The run's id, or the beginning of it; the newest when left out."),
    ] = None,
    param: Params = None,
    progress: Progress = None,
    debug: Debug = False,
) -> None:
    """Go on with a run; what succeeded is not run again. -p gives a parameter that the journal does not keep."""
    import contextlib

    from glacier import home
    from glacier.execution.journal import History
    from glacier.loading import arguments_of, load_recorded

    record = History(home.home()).find(run)
    with contextlib.chdir(record.folder), home.using(record.home):
        pipeline = load_recorded(record)
        given = arguments_of(pipeline, param or ())
        told(pipeline, lambda shown: pipeline.resume(record, progress=shown, **given), progress)
