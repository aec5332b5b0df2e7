"""Runs on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from glacier.execution import Run

__all__ = ["run_table"]


def run_table(run: Run) -> Table:
    """Return the tasks of a run as a table for a terminal."""
    title = f"run {run.id} of {run.pipeline} in {run.environment}: {run.state}, {run.seconds or 0:.2f} s"
    table = Table("task", "state", title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("rows", "seconds", "attempts"):
        table.add_column(heading, justify="right")
    for step in run.tasks:
        rows = "" if step.rows is None else f"{step.rows:,}"
        seconds = "" if step.seconds is None else f"{step.seconds:.2f}"
        table.add_row(step.name, step.state, rows, seconds, str(step.attempts))
    return table
