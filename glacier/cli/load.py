"""`glacier load`: a task as the lines of a notebook's cell."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, EnvName, File, defined_in

__all__ = ["load"]


@app.command()
def load(
    file: File,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task.")],
    *,
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", help="The pipeline it is taken from, where several have it.")
    ] = None,
    env: EnvName = None,
    debug: Debug = False,
) -> None:
    """Print the Python that binds a task's real inputs and does what its body does; it runs in `glacier shell FILE`."""
    from glacier.loading import chosen
    from glacier.tasks import Pipeline, Task
    from glacier.unfolding import unfolded

    found = defined_in(file, env)
    tasks = [each for each in found if isinstance(each, Task)]
    pipelines = [each for each in found if isinstance(each, Pipeline)]
    if pipeline is not None:
        pipelines = [chosen("pipeline", pipeline, pipelines, file)]
    print(unfolded(chosen("task", task, tasks, file), pipelines))
