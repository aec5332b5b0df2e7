"""Going on with a run: which steps of the earlier one are taken over, and their values."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from glacier.errors import GlacierWarning, PipelineError
from glacier.execution.journal import database, tiny, values
from glacier.execution.journal.writer import values_of
from glacier.execution.memory import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from glacier.execution.journal.records import RunRecord
    from glacier.execution.options import RunOptions
    from glacier.recording import Step

__all__ = ["IN_FILE", "Earlier", "check", "options_for", "parameters_for"]

_OVER = frozenset({"done", "planned", "cached"})
IN_FILE = ":file"
"""The end of the form of a value that stands in a file."""


class _Entry(NamedTuple):
    state: str
    name: str
    code: str | None
    arguments: str | None
    form: str | None
    value: Any


class Earlier:
    """An earlier run, as a later one asks it for each step.

    A step is taken over when it succeeded, its code and plain arguments are the same, and all that it got from other
    steps is taken over too. Its value is at hand where it was kept; a step without is run again only when another one
    needs it.
    """

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.changed: Counter[str] = Counter()
        self._entries = _entries(record)
        self._fresh: dict[str, bool] = {}

    def takes_over(self, step: Step, arguments: str, code: str) -> bool:
        """Whether the step succeeded in the earlier run and is the same now; asked in the order of the body."""
        fresh = self._is_same(step, arguments, code) and self._has_fresh_sources(step)
        self._fresh[step.key] = fresh
        return fresh

    def operation(self, step: Step) -> None:
        """Note an operation of the body: it is done again, on values of steps that may be taken over."""
        self._fresh[step.key] = self._has_fresh_sources(step)

    def kept(self, step: Step) -> tuple[str | None, Any, Path | None]:
        """Return the form of a step's kept value, and the value itself or the file that it is in."""
        entry = self._entries[step.key]
        file = None
        if entry.form is not None and entry.form.endswith(IN_FILE):
            file = values_of(self.record.home, self.record.id) / entry.value
        return entry.form, entry.value, file

    def value(self, step: Step) -> Any:
        """Return the kept value of a step that is taken over, else `MISSING`."""
        form, data, file = self.kept(step)
        if form is None:
            return MISSING
        try:
            return values.load(form.removesuffix(IN_FILE), data if file is None else file.read_bytes())
        except OSError:
            return MISSING

    def say_changes(self, run: str) -> None:
        """Warn which tasks were run again although they had succeeded, since their code is another one."""
        if self.changed:
            names = ", ".join(repr(name) for name in self.changed)
            warnings.warn(
                f"run {run} resumes run {self.record.id}: the code of {names} changed since, so it ran again, with all "
                "that needs its values",
                GlacierWarning,
                stacklevel=2,
            )

    def _has_fresh_sources(self, step: Step) -> bool:
        return all(self._fresh.get(need.source, False) for need in step.inputs if need.access == "data")

    def _is_same(self, step: Step, arguments: str, code: str) -> bool:
        entry = self._entries.get(step.key)
        if entry is None or entry.state not in _OVER:
            return False
        if entry.code != code:
            self.changed[step.name] += 1
            return False
        return entry.arguments == arguments


def _entries(record: RunRecord) -> dict[str, _Entry]:
    with database.reading(record.home) as connection:
        if connection is None:
            return {}
        rows = connection.execute(
            "SELECT key, state, name, code, arguments, form, value FROM task WHERE run = ?", (record.number,)
        )
        found = [*rows, *tiny.rows(connection, record.number)]
        return {row["key"]: _Entry(*[row[name] for name in _Entry._fields]) for row in found}


def check(record: RunRecord, pipeline: str, environment: str) -> None:
    """Refuse to resume a run of something else, one that is not over, or one that is done.

    Raises:
        PipelineError: the run cannot be resumed here.
    """
    if (record.pipeline, record.environment) != (pipeline, environment):
        raise PipelineError(
            f"run {record.id} is one of pipeline {record.pipeline!r} in environment {record.environment!r}, "
            f"not of {pipeline!r} in {environment!r}",
            hint="resume it from that pipeline",
        )
    if not record.resumable:
        over = record.state in {"done", "ended"}
        hint = "start a new run" if over else "wait until it is over, or end its process"
        raise PipelineError(f"run {record.id} of pipeline {pipeline!r} is {record.state}", hint=hint)


def options_for(record: RunRecord, given: Mapping[str, Any]) -> RunOptions:
    """Return the options of an earlier run, those of `given` in their place.

    Raises:
        PipelineError: it read from another environment, which the journal cannot give again.
    """
    from glacier.execution.options import RunOptions

    stored = dict(record.options)
    read = stored.pop("read", None)
    if read is not None and given.get("read") is None:
        raise PipelineError(
            f"run {record.id} of pipeline {record.pipeline!r} read from environment {read!r}",
            hint=f"give it again: resume({record.id!r}, read=...)",
        )
    return RunOptions(**{**stored, **given})


def parameters_for(record: RunRecord, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of an earlier run, those that it does not tell out of `given`.

    Raises:
        PipelineError: a parameter is missing, or is not what it was.
    """
    missing = [name for name in record.hidden if name not in given]
    if missing:
        names = ", ".join(f"{name}=..." for name in missing)
        raise PipelineError(
            f"run {record.id} of pipeline {record.pipeline!r} had parameters that the journal does not keep: "
            f"{', '.join(missing)}",
            hint=f"give them again: resume({record.id!r}, {names})",
        )
    other = [name for name, value in given.items() if name in record.parameters and not _same(record, name, value)]
    if other:
        raise PipelineError(
            f"run {record.id} of pipeline {record.pipeline!r} had {other[0]}={record.parameters[other[0]]!r}: a run is "
            "resumed with its own parameters",
            hint="start a new run for other ones",
        )
    return {**record.parameters, **given}


def _same(record: RunRecord, name: str, value: Any) -> bool:
    try:
        return json.dumps(record.parameters[name]) == json.dumps(value)
    except (TypeError, ValueError):
        return False
