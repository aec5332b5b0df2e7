"""`glacier run`: a pipeline of a file, executed here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, Params, Progress, Target
from glacier.cli.printing import told

__all__ = ["run"]

Tasks = list[str] | None


@app.command()
def run(
    target: Target,
    *,
    param: Params = None,
    only: Annotated[Tasks, typer.Option("--only", metavar="TASK", help="Run this task only; may be repeated.")] = None,
    from_: Annotated[Tasks, typer.Option("--from", metavar="TASK", help="Run it and all that needs it.")] = None,
    until: Annotated[Tasks, typer.Option("--until", metavar="TASK", help="Run it and all that it needs.")] = None,
    force: Annotated[Tasks, typer.Option("--force", metavar="TASK", help="Run it even when it is cached.")] = None,
    on_error: Annotated[str, typer.Option("--on-error", metavar="fail|continue", help="After a failure.")] = "fail",
    max_workers: Annotated[int | None, typer.Option("--max-workers", min=1, help="Tasks side by side.")] = None,
    progress: Progress = None,
    debug: Debug = False,
) -> None:
    """Run a pipeline here and show its result and what became of each task."""
    from glacier.loading import load_pipeline, parameters

    pipeline = load_pipeline(target)
    chosen: dict[str, Any] = {"only": only, "from_": from_, "until": until, "force": force}
    options = {name: tuple(tasks) for name, tasks in chosen.items() if tasks}
    told(
        pipeline,
        lambda shown: pipeline.run(
            on_error=on_error,  # pyright: ignore[reportArgumentType] - RunOptions checks it
            max_workers=max_workers,
            progress=shown,
            **options,
            **parameters(param or ()),
        ),
        progress,
    )
