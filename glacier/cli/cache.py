"""`glacier cache`: what the cache keeps, and why a task would run."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, Params, Target
from glacier.cli.printing import console, print_json

__all__ = ["cache", "clear", "ls", "why"]

cache = typer.Typer(name="cache", help="What the cache keeps.", no_args_is_help=True)
app.add_typer(cache)

Task = Annotated[str | None, typer.Argument(metavar="[TASK]", help="Results of this task only.")]


@cache.command()
def ls(task: Task = None, *, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the kept results, what was used last first."""
    from dataclasses import asdict

    from glacier.cache.store import Store
    from glacier.console import print_entries

    entries = Store().entries(task)
    print_json([asdict(each) for each in entries]) if as_json else print_entries(console(), entries)


@cache.command()
def why(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")],
    target: Target,
    *,
    param: Params = None,
    debug: Debug = False,
) -> None:
    """Say whether a task's result is kept, and if not, what changed since the last one was."""
    from glacier.loading import load_pipeline, parameters

    found = load_pipeline(target).plan(**parameters(param or ()))[task]
    print(f"{found.name}: {found.action}{f', {found.why}' if found.why else ''}")


@cache.command()
def clear(task: Task = None, *, debug: Debug = False) -> None:
    """Remove the kept results of a task, or all."""
    from glacier.cache.store import Store

    print(f"{Store().clear(task):,} results removed")
