"""Runs on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from glacier.execution.run import Run

__all__ = ["print_run"]


def print_run(console: Console, run: Run) -> None:
    """Print a run: one line for the whole, one for each task."""
    head = f"Run {run.id} of {run.pipeline} in {run.environment}: {run.state} in {run.seconds or 0:.2f} s"
    console.print(head, style="bold", highlight=False)
    console.print(_tasks(run))


def _tasks(run: Run) -> Table:
    table = Table("task", "state", box=None, pad_edge=False)
    for heading in ("rows", "seconds", "attempts"):
        table.add_column(heading, justify="right")
    for step in run.tasks:
        rows = "" if step.rows is None else f"{step.rows:,}"
        seconds = "" if step.seconds is None else f"{step.seconds:.2f}"
        table.add_row(step.name, step.state, rows, seconds, str(step.attempts))
    return table
