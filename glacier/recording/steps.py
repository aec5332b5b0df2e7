"""Steps: what a recorded body is made of, and the little that a recorder must know of a task."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from glacier.graph import Access, Edge, Node, Site
from glacier.usage import WRITES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import CodeType

    from glacier.injection import Signature
    from glacier.usage import SourceUsage

__all__ = [
    "ATOMS",
    "NOTHING",
    "Decision",
    "Input",
    "Label",
    "RecordedPipeline",
    "RecordedTask",
    "Resource",
    "Spot",
    "Step",
    "nested",
    "operands",
    "replaced",
]


ATOMS: frozenset[Any] = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Types whose values hold nothing that a recorder looks for."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No keywords."""
_COLLECTIONS: frozenset[Any] = frozenset({list, tuple, set})
_NESTING: frozenset[Any] = _COLLECTIONS | {dict}


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
    def signature(self) -> Signature:
        """The parameters and what can fill them."""
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


class Spot:
    """A place of the source at which a body makes steps: the calls that a loop makes there share it.

    `guarded` says whether a `try` or `with` around it meets what a call raises.
    """

    __slots__ = ("codes", "count", "guarded", "name", "place", "site")

    def __init__(self, name: str, place: str, site: Site | None, codes: Sequence[CodeType] = ()) -> None:
        self.name = name
        self.place = place
        self.site = site
        self.codes = codes
        self.count = 0
        self.guarded = False


Label: TypeAlias = "str | tuple[str, Access]"
"""As which parameter a step needs something, and with which access to a resource where that is known already."""


class Step:
    """One task call or one operation of the body, before and after it ran.

    `serial` counts the steps of a body, so that a step comes after everything it needs; `needs` says what that is, and
    `labels` as what. They are two flat tuples because a step is made of as few objects as can be: the garbage collector
    looks at each of them again and again.
    `args` and `kwargs` are those of a task call, with handles in the place of values.
    """

    task: RecordedTask | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = NOTHING
    needs: tuple[Step | Resource, ...] = ()
    labels: tuple[Label, ...] = ()
    decisions: tuple[Decision, ...] = ()
    approximate = False
    _text: str | None = None
    _key: str | None = None

    def __init__(self, spot: Spot, number: int, serial: int, group: tuple[str, ...]) -> None:
        self.spot = spot
        self.number = number
        self.serial = serial
        self.group = group

    @property
    def key(self) -> str:
        """The identity of the step in every run: name, place in the source, and the count from the second time on."""
        known = self._key
        if known is None:
            place = self.spot.place
            known = self._key = place if self.number == 1 else f"{place}#{self.number}"
        return known

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.spot.name

    @property
    def site(self) -> Site | None:
        """The line of the user's code, None where it is not the user's."""
        return self.spot.site

    @property
    def text(self) -> str:
        """How a condition names its value, such as `load_config()['limit']`."""
        return f"{self.name}()" if self._text is None else self._text

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What a task call was given, by parameter."""
        return {} if self.task is None else self.task.signature.arguments(self.args, self.kwargs)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the step needs, without doubles, in the order of the parameters."""
        return tuple([Input(*each) for each in self._inputs()])

    def _inputs(self) -> Iterable[tuple[str, str, Access]]:
        found = [self._input(source, label) for source, label in zip(self.needs, self.labels, strict=True)]
        return dict.fromkeys(found)

    def _input(self, source: Step | Resource, label: Label) -> tuple[str, str, Access]:
        if not isinstance(label, str):
            return source.key, *label
        return source.key, label, self._access(source, label)

    def _access(self, source: Step | Resource, name: str) -> Access:
        if isinstance(source, Step):
            return "data"
        if self.task is None:
            return "write" if name == "self" and self.name in WRITES else "read"
        return self.task.usage.parameters.get(name, "both")

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
        key = self.key
        for source, name, access in self._inputs():
            yield Edge(source, key, name, access)


def nested(value: Any) -> Iterator[Any]:
    """Yield `value` and, where it is a plain list, tuple, set or dict, everything inside it."""
    if _type(value) not in _COLLECTIONS and _type(value) is not dict:
        yield value
        return
    if _is_flat(value):
        yield value
        yield from reversed(list(value.values() if _type(value) is dict else value))
        return
    todo: list[Any] = [value]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        yield here
        inside = _inside(here)
        if inside is not None and id(here) not in seen:
            seen.add(id(here))
            todo.extend(inside)


def _type(value: Any) -> Any:
    return cast("Any", type(value))


def _is_flat(value: Any) -> bool:
    """Whether a collection has no other one inside."""
    return _NESTING.isdisjoint(map(type, _inside(value) or ()))


def _inside(value: Any) -> Iterable[Any] | None:
    kind = _type(value)
    if kind in _COLLECTIONS:
        return value
    return value.values() if kind is dict else None


def operands(owner: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what an operation of the body works on, by the names that its edges carry."""
    return {"self": owner, **{str(index): value for index, value in enumerate(args)}, **(kwargs or {})}


def replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """Return `value` with `replace` applied to it and to everything in its plain lists, tuples, sets and dicts.

    A collection in which nothing is replaced stays the object that it is, however deep it is nested.
    """
    if _inside(value) is None:
        return replace(value)
    if _is_flat(value):
        return _replaced_flat(value, replace)
    done: dict[int, Any] = {}
    todo: list[tuple[Any, bool]] = [(value, False)]
    entered: set[int] = set()
    while todo:
        here, ready = todo.pop()
        if ready:
            done[id(here)] = _rebuilt(here, done)
        elif _inside(here) is None:
            done[id(here)] = replace(here)
        elif id(here) not in entered:
            entered.add(id(here))
            todo.append((here, True))
            todo.extend((each, False) for each in _inside(here) or ())
    return done[id(value)]


def _replaced_flat(value: Any, replace: Callable[[Any], Any]) -> Any:
    if _type(value) is dict:
        new: Any = {key: replace(each) for key, each in value.items()}
        return value if all(new[key] is each for key, each in value.items()) else new
    parts = [replace(each) for each in value]
    return value if all(map(operator.is_, parts, value)) else _type(value)(parts)


def _rebuilt(value: Any, done: Mapping[int, Any]) -> Any:
    """Return a collection of what became of its parts; a part that holds the collection itself is left as it is."""
    kind = _type(value)
    if kind is dict:
        new: Any = {key: done.get(id(each), each) for key, each in value.items()}
        return value if all(new[key] is each for key, each in value.items()) else new
    parts = [done.get(id(each), each) for each in value]
    return value if all(new is old for new, old in zip(parts, value, strict=True)) else kind(parts)
