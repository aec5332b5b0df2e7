"""Runs, listings and previews on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import polars as pl
    from rich.console import Console

    from glacier.cache.store import Entry, Store
    from glacier.execution.journal import RunRecord
    from glacier.execution.run import Run
    from glacier.overview import PipelineRow, TaskRow
    from glacier.resources import ObjectInfo, Preview

__all__ = [
    "print_entries",
    "print_objects",
    "print_permissions",
    "print_pipelines",
    "print_preview",
    "print_run",
    "print_runs",
    "print_tasks",
]

_COLUMNS = 40
"""Columns whose types are listed."""
_NAMED = 12
"""Columns that do not fit, named."""
_WIDEST = 32
"""Characters of a value, or of a column's name, that a preview shows."""


def print_run(console: Console, run: Run | RunRecord) -> None:
    """Print a run: one line for the whole, one for each task."""
    head = f"Run {run.id} of {run.pipeline} in {run.environment}: {run.state} in {run.seconds or 0:.2f} s"
    console.print(head, style="bold", highlight=False)
    console.print(_tasks(run))


def print_runs(console: Console, runs: Sequence[RunRecord]) -> None:
    """Print runs, one line each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True, min_width=8)
    for heading in ("pipeline", "environment", "state", "started (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("error", no_wrap=True, overflow="ellipsis")
    for run in runs:
        seconds = "" if run.seconds is None else f"{run.seconds:.2f}"
        started = run.started.strftime("%Y-%m-%d %H:%M:%S")
        cells = (run.id, run.pipeline, run.environment, run.state, started, seconds, _first_line(run.error))
        table.add_row(*map(_safe, cells))
    console.print(table if runs else "no runs yet", highlight=False)


def print_tasks(console: Console, rows: Sequence[TaskRow]) -> None:
    """Print tasks, one line each."""
    table = Table("task", "environment", "settings", "about", box=None, pad_edge=False)
    for each in rows:
        table.add_row(*map(_safe, (each.task, each.environment, each.settings, each.about)))
    console.print(table if rows else "no tasks: decorate a function with @env.task()", highlight=False, markup=False)


def print_pipelines(console: Console, rows: Sequence[PipelineRow]) -> None:
    """Print pipelines with their last runs, one line each."""
    table = Table("pipeline", "environment", "last run", "state", box=None, pad_edge=False)
    table.add_column("started (UTC)", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("about")
    for each in rows:
        started = "" if each.started is None else each.started.strftime("%Y-%m-%d %H:%M:%S")
        seconds = "" if each.seconds is None else f"{each.seconds:.2f}"
        cells = (each.pipeline, each.environment, each.run, each.state, started, seconds, each.about)
        table.add_row(*map(_safe, cells))
    none = "no pipelines: decorate a function with @env.pipeline()"
    console.print(table if rows else none, highlight=False, markup=False)


def print_entries(console: Console, entries: Sequence[Entry], store: Store, task: str | None = None) -> None:
    """Print what a cache keeps, of one task or of all: one line for each result, and one for the whole."""
    from glacier.resources.preview import readable

    if not entries:
        of = "" if task is None else f" of task {printable(task)!r}"
        console.print(
            f"nothing{of} is cached in {printable(store.where)}", highlight=False, markup=False, soft_wrap=True
        )
        return

    table = Table("task", "kind", box=None, pad_edge=False)
    for heading in ("rows", "size"):
        table.add_column(heading, justify="right")
    for heading in ("made (UTC)", "used (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("it ran because", overflow="ellipsis", no_wrap=True)
    for each in entries:
        rows = "" if each.rows is None else f"{each.rows:,}"
        made, used = (
            datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M") for when in (each.created, each.used)
        )
        because = ", ".join(each.because)
        table.add_row(*map(_safe, (each.task, each.kind, rows, readable(each.bytes), made, used, because)))
    console.print(table, highlight=False)
    count = f"{len(entries):,} {'result' if len(entries) == 1 else 'results'} in {printable(store.where)}"
    console.print(count, style="dim", highlight=False, markup=False, soft_wrap=True)


def print_permissions(console: Console, permissions: Sequence[Mapping[str, Any]]) -> None:
    """Print who may do what in generated infrastructure, and the task and line that need it: one row for each."""
    table = Table(box=None, pad_edge=False)
    for heading in ("principal", "may", "on", "because of"):
        table.add_column(heading, overflow="fold")
    for cells in dict.fromkeys(map(_permission, permissions)):
        table.add_row(*map(_safe, cells))
    if permissions:
        console.print(table, highlight=False)


def _permission(each: Mapping[str, Any]) -> tuple[str, ...]:
    uses = [use["task"] + (f" ({use['line']})" if use["line"] else "") for use in each["uses"]]
    return each["principal"], ", ".join(each["actions"]), ", ".join(each["resources"]), ", ".join(uses)


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0][:200]


def _tasks(run: Run | RunRecord) -> Table:
    table = Table("task", "state", box=None, pad_edge=False)
    for heading in ("rows", "seconds", "attempts"):
        table.add_column(heading, justify="right")
    table.add_column("error", no_wrap=True, overflow="ellipsis")
    for step in run.tasks:
        rows = "" if step.rows is None else f"{step.rows:,}"
        seconds = "" if step.seconds is None else f"{step.seconds:.2f}"
        cells = (step.name, step.state, rows, seconds, str(step.attempts), _first_line(step.error))
        table.add_row(*map(_safe, cells))
    return table


# --- objects ---------------------------------------------------------------------------------------------------------


def print_objects(console: Console, objects: Sequence[ObjectInfo], *, more: bool) -> None:
    """Print objects, one line each where the paths fit; `more` says that there are others."""
    from glacier.resources.preview import readable

    table = Table(box=None, pad_edge=False)
    table.add_column("path", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("modified (UTC)", no_wrap=True)
    table.add_column("etag", no_wrap=True, overflow="ellipsis", max_width=12)
    for each in objects:
        modified = each.modified.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(_safe(each.path), readable(each.size), modified, _safe((each.etag or "").strip('"')))
    console.print(table if objects else "no objects", highlight=False)
    if more:
        console.print(f"the first {len(objects):,}; there may be more: --limit shows others", style="dim")


# --- rows ------------------------------------------------------------------------------------------------------------


def print_preview(console: Console, preview: Preview) -> None:
    """Print what is shown of what, the columns with their types, and of the rows the columns that fit the width."""
    console.print(Text(printable(preview.summary), "bold"))
    schema = Table("column", "type", box=None, pad_edge=False)
    for name, kind in islice(preview.schema.items(), _COLUMNS):
        schema.add_row(_safe(name), _safe(str(kind)))
    console.print(schema)
    if len(preview.schema) > _COLUMNS:
        console.print(Text(f"and {len(preview.schema) - _COLUMNS:,} more columns", "dim"))
    shown, hidden = _fitting(preview.rows, console.width)
    if shown:
        console.print()
        console.print(_rows(preview.rows, shown))
    if hidden:
        names = ", ".join(printable(name) for name in hidden[:_NAMED])
        more = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
        console.print(Text(f"not shown: {names}{more} (choose with --columns)", "dim"))


def _rows(rows: pl.DataFrame, shown: dict[str, list[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in shown:
        side = "right" if rows.schema[name].is_numeric() else "left"
        table.add_column(_safe(_cut(printable(name))), justify=side, no_wrap=True)
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*map(_safe, cells))
    return table


def _fitting(rows: pl.DataFrame, width: int) -> tuple[dict[str, list[str]], list[str]]:
    """Return the cells of the columns that fit side by side, the first one always, and the names of the others."""
    shown: dict[str, list[str]] = {}
    for name in rows.columns:
        cells = [_cut(printable(_cell(value))) for value in rows[name].to_list()]
        width -= max(cell_len(text) for text in [_cut(printable(name)), *cells])
        if width < 0 and shown:
            break
        shown[name] = cells
        width -= 2
    return shown, rows.columns[len(shown) :]


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    return value if isinstance(value, str) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _safe(text: str) -> Text:
    """Return text that a terminal does not obey and in which brackets are no markup."""
    return Text(printable(text))
