"""`glacier env`: the environments of the project, or one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, env_of
from glacier.cli.printing import console, print_json

__all__ = ["env", "print_environments"]

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one; a unique beginning will do.")]


@app.command()
def env(name: Name = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the environments that the project's file names, a star at the one that a notebook begins with; or show one:
    its provider, account and region, whether it is protected, and its resources.
    """
    if name is None:
        print_environments(as_json=as_json)
        return
    card = env_of(name).card()
    print_json(card.plain()) if as_json else print(card)


def print_environments(*, as_json: bool) -> None:
    """Print the environments of the project that the working directory lies in."""
    from rich.table import Table

    from glacier.project import Project

    project = Project.find()
    if as_json:
        envs = [asdict(each) for each in project.entries]
        print_json({"file": str(project.file), "default": project.default, "envs": envs})
        return
    table = Table("", "environment", "provider", "extends", "protected", box=None, pad_edge=False)
    for each in project.entries:
        star, protected = "*" if each.name == project.default else "", "protected" if each.protected else ""
        table.add_row(star, each.name, each.provider, each.extends or "", protected)
    console().print(table)
