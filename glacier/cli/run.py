"""`glacier run`: a pipeline of a file, executed here."""

from __future__ import annotations

from glacier.cli.app import app
from glacier.cli.options import Debug, EnvName, Params, Target, Yes, pipeline_of

__all__ = ["run"]


@app.command()
def run(target: Target, param: Params = None, env: EnvName = None, yes: Yes = False, debug: Debug = False) -> None:
    """Run a pipeline here and show its result and what became of each task."""
    from rich.console import Console

    from glacier.cli.asking import agreed
    from glacier.console import print_run
    from glacier.loading import parameters
    from glacier.protection import guard

    pipeline = pipeline_of(target, env)
    pipeline.env.guard = None if yes else guard(agreed)
    result = pipeline.run("local", **parameters(param or ()))
    if result is not None:
        print(result)
    assert pipeline.last_run is not None
    print_run(Console(stderr=True), pipeline.last_run)
