"""What a run would do, before it does it: `pipeline.plan()`."""

# pyright: reportPrivateUsage=false
# A Symbol keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from glacier.errors import ConfigError, GlacierError, did_you_mean
from glacier.execution.caching import store
from glacier.execution.selection import is_forced
from glacier.recording.steps import Step, replaced
from glacier.recording.symbol import Symbol
from glacier.resources import Bucket
from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from glacier.cache.store import Stored, Why
    from glacier.execution.options import RunOptions
    from glacier.graph import Graph
    from glacier.recording import Trace
    from glacier.recording.steps import Resource

__all__ = ["Planned", "RunPlan", "plan"]


@dataclass(frozen=True)
class Planned:
    """What a run would do with one step.

    Attributes:
        action: `"run"`, `"cached"` (its result is there), or `"skip"` (it is not asked for).
        why: in words: what changed since its result was kept, which input is not known, under which condition it runs.
        reads: bytes that it would read from resources, None where that is not known.
    """

    key: str
    name: str
    action: Literal["run", "cached", "skip"]
    why: str = ""
    reads: int | None = None


@dataclass(frozen=True)
class RunPlan:
    """What a run of a pipeline would do, task by task; `plan["clean"]` is what it would do with that task."""

    pipeline: str
    steps: tuple[Planned, ...]
    approximations: tuple[Any, ...] = ()

    def __getitem__(self, name: str) -> Planned:
        """Return the entry of a key, or of the first call of a task of that name.

        Raises:
            ConfigError: there is none.
        """
        for each in self.steps:
            if name in (each.key, each.name):
                return each
        hint = did_you_mean(name, {each.name for each in self.steps})
        raise ConfigError(f"the plan of {self.pipeline!r} has no task {name!r}", hint=hint)

    def __iter__(self) -> Iterator[Planned]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def reads(self) -> int:
        """The bytes that would be read from resources, as far as they are known."""
        return sum(each.reads or 0 for each in self.steps)

    def __str__(self) -> str:
        width = max([len(each.name) for each in self.steps], default=0)
        counts = {action: sum(each.action == action for each in self.steps) for action in ("run", "cached", "skip")}
        head = f"{self.pipeline}: {counts['run']} to run, {counts['cached']} cached, {counts['skip']} skipped"
        lines = [f"  {each.name:<{width}}  {each.action:<6}  {_words(each)}".rstrip() for each in self.steps]
        notes = [f"approximate: {note}" for note in self.approximations]
        head = head if not self.reads else f"{head}; {self.reads:,} bytes to read"
        return printable("\n".join([head, *lines, *notes]), "\n")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": str(self)}


def plan(traced: Trace, env: Any, options: RunOptions) -> RunPlan:
    """Say what a run of a traced pipeline would do; keys of results are found, no task runs and no data are read.

    Raises:
        ConfigError: `options` name a task that the pipeline does not have.
    """
    check_names(traced.graph, options, env.tasks)
    tasks = [step for step in traced.steps if step.task is not None]
    asked = _asked_for(traced.graph, options)
    reckoned = _Reckoning(env, options, traced.graph)
    entries = [reckoned.entry(step) if step.key in asked else _skipped(step) for step in tasks]
    return RunPlan(traced.graph.name, tuple(entries), traced.approximations)


def check_names(graph: Graph, options: RunOptions, others: Iterable[str]) -> None:
    """Refuse names of tasks that a pipeline does not have; a key counts as its task's name.

    What is forced may be one of `others`: the pipeline is run as it would be without.

    Raises:
        ConfigError: there is one; the error suggests the nearest name.
    """
    known = {node.name for node in graph.tasks}
    asked = [name for name in (*options.only, *options.from_, *options.until) if _task(name) not in known]
    for name in [*asked, *(name for name in options.forced if _task(name) not in {*known, *others})]:
        raise ConfigError(f"pipeline {graph.name!r} has no task {name!r}", hint=did_you_mean(name, known))


def _task(word: str) -> str:
    return word.partition("@")[0]


class _Reckoning:
    """Goes through the steps in order, with the kept results of those before."""

    def __init__(self, env: Any, options: RunOptions, graph: Graph) -> None:
        self.env = env
        self.options = options
        self.graph = graph
        self.kept: dict[Step, Stored] = {}

    def entry(self, step: Step) -> Planned:
        """Say what would become of one step."""
        assert step.task is not None
        if step.task.settings(self.env)["cache"]:
            stored, why = self._look_up(step)
            if stored is not None:
                self.kept[step] = stored
                return Planned(step.key, step.name, "cached", why)
        else:
            why = ""
        condition = self.graph[step.key].condition
        said = "; ".join(part for part in (why, f"if {condition}" if condition else "") if part)
        return Planned(step.key, step.name, "run", said, _to_read(step))

    def _look_up(self, step: Step) -> tuple[Stored | None, str]:
        from glacier.cache.fingerprint import fingerprint
        from glacier.errors import Unfingerprintable

        assert step.task is not None
        unknown = [need for need in step.needs if isinstance(need, Step) and need not in self.kept]
        if unknown:
            return None, f"needs {unknown[0].name}, which runs"
        if is_forced(self.options, step):
            return None, "forced"
        arguments = {name: replaced(value, self._told) for name, value in step.arguments.items()}
        try:
            found = fingerprint(step.task.fn, arguments, step.task.settings(self.env))
        except Unfingerprintable as error:
            return None, f"cannot be cached: {error.part}: {error.message}"
        kept = store(self.env)
        stored = kept.get(found.key)
        return stored, "" if stored is not None else _changes(kept.why(step.name, found))

    def _told(self, value: Any) -> Any:
        return self.kept[value._step()] if issubclass(type(value), Symbol) else value


def _changes(why: Why) -> str:
    if why.entry is None:
        return "not kept yet"
    return ", ".join(why.changes) or "its result is no longer there"


def _asked_for(graph: Graph, options: RunOptions) -> set[str]:
    """Return the keys of the tasks that a run with these options is about, with all that they need."""
    every = {node.key for node in graph.tasks}
    ends = _keys(graph, options.only or options.until)
    begun = _keys(graph, options.from_)
    chosen = every
    if begun:
        chosen = begun | {key for each in begun for key in graph.downstream(each)}
    if ends:
        between = ends | {key for each in ends for key in graph.upstream(each)}
        chosen = chosen & between if begun else ends
    return every & (chosen | {key for each in chosen & every for key in graph.upstream(each)})


def _keys(graph: Graph, names: Sequence[str]) -> set[str]:
    return {node.key for node in graph.tasks if node.key in names or node.name in names}


def _skipped(step: Step) -> Planned:
    return Planned(step.key, step.name, "skip", "not asked for")


def _to_read(step: Step) -> int | None:
    """Return the bytes of what a step reads, None where nothing is known of it."""
    sizes = [_size(source) for source in _read_by(step)]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _read_by(step: Step) -> Iterable[Resource]:
    accesses = {need.source: need.access for need in step.inputs}
    resources = [source for source in dict.fromkeys(step.needs) if not isinstance(source, Step)]
    return [source for source in resources if accesses[source.key] in ("read", "both")]


def _size(resource: Resource) -> int | None:
    bucket = resource.value
    if not isinstance(bucket, Bucket):
        return None
    try:
        found = bucket.list()
    except GlacierError:
        return None
    return sum(each.size for each in found) if found else None


def _words(entry: Planned) -> str:
    size = "" if entry.reads is None else f"reads {entry.reads:,} bytes"
    return "; ".join(part for part in (entry.why, size) if part)
