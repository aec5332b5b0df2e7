"""`glacier dag`: the picture of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, EnvName, Params, Target, pipeline_of

__all__ = ["dag"]


@app.command()
def dag(
    target: Target,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write FILE.svg, .png, .dot, .mmd or .txt instead.")
    ] = None,
    param: Params = None,
    env: EnvName = None,
    debug: Debug = False,
) -> None:
    """Draw a pipeline: as text here, or as a picture in a file."""
    from glacier.loading import arguments_of

    pipeline = pipeline_of(target, env)
    graph = pipeline.run("analyze", **arguments_of(pipeline, param or ()))["dag"]
    if output is None:
        print(graph.text())
    else:
        print(graph.save(output))
