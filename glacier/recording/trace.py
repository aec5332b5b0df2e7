"""Tracing a body without data: every way through it is followed, and the ways are merged into one graph."""

# pyright: reportPrivateUsage=false
# Stand-ins keep what is their own behind an underscore: every other name is the user's.

from __future__ import annotations

import re
import sys
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.graph import Edge, Graph, Node, Site
from glacier.recording import sites
from glacier.recording.quiet import muted
from glacier.recording.recorder import Recorder
from glacier.recording.steps import Decision, operands
from glacier.recording.symbol import Symbol
from glacier.resources import polars_functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from glacier.recording.steps import RecordedPipeline, RecordedTask, Step

__all__ = ["MAX_PATHS", "Approximation", "Trace", "Tracer", "trace"]

MAX_PATHS = 64
"""Ways through a body that are followed, and decisions on each of them, before the rest counts as approximate."""

_MARK = re.compile(r"glacier_symbol_(\d+)_")


@dataclass(frozen=True, slots=True)
class Approximation:
    """A part of a body that could only be followed roughly, and the line that caused it."""

    reason: str
    site: Site | None

    def __str__(self) -> str:
        return self.reason if self.site is None else f"{self.reason} ({self.site})"


@dataclass(frozen=True)
class Trace:
    """The merged graph of every way that was followed, and where it is approximate.

    `resources` has the objects behind each resource node, `tasks` the task behind each task node, by key.
    """

    graph: Graph
    approximations: tuple[Approximation, ...]
    paths: int
    steps: tuple[Step, ...] = ()
    """The steps, each after what it needs, with symbols in their arguments."""
    resources: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Any])
    tasks: Mapping[str, RecordedTask] = field(default_factory=dict[str, Any])


def trace(pipeline: RecordedPipeline, env: Any, body: Callable[[], Any]) -> Trace:
    """Follow every way through `body` and merge what was recorded.

    The first way answers every question of truth with yes; each later one turns one answer round and goes on from
    there, nearest first, up to `MAX_PATHS` ways. A way on which the body raises ends there: when it could not have
    been known better (a stand-in was involved) the trace is approximate at that line.

    Raises:
        Exception: the body's own, when no way comes to its end and no stand-in was involved.
    """
    polars_functions.prepare()
    todo: deque[tuple[bool, ...]] = deque([()])
    paths: list[Tracer] = []
    while todo and len(paths) < MAX_PATHS:
        prefix = todo.popleft()
        path = Tracer(pipeline, env, prefix)
        path.follow(body)
        paths.append(path)
        answers = [decision.outcome for decision in path.taken]
        todo.extend((*answers[:index], not answers[index]) for index in range(len(prefix), len(answers)))
    return _merge(pipeline, env, paths, unfinished=bool(todo))


class Tracer(Recorder):
    """Records one way through a body; `prefix` holds the answers to its first questions of truth."""

    tracing = True

    def __init__(self, pipeline: RecordedPipeline, env: Any, prefix: tuple[bool, ...]) -> None:
        super().__init__(pipeline, env)
        self.prefix = prefix
        self.taken: list[Decision] = []
        self.error: Exception | None = None
        self.approximations: dict[Approximation, None] = {}
        self.by_key: dict[str, Step] = {}
        self._answers: dict[str, bool] = {}
        self._marked: list[Symbol] = []
        self._attributes: dict[int, Symbol] = {}
        """What the body asked for and has not called: methods are not told from other attributes before."""

    def follow(self, body: Callable[[], Any]) -> None:
        """Call the body; an error ends this way and is kept."""
        with context.using(context.recorder, self), muted():
            try:
                body()
            except Exception as error:
                self.error = error
            for attribute in self._attributes.values():
                attribute._step()
        self.complete()
        self.by_key = {step.key: step for step in self.steps}

    def call(self, task: RecordedTask, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Symbol:
        """Record a task call; return a symbol of its annotated type."""
        step = self.task_step(task, args, kwargs, sys._getframe(2))
        return Symbol(self, step, task.returns, step.text)

    def verb(self, resource: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Symbol:
        """Record what the body asks of a resource, without asking it."""
        step = self.inline_step(name, f"{name}()", operands(resource, args, kwargs))
        return Symbol(self, step, _verb_type(name), step.text)

    def operation(self, name: str, text: str, given: Mapping[str, Any], declared: Any) -> Symbol:
        """Record an operation on symbols; return the symbol of its value."""
        return Symbol(self, self.inline_step(name, text, given), declared, text)

    def asked(self, attribute: Symbol, name: str) -> Step:
        """Return the step that an attribute is to become, unless the body calls it."""
        frame = sites.caller()
        if sites.in_file(frame, self.body):
            self._attributes[id(attribute)] = attribute
        step = self._step(name, frame)
        self.steps.pop()
        return step

    def called(self, attribute: Symbol) -> None:
        """Take note that an attribute is a method."""
        self._attributes.pop(id(attribute), None)

    def add(self, step: Step, text: str, given: Mapping[str, Any]) -> None:
        """Put a step that was made before among the others, with what it needs."""
        needs, labels = self._needs(given.items())
        step.serial, step._text = len(self.steps), text
        self.steps.append(step)
        self._connect(step, needs, labels)

    def decide(self, symbol: Symbol) -> bool:
        """Answer a question of truth, the same within one way, and remember that it was asked."""
        step = symbol._step()
        if step.key not in self._answers:
            outcome = self._next_answer(step)
            self._answers[step.key] = outcome
            self.taken.append(Decision(step.key, symbol._text, outcome))
            self.decisions = tuple(self.taken)
        return self._answers[step.key]

    def _next_answer(self, step: Step) -> bool:
        asked = len(self.taken)
        if asked < len(self.prefix):
            return self.prefix[asked]
        if asked < MAX_PATHS:
            return True
        self.approximate(f"more than {MAX_PATHS} decisions on one way: {step.text} counts as false", step)
        return False

    def approximate(self, reason: str, step: Step | None) -> None:
        """Mark the trace approximate at the line that runs now, and the step with it."""
        if step is not None:
            step.approximate = True
        self.approximations[Approximation(reason, sites.line_of(sites.caller()))] = None

    def mark(self, symbol: Symbol) -> str:
        """Return a column name by which the symbol is known again inside a Polars plan or expression."""
        self._marked.append(symbol)
        return f"glacier_symbol_{len(self._marked) - 1}_"

    def step_of(self, value: Any) -> Step | None:
        """Return the step of a symbol."""
        return value._step() if issubclass(type(value), Symbol) else None

    def steps_within(self, value: Any) -> Iterator[Step]:
        """Yield the step of every symbol inside a Polars plan or expression."""
        for mark in _MARK.finditer(_polars_text(value)):
            yield self._marked[int(mark[1])]._step()


def _verb_type(name: str) -> Any:
    import polars as pl

    return {"scan": pl.LazyFrame, "read": pl.DataFrame, "exists": bool}.get(name)


def _polars_text(value: Any) -> str:
    if not type(value).__module__.startswith("polars"):
        return ""
    try:
        match type(value).__name__:
            case "LazyFrame":
                return value.explain(optimized=False)
            case "DataFrame":
                return " ".join(value.columns)
            case "Expr":
                return " ".join(value.meta.root_names())
            case _:
                return ""
    except Exception:  # a plan over stand-ins need not be a valid one
        return ""


def _merge(pipeline: RecordedPipeline, env: Any, paths: Sequence[Tracer], *, unfinished: bool) -> Trace:
    whole = [path for path in paths if path.error is None]
    notes = {note: None for path in paths for note in path.approximations}
    notes.update((note, None) for path in paths for note in _endings(path))
    if not whole and not notes:
        error = paths[0].error
        assert error is not None
        raise error
    notes.update((note, None) for note in _handlers(pipeline.fn))
    if unfinished:
        notes[Approximation(f"only the first {MAX_PATHS} ways through the body were followed", None)] = None
    merger = _Merger(pipeline.name, env, paths, whole or paths)
    graph = merger.graph()
    notes.update((note, None) for note in merger.notes)
    steps = {step.key: step for path in reversed([*whole, *paths]) for step in path.steps}
    ordered = tuple(steps[key] for key in graph.order if key in steps)
    return Trace(graph, tuple(notes), len(paths), ordered, _objects(paths), _tasks(paths))


def _objects(paths: Sequence[Tracer]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path in paths:
        for key, objects in path.objects.items():
            found.setdefault(key, []).extend(objects)
    return found


def _tasks(paths: Sequence[Tracer]) -> dict[str, RecordedTask]:
    return {step.key: step.task for path in paths for step in path.steps if step.task is not None}


def _handlers(fn: Callable[..., Any]) -> Iterator[Approximation]:
    """Yield the `except` parts of a body: no task raises in a trace, so they are not followed."""
    import ast
    import inspect
    import textwrap

    try:
        lines, first = inspect.getsourcelines(fn)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            site = Site(fn.__code__.co_filename, first + node.lineno - 1)
            yield Approximation("what an `except` does is not followed", site)


def _endings(path: Tracer) -> Iterator[Approximation]:
    """Yield where a way ended because a stand-in did not serve; a `raise` of the user's own is no approximation."""
    if path.error is None:
        return
    known = isinstance(path.error, TypeError | AttributeError | ValueError | LookupError)
    if known and path.steps and not _raised_by_user(path.error):
        site = _innermost_user_site(path.error)
        yield Approximation(f"the body could not be followed further: {path.error}", site)


def _raised_by_user(error: Exception) -> bool:
    import dis

    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    code = traceback.tb_frame.f_code
    return dis.opname[code.co_code[traceback.tb_lasti]] == "RAISE_VARARGS" and not sites.is_foreign(code.co_filename)


def _innermost_user_site(error: Exception) -> Site | None:
    site: Site | None = None
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not sites.is_foreign(code.co_filename):
            site = Site(code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return site


class _Merger:
    """Lays the ways through a body over each other."""

    def __init__(self, name: str, env: Any, paths: Sequence[Tracer], whole: Sequence[Tracer]) -> None:
        self.name = name
        self.env = env
        self.paths = paths
        self.whole = whole
        self.notes: list[Approximation] = []

    def graph(self) -> Graph:
        resources = {key: resource.node() for path in self.paths for key, resource in path.resources.items()}
        steps = self._steps()
        nodes = {**resources, **{key: self._node(found) for key, found in steps.items()}}
        order, edges = list(nodes), [*self._edges(steps), *self._control(steps)]
        back = _back(order, edges)
        if back:
            edges = self._without_circles(edges, back)
            order = _sorted(order, edges)
        return Graph(self.name, tuple(nodes[key] for key in order), tuple(edges))

    def _without_circles(self, edges: list[Edge], back: set[Edge]) -> list[Edge]:
        """Return the edges without those that close a circle and go back in the order of the way that has them first.

        The same call may be the first of a loop's on one way and the second on another, so that ways may disagree about
        the order of two steps.
        """
        forward = edges
        while circle := _circle(forward):
            closing = {edge for edge in back if (edge.source, edge.target) in circle}
            forward = [edge for edge in forward if edge not in closing]
        if len(forward) < len(edges):
            self.notes.append(Approximation("ways through the body disagree about the order of steps", None))
        return forward

    def _steps(self) -> dict[str, list[Step]]:
        steps: dict[str, list[Step]] = {}
        for path in self.paths:
            for key, step in path.by_key.items():
                steps.setdefault(key, []).append(step)
        return steps

    def _node(self, found: list[Step]) -> Node:
        node = found[0].node(self.env, self._condition(found[0].key, found))
        return replace(node, approximate=True) if any(step.approximate for step in found) else node

    def _condition(self, key: str, found: Sequence[Step]) -> str | None:
        if len(self.paths) == 1 or all(key in path.by_key for path in self.whole):
            return None
        return " and ".join(str(decision) for decision in self._governing(found)) or "on some ways"

    def _edges(self, steps: Mapping[str, list[Step]]) -> Iterator[Edge]:
        if len(self.paths) == 1:
            for (step,) in steps.values():
                yield from step.edges()
            return
        for found in steps.values():
            having: dict[Edge, list[Step]] = {}
            for step in found:
                for edge in dict.fromkeys(step.edges()):
                    having.setdefault(edge, []).append(step)
            implied = set(self._governing(found))
            for edge, those in having.items():
                always = len(those) == len(found)
                yield edge if always else replace(edge, condition=_common(those, implied) or "on some ways")

    def _control(self, steps: Mapping[str, list[Step]]) -> Iterator[Edge]:
        """Yield an edge from what was asked to each step that its answer lets run, where the way there begins."""
        for key, found in steps.items():
            if self._condition(key, found) is None:
                continue
            governing = self._governing(found)
            above = {decision for step in found for need in step.inputs for decision in self._of(steps, need.source)}
            for decision in governing:
                if decision not in above and decision.source != key:
                    yield Edge(decision.source, key, "", "control", str(decision))

    def _of(self, steps: Mapping[str, list[Step]], key: str) -> set[Decision]:
        found = steps.get(key, [])
        return set(self._governing(found)) if found and self._condition(key, found) else set()

    def _governing(self, found: Sequence[Step]) -> list[Decision]:
        common = set(found[0].decisions).intersection(*(step.decisions for step in found[1:]))
        needed = [decision for decision in found[0].decisions if decision in common]
        return [decision for decision in needed if not self._idle(decision, found[0].key)]

    def _idle(self, decision: Decision, key: str) -> bool:
        """Whether the step also runs on a way that answered the other way round."""
        other = Decision(decision.source, decision.text, not decision.outcome)
        return any(key in path.by_key and other in path.taken for path in self.paths)


def _back(order: Sequence[str], edges: Iterable[Edge]) -> set[Edge]:
    """Return the edges that do not lead from an earlier key to a later one."""
    index = {key: place for place, key in enumerate(order)}
    return {edge for edge in edges if index[edge.source] >= index[edge.target]}


def _sorted(order: Sequence[str], edges: Iterable[Edge]) -> list[str]:
    """Return keys, each after everything it needs; those that are free stay in their order."""
    index = {key: place for place, key in enumerate(order)}
    pairs = {(index[edge.source], index[edge.target]) for edge in edges}
    waiting = Counter(target for _, target in pairs)
    readers: dict[int, list[int]] = {}
    for source, target in pairs:
        readers.setdefault(source, []).append(target)
    ready = [place for place in range(len(order)) if not waiting[place]]
    found: list[str] = []
    while ready:
        place = heappop(ready)
        found.append(order[place])
        waiting.subtract(readers.get(place, ()))
        for reader in readers.get(place, ()):
            if not waiting[reader]:
                heappush(ready, reader)
    return found


def _circle(edges: Iterable[Edge]) -> set[tuple[str, str]]:
    """Return a circle as pairs of source and target, none where there is no circle."""
    needs: dict[str, list[str]] = {}
    for edge in edges:
        needs.setdefault(edge.target, []).append(edge.source)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return set(pairwise(error.args[1]))
    return set()


def _common(steps: Sequence[Step], implied: set[Decision]) -> str:
    """Say what was decided on every way to these steps, but for what goes without saying."""
    shared = set(steps[0].decisions).intersection(*(step.decisions for step in steps[1:])) - implied
    return " and ".join(str(decision) for decision in steps[0].decisions if decision in shared)
