"""Steps: what a recorded body is made of, and the little that a recorder must know of a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from glacier.graph import Access, Edge, Node, Site

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from glacier.usage import SourceUsage

__all__ = [
    "Decision",
    "Input",
    "RecordedPipeline",
    "RecordedTask",
    "Resource",
    "Step",
    "inputs_of",
    "nested",
    "operands",
    "replaced",
]


_COLLECTIONS: frozenset[Any] = frozenset({list, tuple, set})


class RecordedTask(Protocol):
    """What a recorder needs of a task."""

    @property
    def name(self) -> str:
        """The name in the graph."""
        ...

    @property
    def env(self) -> Any:
        """The environment that the task is bound to."""
        ...

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function."""
        ...

    @property
    def returns(self) -> Any:
        """The resolved return annotation, None when there is none."""
        ...

    @property
    def usage(self) -> SourceUsage:
        """What the source of the task does with resources."""
        ...

    def settings(self, env: Any) -> Mapping[str, Any]:
        """Return the effective settings in that environment."""
        ...


class RecordedPipeline(Protocol):
    """What a recorder needs of a pipeline."""

    @property
    def name(self) -> str:
        """The name of the group in the graph."""
        ...

    @property
    def env(self) -> Any:
        """The environment that the pipeline is bound to."""
        ...

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function."""
        ...


@dataclass(frozen=True, slots=True)
class Input:
    """A step needs the value of another step, as the parameter `name`; `access` as in `Edge`."""

    source: str
    name: str
    access: Access = "data"


@dataclass(frozen=True, slots=True)
class Decision:
    """The truth of a step's value decided which way the body went."""

    source: str
    text: str
    outcome: bool

    def __str__(self) -> str:
        return self.text if self.outcome else f"not {self.text}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as a node of the graph."""

    key: str
    name: str
    kind: str
    value: Any = field(compare=False, repr=False)

    def node(self) -> Node:
        """Return the resource as a node of a graph."""
        return Node(self.key, self.name, "resource", {"kind": self.kind})


@dataclass(slots=True, eq=False)
class Step:
    """One task call or one operation of the body, before and after it ran.

    `text` is how a condition would name its value, such as `load_config()['limit']`.
    """

    key: str
    name: str
    text: str
    inputs: tuple[Input, ...]
    group: tuple[str, ...]
    site: Site | None
    task: RecordedTask | None = None
    bound: inspect.BoundArguments | None = None
    decisions: tuple[Decision, ...] = ()
    approximate: bool = False

    def node(self, env: Any, condition: str | None = None) -> Node:
        """Return the step as a node of a graph."""
        return Node(
            key=self.key,
            name=self.name,
            kind="inline" if self.task is None else "task",
            config={} if self.task is None else self.task.settings(env),
            group=self.group,
            condition=condition,
            approximate=self.approximate,
            site=self.site,
            doc="" if self.task is None else (self.task.fn.__doc__ or "").strip(),
        )

    def edges(self) -> Iterator[Edge]:
        """Yield what the step needs, as edges of a graph."""
        for need in self.inputs:
            yield Edge(need.source, self.key, need.name, need.access)


def nested(value: Any) -> Iterator[Any]:
    """Yield `value` and, where it is a plain list, tuple, set or dict, everything inside it."""
    todo: list[Any] = [value]
    while todo:
        here = todo.pop()
        yield here
        todo.extend(_inside(here))


def _type(value: Any) -> Any:
    return cast("Any", type(value))


def _inside(value: Any) -> Iterable[Any]:
    kind = _type(value)
    if kind in _COLLECTIONS:
        return value
    return value.values() if kind is dict else ()


def inputs_of(
    arguments: Mapping[str, Any], sources: Callable[[Any], Iterator[tuple[str, Access]]]
) -> tuple[Input, ...]:
    """Return what `sources` finds in each argument, without doubles, in the order of the parameters."""
    found: dict[Input, None] = {}
    for name, value in arguments.items():
        for inner in nested(value):
            for source, access in sources(inner):
                found[Input(source, name, access)] = None
    return tuple(found)


def operands(owner: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what an operation of the body works on, by the names that its edges carry."""
    return {"self": owner, **{str(index): value for index, value in enumerate(args)}, **(kwargs or {})}


def replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """Return `value` with `replace` applied to it and to everything in its plain lists, tuples, sets and dicts."""
    kind = _type(value)
    if kind in _COLLECTIONS:
        return kind(replaced(each, replace) for each in value)
    if kind is dict:
        return {key: replaced(each, replace) for key, each in value.items()}
    return replace(value)
