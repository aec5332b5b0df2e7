"""`glacier cache`: what the cache keeps, and why a task would run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, Params, Target, env_of, pipeline_of
from glacier.cli.printing import console, print_json

if TYPE_CHECKING:
    from glacier.cache.store import Store

__all__ = ["cache", "clear", "ls", "why"]

cache = typer.Typer(name="cache", help="What the cache keeps.", no_args_is_help=True)
app.add_typer(cache)

Task = Annotated[str | None, typer.Argument(metavar="TASK", help="Results of this task only.")]


@cache.command()
def ls(task: Task = None, *, env: EnvName = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the kept results, what was used last first."""
    from dataclasses import asdict

    from glacier.console import print_entries

    store = _store(env)
    entries = store.entries(task)
    print_json([asdict(each) for each in entries]) if as_json else print_entries(console(), entries, store, task)


@cache.command()
def why(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")],
    target: Target,
    *,
    param: Params = None,
    env: EnvName = None,
    debug: Debug = False,
) -> None:
    """Say whether a task's result is kept, and if not, what changed since the last one was."""
    from glacier.loading import arguments_of

    pipeline = pipeline_of(target, env)
    found = pipeline.plan(**arguments_of(pipeline, param or ()))[task]
    uncached = "it is not declared with cache=True" if found.action == "run" else ""
    print(": ".join([found.name, ", ".join(filter(None, (found.action, found.why or uncached)))]))


@cache.command()
def clear(task: Task = None, *, env: EnvName = None, debug: Debug = False) -> None:
    """Remove the kept results of a task, or all."""
    count = _store(env).clear(task)
    print(f"{count:,} {'result' if count == 1 else 'results'} removed")


def _store(env: str | None) -> Store:
    """Return the cache of an environment of the project, else the project's folder."""
    if env is not None:
        from glacier.execution.caching import store

        return store(env_of(env))
    from glacier.cache.store import Store

    return Store()
