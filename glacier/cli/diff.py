"""`glacier diff`: two environments side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug
from glacier.cli.printing import print_json

__all__ = ["diff"]

Name = Annotated[str, typer.Argument(metavar="ENV", help="An environment of the project.")]
Pipelines = Annotated[
    list[str] | None,
    typer.Option("--pipeline", metavar="FILE[:PIPELINE]", help="A pipeline whose infrastructure counts; repeatable."),
]


@app.command()
def diff(left: Name, right: Name, pipeline: Pipelines = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what differs between two environments: effective settings, where each came from, and infrastructure."""
    from glacier import comparison
    from glacier.loading import load_pipeline
    from glacier.project import Project

    project = Project.find()
    pipelines = [load_pipeline(target) for target in pipeline or ()]
    found = comparison.diff(project.env(left), project.env(right), pipelines=pipelines)
    if as_json:
        print_json(found.plain())
    else:
        print(found)
