"""The entry of one run in the journal: it listens to the run's events and keeps the values of its tasks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.execution.journal import identity, values
from glacier.execution.journal.resume import Earlier
from glacier.execution.journal.writer import HURRIED, PAUSE, Begun, Drawn, Ended, Kept, values_of, writer
from glacier.execution.memory import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.execution.events import Event
    from glacier.execution.journal.records import RunRecord
    from glacier.execution.options import RunOptions
    from glacier.execution.run import Run
    from glacier.recording import Step
    from glacier.recording.recorder import Recorder

__all__ = ["Book", "Plan"]

_SECRET = re.compile(r"(?i)secret|token|passw|pwd|credential|api_?key|access_?key|private")
_ENDS = frozenset({"succeeded", "failed", "cached", "planned"})
_JSON = frozenset({type(None), bool, int, float, str})
_HEAVY = 1024 * 1024
"""Bytes of kept values from which on it is worth the work to forget them when the run has succeeded."""


@dataclass(frozen=True)
class Plan:
    """What a run is about to do: what the journal writes down when it begins."""

    pipeline: Any
    env: Any
    parameters: Mapping[str, Any]
    options: RunOptions
    resumes: RunRecord | None = None


class Book:
    """A listener of one run, the keeper of its values, and what tells the engine which of them are known already.

    The engine calls `met` for each step as the body makes it, `operation` for what the body does by itself, `recall`
    before it runs a step, `keep` when one has succeeded, and `drawn` when the body has ended.
    """

    def __init__(self, home: Path, run: Run, plan: Plan) -> None:
        self.run = run
        self._limit = values.LIMIT if plan.options.checkpoint == "auto" else None
        self._keeps = plan.options.checkpoint is not False
        self._earlier = None if plan.resumes is None else Earlier(plan.resumes)
        self._body = identity.body_of(plan.pipeline.fn.__code__)
        self._arguments: dict[str, str] = {}
        self._codes: dict[int, str] = {}
        self._settled: set[str] = set()
        self._weight = 0
        self._writer = writer(home)
        self.home = self._writer.home
        self._writer.note(Begun(run.id, _columns(run, plan)))

    # --- as a listener --------------------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        """Take an event; a task that ran for long is committed before its thread goes on."""
        if event.key not in self._arguments:
            if event.kind == "run_finished":
                self._finish(event)
            return
        self._writer.note(event)
        if event.seconds is not None and event.seconds > PAUSE and event.kind in _ENDS:
            self._writer.flush(HURRIED)

    def _finish(self, event: Event) -> None:
        heavy = self._weight > _HEAVY
        self._writer.note(Ended(self.run.id, event.detail, event.seconds, event.error, heavy))
        self._writer.flush()

    def close(self) -> None:
        """Warn of what the user should know now that the run is over."""
        if self._earlier is not None:
            self._earlier.say_changes(self.run.id)
        self._writer.troubles()

    # --- as a memory ----------------------------------------------------------------------------------------------

    def met(self, step: Step) -> str | None:
        """Take note of a task call in the body; name the resumed run where the step is taken over from it."""
        assert step.bound is not None
        arguments = identity.arguments_of(step.bound.arguments, self._body)
        self._arguments[step.key] = arguments
        if self._earlier is None or not self._earlier.takes_over(step, arguments, self._code(step)):
            return None
        self._settled.add(step.key)
        self._take_over(step, self._earlier)
        return f"run {self._earlier.record.id}"

    def operation(self, step: Step) -> None:
        """Take note of what the body does by itself."""
        if self._earlier is not None:
            self._earlier.operation(step)

    def is_settled(self, step: Step) -> bool:
        """Whether the step need not run unless another one wants its value."""
        return step.key in self._settled

    def recall(self, step: Step) -> Any:
        """Return the value of a step that is taken over; `MISSING` where it has to run."""
        if self._earlier is None or step.key not in self._settled:
            return MISSING
        return self._earlier.value(step)

    def keep(self, step: Step, value: Any) -> None:
        """Keep the value of a step that has just succeeded; its event comes after it."""
        found = values.contents(value, self._limit) if self._keeps else None
        form, data = (None, None) if found is None else found
        if isinstance(data, bytes) and len(data) > values.INLINE:
            form, data = self._to_file(step, form, data)
        elif data is not None:
            self._weight += len(data)
        self._note(step, form, data)

    def drawn(self, recorder: Recorder) -> None:
        """Write the graph down, once the body has ended."""
        self._writer.note(Drawn(self.run.id, _graph(recorder)))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _note(self, step: Step, form: str | None, data: bytes | str | None) -> None:
        arguments = self._arguments.get(step.key)
        self._writer.note(Kept(self.run.id, step.key, step.name, self._code(step), arguments, form, data))

    def _code(self, step: Step) -> str:
        assert step.task is not None
        fn = step.task.fn
        code = self._codes.get(id(fn))
        if code is None:
            code = self._codes[id(fn)] = identity.code_of(fn)
        return code

    def _file(self, step: Step) -> Path:
        folder = values_of(self.home, self.run.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / hashlib.sha256(step.key.encode()).hexdigest()[:32]

    def _to_file(self, step: Step, form: str | None, data: bytes) -> tuple[str | None, str | None]:
        """Write a large value to a file of the run; the journal keeps its name."""
        file = self._file(step)
        try:
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
                out.write(data)
        except OSError:  # the disk is full: the run goes on, and this task is run again on resume
            file.unlink(missing_ok=True)
            return None, None
        self._weight += _HEAVY
        return f"{form}:file", file.name

    def _take_over(self, step: Step, earlier: Earlier) -> None:
        """Make what the earlier run kept this run's own, so that this one can be resumed too."""
        form, data, file = earlier.kept(step)
        if file is not None:
            try:
                data = self._file(step).name
                os.link(file, self._file(step))
            except OSError:
                form, data = None, None
        self._note(step, form, data)


def _columns(run: Run, plan: Plan) -> dict[str, Any]:
    return {
        "pipeline": run.pipeline,
        "environment": run.environment,
        "state": "running",
        "started": run.started.timestamp(),
        "parameters": json.dumps(_parameters(plan.parameters)),
        "options": json.dumps(_options(plan.options)),
        "config": _config_hash(plan.env),
        "versions": _versions(),
        "target": _target(plan.pipeline),
        "folder": str(Path.cwd()),
        "resumes": None if plan.resumes is None else plan.resumes.id,
        "pid": os.getpid(),
    }


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Part the parameters into those that JSON can say again and those that are secret or no JSON."""
    shown = {name: value for name, value in given.items() if not _SECRET.search(name) and _is_json(value)}
    return {"given": shown, "hidden": [name for name in given if name not in shown]}


def _is_json(value: Any) -> bool:
    kind = cast("type[Any]", type(value))
    if kind is dict:
        return all(type(key) is str and not _SECRET.search(key) and _is_json(value[key]) for key in value)
    return all(map(_is_json, value)) if kind is list else kind in _JSON


def _options(options: RunOptions) -> dict[str, Any]:
    names = ("max_workers", "on_error", "only", "from_", "until", "materialize", "checkpoint")
    return {**{name: getattr(options, name) for name in names}, "read": getattr(options.read, "name", None)}


_hashes: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def _config_hash(env: Any) -> str:
    """Return a hash of what the provider is set to and what everything in the environment inherits."""
    try:
        if env not in _hashes:
            _hashes[env] = hashlib.sha256(env.configuration().encode()).hexdigest()[:16]
        return _hashes[env]
    except Exception:  # a provider of somebody else's whose config cannot be read
        return ""


@cache
def _versions() -> str:
    from importlib.metadata import version

    named = {name: version(name) for name in ("glacier-workbench", "polars")}
    return json.dumps({"python": sys.version.split()[0], **named})


def _target(pipeline: Any) -> str | None:
    """Return file and name of a pipeline as `glacier run` takes them, None where it was not defined in a file."""
    from glacier.recording import sites

    file = pipeline.fn.__code__.co_filename
    return None if sites.is_foreign(file) or not Path(file).is_file() else f"{Path(file).resolve()}:{pipeline.name}"


def _graph(recorder: Recorder) -> str:
    """Return the graph as JSON: rows rather than mappings, since there may be many thousands."""
    nodes: list[tuple[Any, ...]] = [(each.key, each.name, "resource", ()) for each in recorder.resources.values()]
    edges: list[tuple[Any, ...]] = []
    for step in recorder.steps.values():
        nodes.append((step.key, step.name, "inline" if step.task is None else "task", step.group))
        edges += [(need.source, step.key, need.name, need.access) for need in step.inputs]
    return json.dumps({"name": recorder.name, "nodes": nodes, "edges": edges})
