"""`glacier env`: the environments of the project."""

from __future__ import annotations

from dataclasses import asdict

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug
from glacier.cli.printing import console, print_json

__all__ = ["env"]


@app.command()
def env(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the environments that the project's file names; the one that a notebook begins with has a star."""
    from rich.table import Table

    from glacier.project import Project

    project = Project.find()
    if as_json:
        print_json(
            {"file": str(project.file), "default": project.default, "envs": [asdict(e) for e in project.entries]}
        )
        return
    table = Table("", "environment", "provider", "extends", "protected", box=None, pad_edge=False)
    for each in project.entries:
        star, protected = "*" if each.name == project.default else "", "protected" if each.protected else ""
        table.add_row(star, each.name, each.provider, each.extends or "", protected)
    console().print(table)
