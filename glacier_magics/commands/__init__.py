"""The commands of `%glacier`: one file each, found by name.

Other packages add theirs under the entry point group `glacier.commands`, as the name of a module.

A command is a module with a docstring, `arguments(parser)`, and `run(session, given)` for the line form, `cell(session,
given, body)` for the cell form, or both. Each reads its words, makes one call of the library and returns what to show.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from glacier.errors import did_you_mean
from glacier_magics.parsing import CommandError, shortened

__all__ = ["find", "known", "overview"]

_OURS = {
    "status": "status",
    "env": "env",
    "ls": "ls",
    "preview": "preview",
    "tasks": "tasks",
    "pipelines": "pipelines",
    "dag": "dag",
    "plan": "plan",
    "run": "run",
    "step": "step",
    "load": "load",
    "runs": "runs",
    "logs": "logs",
    "resume": "resume",
    "diff": "diff",
    "export": "export",
    "terraform": "export",
    "deploy": "deploy",
    "explain": "explain",
    "debug": "debug",
    "task": "task",
    "pipeline": "pipeline",
}


def known() -> list[str]:
    """Return the names of the commands: ours, then those of other packages."""
    return list(dict.fromkeys([*_OURS, *_theirs()]))


def find(name: str) -> Any:
    """Import and return a command.

    Raises:
        CommandError: there is none of that name; the error suggests the nearest.
    """
    if name in _OURS:
        return import_module(f"glacier_magics.commands.{_OURS[name]}")
    if name in _theirs():
        return import_module(_theirs()[name])
    raise CommandError(f"%glacier has no command {shortened(name, 60)!r}", hint=did_you_mean(name[:60], known()))


def overview() -> str:
    """Return the list of all commands, with the first line of what each says of itself."""
    wide = max(map(len, known()))
    lines = [f"  {name:<{wide}}  {_first(find(name))}" for name in known()]
    return "\n".join(["%glacier COMMAND ...   (%glacier COMMAND? shows its help)", "", *lines])


def _first(command: Any) -> str:
    line = (command.__doc__ or "").strip().partition("\n")[0]
    return line.partition(": ")[2] or line


@cache
def _theirs() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group="glacier.commands")}
