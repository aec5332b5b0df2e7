"""The entry of one run in the journal: what becomes of its steps, their values, and the run that it goes on with."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import weakref
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.execution.journal import identity, values
from glacier.execution.journal.resume import IN_FILE, Earlier
from glacier.execution.journal.tiny import Lines, text_of
from glacier.execution.journal.writer import HURRIED, PAUSE, Begun, Ended, Row, values_of, writer
from glacier.execution.memory import MISSING
from glacier.execution.steps import StepRun
from glacier.recording.steps import ATOMS
from glacier.redaction import names_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from glacier.execution.journal.records import RunRecord
    from glacier.execution.journal.writer import Batch
    from glacier.execution.options import RunOptions
    from glacier.execution.run import Run
    from glacier.recording import Step
    from glacier.recording.live import LiveRecorder
    from glacier.recording.steps import Spot

__all__ = ["Book", "Plan", "target_of"]

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
    """The `Memory` of a run: its entry in the journal, its values, and the run that it goes on with."""

    def __init__(self, home: Path, run: Run, plan: Plan) -> None:
        self.run = run
        self.resumes = plan.resumes is not None
        self._limit = values.LIMIT if plan.options.checkpoint == "auto" else None
        self._keeps = plan.options.checkpoint is not False
        self._earlier = None if plan.resumes is None else Earlier(plan.resumes)
        self._body = identity.body_of(plan.pipeline.fn.__code__)
        self._codes: dict[int, str] = {}
        self._settled: set[str] = set()
        self._weight = 0
        self._over = False
        self._committed: bool | None = None
        self._zero = run.started.timestamp() - time.perf_counter()
        self._writer = writer(home)
        self._note = self._writer.note
        self._lines = Lines(run.id, self._note, _write_lines)
        self.home = self._writer.home
        self._begun = Begun(run.id, _columns(run, plan))

    def open(self) -> None:
        """Begin the entry."""
        self._writer.open(self._begun)

    # --- what happens -----------------------------------------------------------------------------------------------

    def began(self, step: StepRun) -> None:
        """Take note that a step runs now."""
        step.told = True
        self._note((_write_begin, self.run.id, self, step))

    def ended(self, step: StepRun, value: Any) -> None:
        """Keep the value of a step; one that ran for long is committed before its thread goes on."""
        if self._is_tiny(step) and (text := text_of(value)) is not None:
            arguments = identity.arguments_of(step.args, step.kwargs, self._body)
            self._lines.add(step, self._zero + step.began, self.code_of, arguments, text if self._keeps else "null")
            return
        if type(value) in ATOMS and type(value) is not bytes:
            self._note((_write_atom, self.run.id, self, step, (step.args, step.kwargs, value)))
        else:
            self._note((_write_value, self.run.id, self, step, (step.args, step.kwargs, *self._kept(step, value))))
        self._commit(step)

    def changed(self, step: StepRun) -> None:
        """Take note of another state of a step that has returned a plan."""
        self._note((_write_change, self.run.id, step, step.state, step.seconds))

    def cached(self, step: StepRun) -> None:
        """Take note of a step whose value the cache keeps, so that it need not be kept here."""
        self._note((_write_value, self.run.id, self, step, (step.args, step.kwargs, None, None)))
        self._commit(step)

    def lost(self, step: StepRun) -> None:
        """Take note that a step failed, was skipped or was cancelled."""
        self._note((_write_loss, self.run.id, step, time.time()))

    def noted(self, step: StepRun, kind: str, details: Mapping[str, Any]) -> None:
        """Take note of a failed attempt, or of a line."""
        if kind == "log":
            line = str(details.get("line", ""))
            self._note((_write_line, self.run.id, step, time.time(), line))
        elif kind in {"retried", "timed_out"}:
            known = (details.get("attempt", step.attempts), kind, time.time(), details.get("seconds"))
            self._note((_write_attempt, self.run.id, step, *known, str(details.get("error") or "")))

    def drawn(self, recorder: LiveRecorder) -> None:
        """Write the graph down, once the body has ended."""
        self._note((_write_graph, self.run.id, recorder))

    def finished(self, error: str | None) -> None:
        """Write the end of the run, and everything before it."""
        if not self._over:
            self._over = True
            self._note(Ended(self.run.id, self.run.state, self.run.seconds, error, self._weight > _HEAVY))
            with suppress(KeyboardInterrupt) if self.run.state == "cancelled" else nullcontext():
                self._committed = self._writer.flush()

    def close(self) -> None:
        """End the entry in any case, and warn of what the user should know now that the run is over.

        Polars makes two interrupts of one, so that another may come in the midst of this.
        """
        while not self._over:
            with suppress(KeyboardInterrupt):
                self.run.state = "cancelled"
                self.finished(None)
        if self._committed is None:  # an interrupt cut the wait short
            with suppress(KeyboardInterrupt):
                self._committed = self._writer.flush()
        if self._earlier is not None:
            self._earlier.say_changes(self.run.id)
        self._writer.troubles()

    # --- going on with an earlier run -------------------------------------------------------------------------------

    def met(self, step: StepRun) -> bool:
        """Take a step over from the earlier run, if it did the same; say whether it did."""
        assert self._earlier is not None
        arguments = identity.arguments_of(step.args, step.kwargs, self._body)
        if not self._earlier.takes_over(step, arguments, self.code_of(step)):
            return False
        self._settled.add(step.key)
        self._take_over(step, arguments, self._earlier)
        return True

    def operation(self, step: StepRun) -> None:
        """Take note of what the body does by itself."""
        if self._earlier is not None:
            self._earlier.operation(step)

    def is_settled(self, step: StepRun) -> bool:
        """Whether the step need not run unless another one wants its value."""
        return step.key in self._settled

    def recall(self, step: StepRun) -> Any:
        """Return the value of a step that is taken over; `MISSING` where it has to run."""
        if self._earlier is None or step.key not in self._settled:
            return MISSING
        return self._earlier.value(step)

    # --- inside -----------------------------------------------------------------------------------------------------

    def code_of(self, step: StepRun) -> str:
        """Return the fingerprint of a step's code, found once for each function and run."""
        assert step.task is not None
        fn = step.task.fn
        code = self._codes.get(id(fn))
        if code is None:
            code = self._codes[id(fn)] = identity.code_of(fn)
        return code

    def arguments_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Say what a step was called with."""
        return identity.arguments_of(args, kwargs, self._body)

    def when(self, step: StepRun) -> float:
        """Return when a step began, in seconds since the epoch."""
        return self._zero + step.began

    @property
    def keeps(self) -> bool:
        """Whether values are kept."""
        return self._keeps

    def _kept(self, step: StepRun, value: Any) -> tuple[str | None, bytes | str | None]:
        found = values.contents(value, self._limit) if self._keeps else None
        if found is None:
            return None, None
        if len(found.data) > values.INLINE:
            return self._to_file(step, found)
        self._weight += len(found.data)
        return found

    def _is_tiny(self, step: StepRun) -> bool:
        """Whether nothing was told of a step before its end, and need not be committed now."""
        over = step.seconds is not None and step.seconds < PAUSE
        return over and not step.told and step.attempts == 1 and self._earlier is None

    def _commit(self, step: StepRun) -> None:
        if step.seconds is not None and step.seconds > PAUSE:
            self._writer.flush(HURRIED)

    def _file(self, step: StepRun) -> Path:
        folder = values_of(self.home, self.run.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / hashlib.sha256(step.key.encode()).hexdigest()[:32]

    def _to_file(self, step: StepRun, found: values.Content) -> tuple[str | None, str | None]:
        """Write a large value to a file of the run; the journal keeps its name."""
        try:
            file = self._file(step)
            values.write(file, found)
        except OSError:  # the disk is full: the run goes on, and this task is run again on resume
            return None, None
        self._weight += _HEAVY
        return f"{found.form}{IN_FILE}", file.name

    def _take_over(self, step: StepRun, arguments: str, earlier: Earlier) -> None:
        """Make what the earlier run kept this run's own, so that this one can be resumed too."""
        form, data, file = earlier.kept(step)
        if file is not None:
            try:
                data = self._file(step).name
                os.link(file, self._file(step))
            except OSError:
                form, data = None, None
        cache = f"run {earlier.record.id}"
        self._note((_write_settled, self.run.id, step, (cache, self.code_of(step), arguments, form, data)))


# --- how it is written: called by the writer, with the batch and the number of the run --------------------------------


def _write_begin(batch: Batch, run: int, book: Book, step: StepRun) -> None:
    row = batch.task(run, step.key, step.name)
    row[Row.STATE] = "running"
    row[Row.STARTED] = book.when(step)


def _write_atom(batch: Batch, run: int, book: Book, step: StepRun, known: tuple[Any, Any, Any]) -> None:
    args, kwargs, value = known
    kept = values.contents(value) if book.keeps else None
    form, data = (None, None) if kept is None else kept
    _write_value(batch, run, book, step, (args, kwargs, form, data))


def _write_value(batch: Batch, run: int, book: Book, step: StepRun, known: tuple[Any, Any, Any, Any]) -> None:
    args, kwargs, form, data = known
    row = _write_state(batch, run, step)
    row[Row.STARTED : Row.ATTEMPTS + 1] = book.when(step), step.seconds, step.rows, step.bytes, step.attempts
    row[Row.CODE :] = book.code_of(step), book.arguments_of(args, kwargs), form, data


def _write_lines(batch: Batch, run: int, lines: list[str]) -> None:
    batch.tiny(run, lines)


def _write_change(batch: Batch, run: int, step: StepRun, state: str, seconds: float | None) -> None:
    row = batch.task(run, step.key, step.name)
    row[Row.STATE], row[Row.SECONDS] = state, seconds


def _write_loss(batch: Batch, run: int, step: StepRun, when: float) -> None:
    row = _write_state(batch, run, step)
    row[Row.SECONDS], row[Row.ATTEMPTS] = step.seconds, step.attempts
    row[Row.ERROR] = step.error or step.detail or None
    if step.state == "failed":
        batch.attempts.append((run, step.key, step.attempts, "failed", when, step.seconds, row[Row.ERROR]))


def _write_settled(batch: Batch, run: int, step: StepRun, known: tuple[Any, ...]) -> None:
    row = batch.task(run, step.key, step.name)
    row[Row.STATE] = "cached"
    row[Row.CACHE :] = known


def _write_state(batch: Batch, run: int, step: StepRun) -> list[Any]:
    row = batch.task(run, step.key, step.name)
    row[Row.STATE] = step.state
    if step.state == "cached":
        row[Row.CACHE] = step.digest or step.detail or None
    return row


def _write_attempt(batch: Batch, run: int, step: StepRun, *known: Any) -> None:
    batch.attempts.append((run, step.key, *known))


def _write_line(batch: Batch, run: int, step: StepRun, when: float, line: str) -> None:
    batch.logs.append((run, step.key, when, line))


def _write_graph(batch: Batch, run: int, recorder: LiveRecorder) -> None:
    batch.draw(run, _graph(recorder))


# --- the row of the run -----------------------------------------------------------------------------------------------


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
        "target": target_of(plan.pipeline),
        "folder": str(Path.cwd()),
        "resumes": None if plan.resumes is None else plan.resumes.id,
        "pid": os.getpid(),
    }


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Part the parameters into those that JSON can say again and those that are secret or no JSON."""
    shown = {name: value for name, value in given.items() if not names_secret(name) and _is_json(value)}
    return {"given": shown, "hidden": [name for name in given if name not in shown]}


def _is_json(value: Any) -> bool:
    kind = cast("type[Any]", type(value))
    if kind is dict:
        return all(type(key) is str and not names_secret(key) and _is_json(value[key]) for key in value)
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


def target_of(pipeline: Any) -> str | None:
    """Return file and name of a pipeline as `glacier run` takes them, None where it was not defined in a file."""
    from glacier.recording import sites

    file = pipeline.fn.__code__.co_filename
    return None if sites.is_foreign(file) or not Path(file).is_file() else f"{Path(file).resolve()}:{pipeline.name}"


def _graph(recorder: LiveRecorder) -> str:
    """Return the graph as JSON: rows rather than mappings, since there may be many thousands."""
    resources = [(each.key, each.name, each.kind) for each in recorder.resources.values()]
    steps = _Drawing().steps(recorder.steps)
    return f'{{"name": {json.dumps(recorder.name)}, "resources": {json.dumps(resources)}, "steps": [{steps}]}}'


class _Drawing:
    """Writes steps as JSON without an object for each: what the garbage collector has to look at costs far more."""

    def __init__(self) -> None:
        self._places: dict[Spot, str] = {}
        self._facts: dict[tuple[Any, ...], str] = {}
        self._labels: dict[Any, str] = {}

    def steps(self, steps: Iterable[Step]) -> str:
        """Return the steps as an array without its brackets."""
        return ",".join([f"[{self._key(step)},{self._about(step)},[{self._needs(step)}]]" for step in steps])

    def _key(self, step: Step) -> str:
        place = self._places.get(step.spot)
        if place is None:
            place = self._places[step.spot] = json.dumps(step.spot.place)[:-1]
        return f'{place}"' if step.number == 1 else f'{place}#{step.number}"'

    def _about(self, step: Step) -> str:
        which = step.spot, step.task is None, step.group
        about = self._facts.get(which)
        if about is None:
            kind = "inline" if step.task is None else "task"
            about = self._facts[which] = json.dumps([step.name, kind, step.group])[1:-1]
        return about

    def _needs(self, step: Step) -> str:
        """Return what a step needs: the key, as which parameter, and the access where it is no data."""
        found: list[str] = []
        for source, label in zip(step.needs, step.labels, strict=True):
            if not isinstance(source, StepRun):
                return json.dumps([(need.source, need.name, need.access) for need in step.inputs])[1:-1]
            found.append(f"[{self._key(source)},{self._labels.get(label) or self._label(label)}]")
        return ",".join(found)

    def _label(self, label: Any) -> str:
        text = self._labels[label] = json.dumps(label)
        return text
