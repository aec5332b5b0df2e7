"""`glacier status`: where you are."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.env import print_environments
from glacier.cli.options import AsJson, Debug, EnvName, env_of
from glacier.cli.printing import print_json

__all__ = ["status"]


@app.command()
def status(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Its tasks and pipelines count, too.")] = None,
    *,
    env: EnvName = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show an environment of the project, by default the one that a notebook begins with: provider, account, region,
    whether it is protected, what it has, and its last run.
    """
    from glacier.loading import load_into
    from glacier.overview import in_words
    from glacier.project import Project

    name = env or Project.find().default
    if name is None:
        print_environments(as_json=as_json)
        return
    shown = env_of(name)
    if file is not None:
        load_into(shown, file)
    last = in_words(next(iter(shown.runs[:1]), None))
    if as_json:
        print_json({**shown.card().plain(), "last run": last})
    else:
        print(shown.card().text(("last run", last)))
