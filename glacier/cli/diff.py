"""`glacier diff`: two environments side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug
from glacier.cli.printing import print_json

__all__ = ["diff"]

Name = Annotated[str, typer.Argument(metavar="ENV", help="An environment of the project.")]


@app.command()
def diff(left: Name, right: Name, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show which effective settings of two environments differ, and where each came from."""
    from glacier import comparison
    from glacier.project import Project

    project = Project.find()
    found = comparison.diff(project.env(left), project.env(right))
    if as_json:
        print_json(found.plain())
    else:
        print(found)
