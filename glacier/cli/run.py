"""`glacier run`: a pipeline of a file, executed here."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import (
    Debug,
    EnvName,
    Force,
    From,
    Only,
    Params,
    Progress,
    Read,
    Target,
    Until,
    Yes,
    part_of,
    pipeline_of,
)
from glacier.cli.printing import told

__all__ = ["run"]


@app.command()
def run(
    target: Target,
    *,
    param: Params = None,
    only: Only = None,
    from_: From = None,
    until: Until = None,
    force: Force = None,
    read: Read = None,
    on_error: Annotated[str, typer.Option("--on-error", metavar="fail|continue", help="After a failure.")] = "fail",
    max_workers: Annotated[int | None, typer.Option("--max-workers", min=1, help="Tasks side by side.")] = None,
    env: EnvName = None,
    yes: Yes = False,
    progress: Progress = None,
    debug: Debug = False,
) -> None:
    """Run a pipeline here and show its result and what became of each task."""
    from glacier.cli.asking import ask_unless
    from glacier.loading import arguments_of

    pipeline = pipeline_of(target, env)
    ask_unless(yes, pipeline.env)
    options = part_of(only, from_, until, force, read)
    told(
        pipeline,
        lambda shown: pipeline.run(
            on_error=on_error,  # pyright: ignore[reportArgumentType] - RunOptions checks it
            max_workers=max_workers,
            progress=shown,
            **options,
            **arguments_of(pipeline, param or ()),
        ),
        progress,
    )
