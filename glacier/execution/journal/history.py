"""Looking back: the runs that the journal of a folder has, and what it tells of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, overload

from glacier import tables
from glacier.errors import ResourceNotFoundError, did_you_mean
from glacier.execution.journal import database, owner, tiny, values
from glacier.execution.journal.records import Attempt, LogLine, RunRecord, TaskRecord
from glacier.execution.journal.resume import IN_FILE
from glacier.execution.journal.writer import values_of
from glacier.execution.memory import MISSING
from glacier.graph import Edge, Graph, Node
from glacier.tables import lasting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["History", "attempts_of", "graph_of", "logs_of", "tasks_of", "value_of"]

_SHOWN = 20
_COLUMNS = ("key", "name", "state", "started", "seconds", "rows", "bytes", "attempts", "error", "cache")
_HEADINGS = ("run", "pipeline", "environment", "state", "started (UTC)", "time", "error")


class History(Sequence[RunRecord]):
    """The runs in the journal of a folder, newest first: of all, of one environment, or of one pipeline in it.

    `history[0]` is the newest run, `history["3f2a"]` the only one whose id begins so. Each look reads anew.
    """

    def __init__(self, home: Path, environment: str | None = None, pipeline: str | None = None) -> None:
        self.home = home.resolve()
        self._of = {"environment": environment, "pipeline": pipeline}

    def of(self, pipeline: str) -> History:
        """Return the runs of one pipeline."""
        return History(self.home, self._of["environment"], pipeline)

    @overload
    def __getitem__(self, index: int | str) -> RunRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunRecord]: ...
    def __getitem__(self, index: int | str | slice) -> RunRecord | list[RunRecord]:
        """Return a run by its place, newest first, or by its id or the beginning of it.

        Raises:
            ResourceNotFoundError: no run, or more than one, has such an id.
            IndexError: there are not so many runs.
        """
        if isinstance(index, str):
            return self._by_id(index)
        if isinstance(index, slice) or index < 0:
            return self._read()[index]
        found = self._read("", index, 1)
        if not found:
            raise IndexError(f"the journal has no run {index} of {self}")
        return found[0]

    def find(self, run: str | None) -> RunRecord:
        """Return a run by its id or the beginning of it, the newest run where none is given.

        Raises:
            ResourceNotFoundError: there is none.
        """
        if run is not None:
            return self._by_id(run)
        newest = self._read("", 0, 1)
        if not newest:
            of = "".join(f" of {kind} {name!r}" for kind, name in reversed(self._of.items()) if name is not None)
            where = f"the journal {self.home / database.FILE}"
            raise ResourceNotFoundError(f"{where} has no run{of} yet", hint="start one: run()")
        return newest[0]

    def __len__(self) -> int:
        with database.reading(self.home) as connection:
            if connection is None:
                return 0
            where, values = self._where()
            return connection.execute(f"SELECT count(*) FROM run {where}", values).fetchone()[0]  # noqa: S608

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self._read())

    def __bool__(self) -> bool:
        return len(self) > 0

    def _by_id(self, beginning: str) -> RunRecord:
        found = self._read(beginning)
        exact = [run for run in found if run.id == beginning]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            hint = f"write more of it: {', '.join(run.id for run in found[:5])}"
            raise ResourceNotFoundError(f"{len(found)} runs have an id that begins with {beginning!r}", hint=hint)
        hint = did_you_mean(beginning, [run.id for run in self._read("", 0, 10)])
        raise ResourceNotFoundError(f"the journal {self.home / database.FILE} has no run {beginning!r}", hint=hint)

    def _where(self, beginning: str = "") -> tuple[str, list[str]]:
        chosen = {name: value for name, value in self._of.items() if value is not None}
        parts, values = [f"{name} = ?" for name in chosen], list(chosen.values())
        if beginning:
            parts.append("id GLOB ?")
            values.append(f"{_no_pattern(beginning)}*")
        return (f"WHERE {' AND '.join(parts)}" if parts else ""), values

    def _read(self, beginning: str = "", offset: int = 0, limit: int = -1) -> list[RunRecord]:
        with database.reading(self.home) as connection:
            if connection is None:
                return []
            where, values = self._where(beginning)
            statement = f"SELECT * FROM run {where} ORDER BY number DESC LIMIT ? OFFSET ?"  # noqa: S608
            rows = connection.execute(statement, [*values, limit, offset]).fetchall()
        return [_record(self.home, row) for row in rows]

    # --- showing --------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        runs = self[:_SHOWN]
        if not runs:
            return "no runs yet"
        text = tables.text(_HEADINGS, [_row(run) for run in runs], right=(5,))
        more = len(self) - len(runs)
        return f"{text}\nand {more:,} more" if more > 0 else text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return tables.html(_HEADINGS, [_row(run) for run in self[:_SHOWN]], right=(5,)) or tables.line("no runs yet")


def _no_pattern(text: str) -> str:
    return "".join(each if each.isalnum() else f"[{each}]" for each in text)


def _row(run: RunRecord) -> tuple[str, ...]:
    seconds = "" if run.seconds is None else lasting(run.seconds)
    error = (run.error or "").splitlines()[:1]
    started = run.started.strftime("%Y-%m-%d %H:%M:%S")
    return run.id, run.pipeline, run.environment, run.state, started, seconds, error[0][:80] if error else ""


def _record(home: Path, row: sqlite3.Row) -> RunRecord:
    parameters = json.loads(row["parameters"])
    state = row["state"]
    if state == "running" and not owner.lives(home, row["owner"]):
        state = "interrupted"
    return RunRecord(
        id=row["id"],
        pipeline=row["pipeline"],
        environment=row["environment"],
        state=state,
        started=_when(row["started"]),
        seconds=row["seconds"],
        error=row["error"],
        parameters=parameters["given"],
        hidden=parameters["hidden"],
        options=json.loads(row["options"]),
        config=row["config"],
        versions=json.loads(row["versions"]),
        target=row["target"],
        folder=row["folder"],
        resumes=row["resumes"],
        home=home,
        number=row["number"],
    )


def tasks_of(run: RunRecord) -> list[TaskRecord]:
    """Return the steps of a run in the order in which they began; those that never did come last."""
    statement = f"SELECT {', '.join(_COLUMNS)}, form FROM task WHERE run = ?"  # noqa: S608 - the names are ours
    with database.reading(run.home) as connection:
        if connection is None:
            return []
        found = connection.execute(statement, (run.number,)).fetchall()
        lines = tiny.rows(connection, run.number)
    return [_task(run, row) for row in sorted([*map(dict[str, Any], found), *lines], key=_order)]


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["started"] is None, row["started"] or 0.0, row["key"]


def _task(run: RunRecord, row: Mapping[str, Any]) -> TaskRecord:
    values = {name: row[name] for name in _COLUMNS}
    values["started"] = None if row["started"] is None else _when(row["started"])
    values["kept"] = row["form"] is not None
    if run.state != "running" and row["state"] == "running":
        values["state"] = "interrupted" if run.state == "interrupted" else "cancelled"
    return TaskRecord(**values)


def attempts_of(run: RunRecord, task: str) -> list[Attempt]:
    """Return the failed attempts of the tasks of that name or key, in the order in which they ended."""
    keys = [step.key for step in run.tasks if task in {step.name, step.key}]
    rows = [row for row in _rows(run, "SELECT * FROM attempt WHERE run = ? ORDER BY rowid") if row["key"] in keys]
    return [Attempt(row["number"], row["kind"], _when(row["time"]), row["seconds"], row["error"]) for row in rows]


def logs_of(run: RunRecord, task: str | None) -> list[LogLine]:
    """Return the lines of a run's tasks, or of those of one name or key.

    Raises:
        ResourceNotFoundError: the run has no such task.
    """
    names: dict[str, str] = {step.key: step.name for step in run.tasks}
    if task is not None and task not in names.values() and task not in names:
        hint = did_you_mean(task, set(names.values()))
        raise ResourceNotFoundError(f"run {run.id} of pipeline {run.pipeline!r} has no task {task!r}", hint=hint)
    rows = _rows(run, "SELECT key, time, line FROM log WHERE run = ? ORDER BY rowid")
    wanted = [row for row in rows if task in {None, names.get(row["key"]), row["key"]}]
    return [LogLine(str(names.get(row["key"], row["key"])), _when(row["time"]), row["line"]) for row in wanted]


def value_of(run: RunRecord, task: str) -> Any:
    """Return what the task of that name or key returned, None where that was not kept or cannot be read any more."""
    with database.reading(run.home) as connection:
        if connection is None:
            return None
        rows = connection.execute("SELECT key, name, form, value FROM task WHERE run = ?", (run.number,)).fetchall()
        rows += tiny.rows(connection, run.number)
    kept = [row for row in rows if row["form"] is not None]
    found = [_value(run, row) for row in kept if task in {row["name"], row["key"]}]
    return found[0] if found and found[0] is not MISSING else None


def _value(run: RunRecord, row: Mapping[str, Any] | sqlite3.Row) -> Any:
    form: str = row["form"]
    if not form.endswith(IN_FILE):
        return values.load(form, row["value"])
    try:
        return values.load(form.removesuffix(IN_FILE), (values_of(run.home, run.id) / row["value"]).read_bytes())
    except OSError:
        return MISSING


def graph_of(run: RunRecord) -> Graph | None:
    """Return the graph that a run executed, None where it ended before its body did."""
    text = _rows(run, "SELECT graph FROM run WHERE number = ?")[0]["graph"]
    if text is None:
        return None
    stored = json.loads(text)
    nodes = [Node(key, name, "resource", {"kind": kind}) for key, name, kind in stored["resources"]]
    nodes += [Node(key, name, kind, group=tuple(group)) for key, name, kind, group, _ in stored["steps"]]
    edges = [Edge(need[0], step[0], *need[1:]) for step in stored["steps"] for need in step[4]]
    return Graph(stored["name"], tuple(nodes), tuple(edges))


def _rows(run: RunRecord, statement: str) -> list[Any]:
    with database.reading(run.home) as connection:
        return [] if connection is None else connection.execute(statement, (run.number,)).fetchall()


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
