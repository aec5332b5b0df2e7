"""What a task's source says it does with its resources, read from the syntax tree and never by running it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["DEEDS", "UNKNOWN", "WRITES", "Access", "Deed", "SourceUsage", "source_usage"]

Access = Literal["read", "write", "both"]
Deed = Literal["look", "read", "write", "delete", "call", "log"]
"""What is done with a resource: whether and what is there, contents, a function's call, its log."""

DEEDS: Mapping[str, Deed] = {
    **dict.fromkeys(("exists", "stat", "list"), "look"),
    **dict.fromkeys(("scan", "read", "preview", "schema", "url"), "read"),
    **dict.fromkeys(("write", "sink"), "write"),
    "delete": "delete",
    **dict.fromkeys(("invoke", "invoke_async"), "call"),
    "logs": "log",
}
"""What each verb of a resource does."""

WRITES = frozenset(verb for verb, deed in DEEDS.items() if deed in {"write", "delete", "call"})
"""The verbs of resources that change something."""

UNKNOWN: frozenset[Deed] = frozenset({"look", "read", "write", "call", "log"})
"""What a use that cannot be followed may do: anything but to delete."""


@dataclass(frozen=True)
class SourceUsage:
    """How a function uses its parameters and the registry of its environment.

    `parameters` and `registry` map a parameter, or a name given to `env.get("...")`, to its access, `deeds` maps both
    to what is done with them: nothing with a parameter that the source does not mention, `UNKNOWN` with one that is
    missing here. `approximate` says that the source could not be read or passes a resource on, so that more may happen
    than stands here.
    """

    parameters: Mapping[str, Access] = field(default_factory=dict[str, Access])
    registry: Mapping[str, Access] = field(default_factory=dict[str, Access])
    approximate: bool = False
    deeds: Mapping[str, frozenset[Deed]] = field(default_factory=dict[str, Any])
    writes: frozenset[str] = frozenset()
    """The names that are written, deleted or invoked for certain."""
    asked: frozenset[str] = frozenset()
    """Names from outside whose `get`, `bucket` or `serverless` gives a resource that the source does not name."""


def source_usage(fn: Callable[..., Any], outside: Iterable[str] = ()) -> SourceUsage:
    """Read the accesses of `fn` from its source; `outside` are names that it takes for resources like parameters.

    A call of `scan`, `read`, `preview` and the like is a read, `write`, `sink`, `delete` and `invoke` a write.
    `get_uri()` counts as what it is handed to: `write_*` and `sink_*` write, `scan_*` and `read_*` read. A resource
    that is only passed on may be used either way, and makes the answer approximate.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError):
        return SourceUsage(approximate=True)
    function = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)), None)
    return SourceUsage(approximate=True) if function is None else _Reader(function, outside).usage()


class _Reader:
    """Follows the names of one function that stand for resources."""

    def __init__(self, function: ast.FunctionDef | ast.Lambda, outside: Iterable[str]) -> None:
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names = [*outside, *(each.arg for each in every)]
        self.names: dict[str, tuple[str, str]] = {name: ("parameter", name) for name in names}
        self.nodes = [node for statement in _body(function) for node in ast.walk(statement)]
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.locals = {each.arg for each in every if not _is_environment(each)} | _assigned(self.nodes)
        self.found: dict[tuple[str, str], set[Access]] = {}
        self.passed_on = False
        self.deeds: dict[str, set[Deed]] = {each.arg: set() for each in every}

    def usage(self) -> SourceUsage:
        self._follow_assignments()
        for node in self.nodes:
            resource = self._resource(node)
            if resource is not None:
                self._note(resource, node)
        return SourceUsage(
            parameters=self._of("parameter"),
            registry=self._of("registry"),
            approximate=self.passed_on,
            deeds={name: frozenset(deeds) for name, deeds in self.deeds.items()},
            writes=frozenset(name for (_, name), accesses in self.found.items() if "write" in accesses),
            asked=frozenset(name for node in self.nodes for name in self._asked(node)),
        )

    def _asked(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Call(func=ast.Attribute(attr="get" | "bucket" | "serverless", value=owner)):
                while isinstance(owner, ast.Attribute):
                    owner = owner.value
                if isinstance(owner, ast.Name) and owner.id not in self.locals and self._resource(node) is None:
                    yield owner.id
            case _:
                return

    def _follow_assignments(self) -> None:
        for node in self.nodes:
            name = _assigned_name(node)
            if name is not None and isinstance(node, ast.Assign):
                resource = self._resource(node.value)
                if resource is not None:
                    self.names[name] = resource

    def _resource(self, node: ast.AST) -> tuple[str, str] | None:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                return self.names.get(name)
            case ast.Call(
                func=ast.Attribute(attr="get", value=ast.Name(id=owner)), args=[ast.Constant(value=str(name))]
            ) if owner not in self.locals:
                return ("registry", name)
            case _:
                return None

    def _note(self, resource: tuple[str, str], node: ast.AST) -> None:
        parent = self.parents.get(node)
        access = self._by_method(parent) if isinstance(parent, ast.Attribute) else None
        if isinstance(parent, ast.Call | ast.keyword):
            self.passed_on = self.passed_on or resource[0] == "registry"
        accesses = self.found.setdefault(resource, set())
        if access is not None:
            accesses.add(access)
        if parent is None or _assigned_name(parent) is None:
            self.deeds.setdefault(resource[1], set()).update(_deeds(parent, access))

    def _by_method(self, attribute: ast.Attribute) -> Access | None:
        if attribute.attr in DEEDS:
            return "write" if attribute.attr in WRITES else "read"
        return self._by_consumer(attribute) if attribute.attr in {"get_uri", "storage_options"} else None

    def _by_consumer(self, attribute: ast.Attribute) -> Access:
        for node in self._outwards(attribute):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func is not attribute:
                verb = node.func.attr
                if verb.startswith(("write_", "sink_")):
                    return "write"
                if verb.startswith(("scan_", "read_")):
                    return "read"
        return "both"

    def _outwards(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def _of(self, kind: str) -> dict[str, Access]:
        return {name: _one(accesses) for (of, name), accesses in self.found.items() if of == kind}


def _deeds(parent: ast.AST | None, access: Access | None) -> frozenset[Deed]:
    """Return what a use does: by its verb, else, of an address, by what that is handed to."""
    if isinstance(parent, ast.Attribute) and parent.attr in DEEDS:
        return frozenset({DEEDS[parent.attr]})
    return _BY_ADDRESS[access] if access is not None else UNKNOWN


_BY_ADDRESS: Mapping[Access, frozenset[Deed]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"write"}),
    "both": frozenset({"read", "write"}),
}


def _assigned_name(node: ast.AST) -> str | None:
    """Return the name of a plain assignment `name = ...`, which is followed."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _body(function: ast.FunctionDef | ast.Lambda) -> list[ast.AST]:
    return [function.body] if isinstance(function, ast.Lambda) else list(function.body)


def _is_environment(argument: ast.arg) -> bool:
    return argument.annotation is not None and "GlacierEnv" in ast.unparse(argument.annotation)


def _assigned(nodes: list[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _one(accesses: set[Access]) -> Access:
    return next(iter(accesses)) if len(accesses) == 1 else "both"
