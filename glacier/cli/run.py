"""`glacier run`: a pipeline of a file, executed here."""

from __future__ import annotations

from glacier.cli.app import app
from glacier.cli.options import Debug, Params, Target

__all__ = ["run"]


@app.command()
def run(target: Target, param: Params = None, debug: Debug = False) -> None:
    """Run a pipeline here and show its result and what became of each task."""
    from rich.console import Console

    from glacier.console import print_run
    from glacier.loading import load_pipeline, parameters

    pipeline = load_pipeline(target)
    result = pipeline.run("local", **parameters(param or ()))
    if result is not None:
        print(result)
    assert pipeline.last_run is not None
    print_run(Console(stderr=True), pipeline.last_run)
