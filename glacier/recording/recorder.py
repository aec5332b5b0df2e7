"""What live runs and traces share: steps with stable keys, resources as nodes, nested pipelines as groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import PipelineError
from glacier.graph import Graph
from glacier.recording import sites
from glacier.recording.steps import ATOMS, Resource, Spot, Step, nested
from glacier.redaction import learn
from glacier.resources import Bucket, Serverless

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from types import FrameType

    from glacier.recording.steps import Decision, Label, RecordedPipeline, RecordedTask

__all__ = ["Recorder", "nest"]


class Recorder(ABC):
    """Collects the steps of one pipeline body, in the order in which the body makes them."""

    tracing = False
    """Whether the body is only followed, so that nothing may be touched."""

    def __init__(self, pipeline: RecordedPipeline, env: Any) -> None:
        self.name = pipeline.name
        self.env = env
        self.body = pipeline.fn.__code__
        self.steps: list[Step] = []
        self.resources: dict[str, Resource] = {}
        self.objects: dict[str, list[Any]] = {}
        self.group: tuple[str, ...] = ()
        self.decisions: tuple[Decision, ...] = ()
        """The decisions taken so far on this way through the body."""
        self._by_identity: dict[int, tuple[Any, Resource]] = {}
        self._stack: list[RecordedPipeline] = [pipeline]
        self._spots: dict[tuple[Any, ...], Spot] = {}
        self._places: dict[str, Spot] = {}
        self._known: set[RecordedTask] = set()
        self._complete = 0
        self._last = Step(Spot("", "", None), 1, 0, ())

    @abstractmethod
    def call(self, task: RecordedTask, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record a task call; return what the body gets in place of its value."""

    @abstractmethod
    def verb(self, resource: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record an operation of a resource that the body itself calls."""

    @abstractmethod
    def step_of(self, value: Any) -> Step | None:
        """Return the step whose value `value` stands for, None where it is no handle."""

    def steps_within(self, value: Any) -> Iterator[Step]:
        """Yield the steps whose values stand in something that is no handle itself, such as a plan."""
        return iter(())

    def resource(self, resource: Any, name: str | None = None) -> None:
        """Make a resource a node of the graph; a Bucket or Serverless names itself, others need `name`."""
        if id(resource) in self._by_identity:
            return
        described = _describe(resource, name)
        if described is not None:
            known = self.resources.setdefault(described.key, described)
            self.objects.setdefault(described.key, []).append(resource)
            # The resource itself is kept too: another object may get the identity of one that is gone.
            self._by_identity[id(resource)] = resource, known

    def task_step(self, task: RecordedTask, args: tuple[Any, ...], kwargs: Mapping[str, Any], frame: FrameType) -> Step:
        """Record a task call as a step, whose missing parameters are filled.

        Raises:
            MissingDependencyError: a parameter is neither given nor known to the environment.
            PipelineError: the task belongs to another environment than the pipeline.
        """
        if task not in self._known:
            self._same_environment("task", task)
            self._known.add(task)
        signature = task.signature
        if kwargs or len(args) != signature.count:
            args, kwargs = signature.fill("task", task.name, self.env, args, kwargs)
        needs, labels = self._needs(signature.named(args, kwargs))
        step = self._step(task.name, frame)
        step.task = task
        if args:
            step.args = args
        if kwargs:
            step.kwargs = kwargs
        if needs:
            self._connect(step, needs, labels)
        return step

    def inline_step(self, name: str, text: str, operands: Mapping[str, Any]) -> Step:
        """Record an operation that the body itself does, with what it needs."""
        needs, labels = self._needs(operands.items())
        step = self._step(name, sites.caller())
        step._text = text  # pyright: ignore[reportPrivateUsage]
        if needs:
            self._connect(step, needs, labels)
        return step

    def graph(self) -> Graph:
        """Return what was recorded as a graph."""
        self.complete()
        nodes = [resource.node() for resource in self.resources.values()]
        nodes += [step.node(self.env) for step in self.steps]
        edges = [edge for step in self.steps for edge in step.edges()]
        return Graph(self.name, tuple(nodes), tuple(edges))

    def complete(self) -> None:
        """Add to the steps what their sources say they take from the registry: asked for only when it is looked at."""
        for step in self.steps[self._complete :]:
            if step.task is not None and step.task.usage.registry:
                found = list(self._registry_needs(step.task))
                step.needs = (*step.needs, *(resource for resource, _ in found))
                step.labels = (*step.labels, *(label for _, label in found))
        self._complete = len(self.steps)

    @contextmanager
    def nested_in(self, pipeline: RecordedPipeline) -> Generator[None]:
        """Group what is recorded within the block under `pipeline`.

        Raises:
            PipelineError: the pipeline is already being recorded, or belongs to another environment.
        """
        self._same_environment("pipeline", pipeline)
        if any(each.fn is pipeline.fn for each in self._stack):
            way = " -> ".join([*(each.name for each in self._stack), pipeline.name])
            raise PipelineError(
                f"pipeline {pipeline.name!r} is nested in itself in environment {self.env.name!r}: {way}",
                hint="break the circle: call its tasks instead",
            )
        self._stack.append(pipeline)
        outer, self.group = self.group, (*self.group, pipeline.name)
        try:
            yield
        finally:
            self._stack.pop()
            self.group = outer

    def _step(self, name: str, frame: FrameType) -> Step:
        way = self._short_way(name, frame)
        spot = self._spots.get(way)
        if spot is None:
            spot = self._spot(name, frame)
            if way:
                self._spots[way] = spot
        spot.count = number = spot.count + 1
        steps = self.steps
        step = self._make(spot, number, len(steps), self.group)
        steps.append(step)
        if self.decisions:
            step.decisions = self.decisions
        return step

    def _short_way(self, name: str, frame: FrameType) -> tuple[Any, ...]:
        """Tell a call in the body itself, or in what it calls or a comprehension of its, by its instructions alone.

        Any other is found by the whole way to it: see `_spot`.
        """
        body = self.body
        if frame.f_code is body:
            return name, frame.f_lasti
        above = frame.f_back
        if above is None or above.f_code is not body:
            return ()
        return name, id(frame.f_code), frame.f_lasti, above.f_lasti

    def _make(self, spot: Spot, number: int, serial: int, group: tuple[str, ...]) -> Step:
        return Step(spot, number, serial, group)

    def _spot(self, name: str, frame: FrameType) -> Spot:
        """Return where in the body a step called `name` is made now: the same for every turn of a loop."""
        frame = sites.outside(frame, self.body)
        known = self._spots.get((name, *sites.mark(frame, self.body)))
        return self._new_spot(name, frame) if known is None else known

    def _new_spot(self, name: str, frame: FrameType) -> Spot:
        codes, instructions = sites.way(frame, self.body)
        place = "@".join(part for part in (name, sites.place(codes, instructions)) if part)
        # Another instruction may stand at the same place, such as in a `finally` that the compiler writes twice. The
        # spot keeps the codes alive, whose identities are in its key.
        spot = self._places.setdefault(place, Spot(name, place, sites.line_of(frame), codes))
        at_body = frame.f_code is self.body
        key = (name, frame.f_lasti) if at_body else (name, *sites.mark(frame, self.body))
        self._spots[key] = spot
        if spot.codes is not codes:
            spot.codes = (*spot.codes, *codes)
        spot.guarded = spot.guarded or sites.is_guarded(codes, instructions)
        return spot

    def _needs(self, named: Iterable[tuple[str, Any]]) -> tuple[list[Step | Resource], list[Label]]:
        """Return the steps and resources that stand in arguments, and the parameter of each.

        Asked before the step that takes them is made: an attribute becomes a step only where it is used.
        """
        needs: list[Step | Resource] = []
        labels: list[Label] = []
        for name, value in named:
            if type(value) in ATOMS:
                continue
            source = self.step_of(value)
            if source is not None:
                needs.append(source)
                labels.append(name)
                continue
            for inner in nested(value):
                if type(inner) in ATOMS:
                    continue
                source = self.step_of(inner)
                found = self._sources(inner) if source is None else (source,)
                for each in found:
                    needs.append(each)
                    labels.append(name)
        return needs, labels

    def _connect(self, step: Step, needs: list[Step | Resource], labels: list[Label]) -> None:
        """Give a step what it needs, in the tuples of the step before where they are the same."""
        last, named = self._last, tuple(labels)
        step.labels = last.labels if last.labels == named else named
        same = len(needs) == len(last.needs) == 1 and needs[0] is last.needs[0]
        step.needs = last.needs if same else tuple(needs)
        if len(step.args) == len(last.args) == 1 and step.args[0] is last.args[0]:
            step.args = last.args
        self._last = step

    def _sources(self, value: Any) -> Iterator[Step | Resource]:
        """Yield what stands in a value that is no handle itself; nothing tells it from now on if it is a secret."""
        learn((value,))
        yield from self.steps_within(value)
        known = self._by_identity.get(id(value))
        if known is None and _is_resource(value):
            self.resource(value)
            known = self._by_identity[id(value)]
        if known is not None:
            yield known[1]

    def _registry_needs(self, task: RecordedTask) -> Iterator[tuple[Resource, Label]]:
        for name, access in task.usage.registry.items():
            resource = self.env.resources.get(name)
            if resource is not None:
                self.resource(resource, name)
                yield self._by_identity[id(resource)][1], (name, access)

    def _same_environment(self, what: str, thing: Any) -> None:
        env = context.stand_in(thing.env)
        if env is not self.env:
            raise PipelineError(
                f"{what} {thing.name!r} belongs to environment {getattr(env, 'name', None)!r}, "
                f"but pipeline {self.name!r} runs in environment {self.env.name!r}",
                hint=f"bind it first: {thing.name} = env.bind({thing.name})",
            )


@contextmanager
def nest(pipeline: RecordedPipeline) -> Generator[Recorder | None]:
    """Group the block under `pipeline` in the recorder at work; yield that recorder, None when there is none."""
    recorder = context.recorder.get()
    if not isinstance(recorder, Recorder):
        yield None
        return
    with recorder.nested_in(pipeline):
        yield recorder


def _is_resource(value: Any) -> bool:
    return issubclass(type(value), Bucket | Serverless)


def _describe(resource: Any, name: str | None) -> Resource | None:
    if issubclass(type(resource), Bucket):
        label = f"{resource.bucket_name}/{resource.path}"
        return Resource(f"bucket:{label}", label, "bucket", resource)
    if issubclass(type(resource), Serverless):
        return Resource(f"function:{resource.function_name}", resource.function_name, "function", resource)
    return None if name is None else Resource(f"resource:{name}", name, "resource", resource)
