"""`glacier runs`: what ran here, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug
from glacier.cli.printing import console, print_json

__all__ = ["runs"]


@app.command()
def runs(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Show this run with its tasks.")] = None,
    *,
    pipeline: Annotated[str | None, typer.Option("--pipeline", help="Runs of this pipeline only.")] = None,
    env: Annotated[str | None, typer.Option("--env", help="Runs in this environment only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs to show at most, the newest.")] = 20,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the runs in the journal, newest first, or show one with its tasks."""
    from glacier.console import print_run, print_runs
    from glacier.execution.journal import History
    from glacier.home import home

    history = History(home(), env, pipeline)
    if run is not None:
        record = history[run]
        print_json(record.plain()) if as_json else print_run(console(), record)
        return
    found = history[:limit]
    print_json([each.plain() for each in found]) if as_json else print_runs(console(), found)
