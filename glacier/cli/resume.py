"""`glacier resume`: a run that failed, was cancelled or was killed goes on."""

from __future__ import annotations

from glacier.cli.app import app
from glacier.cli.options import Debug, Params, Progress, RunId, Yes, env_of
from glacier.cli.printing import told

__all__ = ["resume"]


@app.command()
def resume(
    run: RunId = None,
    param: Params = None,
    yes: Yes = False,
    progress: Progress = None,
    debug: Debug = False,
) -> None:
    """Go on with a run; what succeeded is not run again. -p gives a parameter that the journal does not keep."""
    import contextlib

    from glacier import home
    from glacier.cli.asking import ask_unless
    from glacier.execution.journal import History
    from glacier.loading import arguments_of, load_recorded

    record = History(home.home()).find(run)
    with contextlib.chdir(record.folder), home.using(record.home):
        pipeline = load_recorded(record)
        ask_unless(yes, pipeline.env)
        given = arguments_of(pipeline, param or ())
        read = record.options.get("read")
        more = {} if read is None else {"read": env_of(read)}
        told(pipeline, lambda shown: pipeline.resume(record, progress=shown, **more, **given), progress)
