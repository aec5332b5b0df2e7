"""`glacier explain`: where a setting came from."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, env_of
from glacier.cli.printing import print_json

__all__ = ["explain"]


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A resource of the environment.")],
    env: EnvName = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the effective settings of a resource, each with the level of the cascade it came from.

    The environment is by default the one that a notebook begins with.
    """
    found = env_of(env).explain(name)
    if as_json:
        print_json(found.plain())
    else:
        print(found)
