"""`glacier env`: the environments of the project, or one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, env_of
from glacier.cli.printing import console, print_json

if TYPE_CHECKING:
    from glacier.project import Project

__all__ = ["env"]

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one; a unique beginning will do.")]


@app.command()
def env(name: Name = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the environments that the project's file names, a star at the one that a notebook begins with; or show one:
    its provider, account and region, whether it is protected, and its resources.
    """
    from glacier.project import Project

    if name is not None:
        card = env_of(name).card()
        print_json(card.plain()) if as_json else print(card)
        return
    project = Project.find()
    if as_json:
        envs = [asdict(each) for each in project.entries]
        print_json({"file": str(project.file), "default": project.default, "envs": envs})
    else:
        _list(project)


def _list(project: Project) -> None:
    from rich.table import Table

    table = Table("", "environment", "provider", "extends", "protected", box=None, pad_edge=False)
    for each in project.entries:
        star, protected = "*" if each.name == project.default else "", "protected" if each.protected else ""
        table.add_row(star, each.name, each.provider, each.extends or "", protected)
    console().print(table)
