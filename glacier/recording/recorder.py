"""What live runs and traces share: steps with stable keys, resources as nodes, nested pipelines as groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import PipelineError
from glacier.graph import Graph
from glacier.recording import sites
from glacier.recording.steps import Input, Resource, Step, inputs_of

if TYPE_CHECKING:
    import inspect
    from collections.abc import Generator, Iterator, Mapping

    from glacier.graph import Access
    from glacier.recording.steps import Decision, RecordedPipeline, RecordedTask

__all__ = ["Recorder", "nest"]


class Recorder(ABC):
    """Collects the steps of one pipeline body, in the order in which the body makes them."""

    tracing = False
    """Whether the body is only followed, so that nothing may be touched."""

    def __init__(self, pipeline: RecordedPipeline, env: Any) -> None:
        self.name = pipeline.name
        self.env = env
        self.body = pipeline.fn.__code__
        self.steps: dict[str, Step] = {}
        self.resources: dict[str, Resource] = {}
        self.objects: dict[str, list[Any]] = {}
        self._by_identity: dict[int, Resource] = {}
        self._stack: list[RecordedPipeline] = [pipeline]
        self._counts: Counter[str] = Counter()

    @abstractmethod
    def call(self, task: RecordedTask, bound: inspect.BoundArguments) -> Any:
        """Record a task call; return what the body gets in place of its value."""

    @abstractmethod
    def verb(self, resource: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record an operation of a resource that the body itself calls."""

    @abstractmethod
    def source_of(self, value: Any) -> Iterator[str]:
        """Yield the keys of the steps whose values stand in `value`."""

    @property
    def group(self) -> tuple[str, ...]:
        """The names of the nested pipelines around the code that runs now."""
        return tuple(pipeline.name for pipeline in self._stack[1:])

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions taken so far on this way through the body."""
        return ()

    def resource(self, resource: Any, name: str | None = None) -> None:
        """Make a resource a node of the graph; a Bucket or Serverless names itself, others need `name`."""
        if id(resource) in self._by_identity:
            return
        described = _describe(resource, name)
        if described is not None:
            known = self.resources.setdefault(described.key, described)
            self.objects.setdefault(described.key, []).append(resource)
            self._by_identity[id(resource)] = known

    def task_step(self, task: RecordedTask, bound: inspect.BoundArguments) -> Step:
        """Record a task call as a step.

        Raises:
            PipelineError: the task belongs to another environment than the pipeline.
        """
        self._same_environment("task", task)
        step = self._step(task.name, f"{task.name}()", self._task_inputs(task, bound))
        step.task = task
        step.bound = bound
        return step

    def inline_step(self, name: str, text: str, operands: Mapping[str, Any]) -> Step:
        """Record an operation that the body itself does, with what it needs."""
        return self._step(name, text, inputs_of(operands, self._sources))

    def graph(self) -> Graph:
        """Return what was recorded as a graph."""
        nodes = [resource.node() for resource in self.resources.values()]
        nodes += [step.node(self.env) for step in self.steps.values()]
        edges = [edge for step in self.steps.values() for edge in step.edges()]
        return Graph(self.name, tuple(nodes), tuple(edges))

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
        try:
            yield
        finally:
            self._stack.pop()

    def _step(self, name: str, text: str, inputs: tuple[Input, ...]) -> Step:
        frame = sites.caller()
        place = "@".join(part for part in (name, sites.place(frame, self.body)) if part)
        self._counts[place] += 1
        key = place if self._counts[place] == 1 else f"{place}#{self._counts[place]}"
        step = Step(key, name, text, inputs, self.group, sites.line_of(frame), decisions=self.decisions)
        self.steps[key] = step
        return step

    def _task_inputs(self, task: RecordedTask, bound: inspect.BoundArguments) -> tuple[Input, ...]:
        usage = task.usage

        def sources(parameter: str, value: Any) -> tuple[Input, ...]:
            access = usage.parameters.get(parameter, "both")
            return inputs_of({parameter: value}, lambda inner: self._sources(inner, access))

        found = [each for name, value in bound.arguments.items() for each in sources(name, value)]
        return (*found, *self._registry_inputs(usage.registry))

    def _registry_inputs(self, names: Mapping[str, Access]) -> Iterator[Input]:
        for name, access in names.items():
            resource = self.env.resources.get(name)
            if resource is not None:
                self.resource(resource, name)
                yield Input(self._by_identity[id(resource)].key, name, access)

    def _sources(self, value: Any, access: Access = "read") -> Iterator[tuple[str, Access]]:
        for key in self.source_of(value):
            yield key, "data"
        known = self._by_identity.get(id(value))
        if known is None and _is_resource(value):
            self.resource(value)
            known = self._by_identity[id(value)]
        if known is not None:
            yield known.key, access

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
    from glacier.resources import Bucket, Serverless

    return issubclass(type(value), Bucket | Serverless)


def _describe(resource: Any, name: str | None) -> Resource | None:
    from glacier.resources import Bucket, Serverless

    if issubclass(type(resource), Bucket):
        label = f"{resource.bucket_name}/{resource.path}"
        return Resource(f"bucket:{label}", label, "bucket", resource)
    if issubclass(type(resource), Serverless):
        return Resource(f"function:{resource.function_name}", resource.function_name, "function", resource)
    return None if name is None else Resource(f"resource:{name}", name, "resource", resource)
