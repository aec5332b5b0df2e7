"""`glacier shell`: an environment to explore, line by line."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug, env_of

__all__ = ["shell"]

_NAMES = ("GlacierEnv", "Bucket", "Serverless", "Inject", "task")


@app.command()
def shell(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A Python file with tasks and pipelines.")
    ] = None,
    *,
    env: Annotated[str | None, typer.Option("--env", metavar="NAME", help="By default the project's own.")] = None,
    debug: Debug = False,
) -> None:
    """Open a Python shell with `env`, Polars as `pl`, Glacier's names and the tasks of a file."""
    from glacier.project import Project

    names = _names(env_of(env or Project.find().default or ""), file)
    if find_spec("IPython") is None:
        _plain(names)
    else:
        _ipython(names)


def _names(env: Any, file: str | None) -> dict[str, Any]:
    import polars as pl

    import glacier
    from glacier.loading import load_into

    own = {} if file is None else load_into(env, file)
    return {**{name: getattr(glacier, name) for name in _NAMES}, "pl": pl, **own, "env": env}


def _plain(names: dict[str, Any]) -> None:
    import code
    import sys

    sys.ps1 = "glacier> "
    code.interact(banner=_banner(names["env"]), local=names, exitmsg="")


def _ipython(names: dict[str, Any]) -> None:
    from IPython import start_ipython
    from traitlets.config import Config

    config = Config()
    # A line may hold what nobody else should read, and IPython's own history file is open to others.
    config.HistoryManager.hist_file = ":memory:"
    config.TerminalInteractiveShell.banner1 = _banner(names["env"]) + "\n"
    config.TerminalInteractiveShell.banner2 = ""
    config.TerminalInteractiveShell.prompts_class = "glacier.cli.prompts.GlacierPrompts"
    config.TerminalInteractiveShell.confirm_exit = False
    config.InteractiveShellApp.extensions = ["glacier_magics"]
    config.TerminalIPythonApp.display_banner = True
    start_ipython(argv=[], user_ns=names, config=config)


def _banner(env: Any) -> str:
    return f"{env!r}\nenv.list_resources(), env.get(NAME).preview(), env.tasks; exit() leaves."
