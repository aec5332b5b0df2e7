"""`glacier deploy` and `glacier drift`: generated infrastructure put into effect, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug

__all__ = ["deploy", "drift"]

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `glacier export` wrote.")]
Environment = Annotated[str | None, typer.Option("--env", help="Which of its environments.")]
LocalState = Annotated[bool, typer.Option("--local-state", help="Keep Terraform's state in the folder.")]


@app.command()
def deploy(
    folder: Folder,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    env: Environment = None,
    local_state: LocalState = False,
    debug: Debug = False,
) -> None:
    """Plan generated infrastructure and, after a yes, build it."""
    from glacier import deploy as deploying

    def confirm(found: deploying.Plan) -> bool:
        print(found)
        return not plan and (yes or typer.confirm("Apply this?"))

    done = deploying.deploy(folder, environment=env, confirm=confirm, local_state=local_state)
    if not done.plan:
        print(done.plan)
    for name, value in done.outputs.items():
        print(f"{name} = {value}")


@app.command()
def drift(
    folder: Folder,
    *,
    env: Environment = None,
    local_state: LocalState = False,
    debug: Debug = False,
) -> None:
    """Compare what is there with what was generated; exit code 2 where they differ, as Terraform has it."""
    from glacier import deploy as deploying

    found = deploying.drift(folder, environment=env, local_state=local_state)
    print(found)
    if found:
        raise typer.Exit(2)
