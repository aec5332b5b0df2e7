"""`glacier logs`: what the tasks of a run printed and logged."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, RunId
from glacier.cli.printing import print_json

__all__ = ["logs"]


@app.command()
def logs(
    run: RunId = None,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Lines of this task only.")] = None,
    *,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the lines that the tasks of a run printed and logged, and the errors of their attempts."""
    from glacier.execution.journal import History
    from glacier.home import home

    record = History(home()).find(run)
    if as_json:
        print_json([asdict(line) for line in record.logs(task)])
    else:
        print("".join(f"{line}\n" for line in record.story(task)), end="")
