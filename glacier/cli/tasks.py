"""`glacier tasks`: the tasks of a file."""

from __future__ import annotations

from dataclasses import asdict

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, File, defined_in
from glacier.cli.printing import console, print_json

__all__ = ["tasks"]


@app.command()
def tasks(file: File, *, env: EnvName = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the tasks that a file defines, with the settings that differ from the defaults."""
    from glacier.console import print_tasks
    from glacier.overview import task_row
    from glacier.tasks import Task

    rows = [task_row(each) for each in defined_in(file, env) if isinstance(each, Task)]
    print_json([asdict(each) for each in rows]) if as_json else print_tasks(console(), rows)
