"""Resources that a task uses and that neither its parameters nor the names in its source tell of."""

from __future__ import annotations

import dis
from contextlib import suppress
from types import CodeType
from typing import TYPE_CHECKING, Any, cast

from glacier.resources import Bucket, Serverless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from glacier.recording import RecordedTask

__all__ = ["taken", "unseen"]


def unseen(task: RecordedTask) -> Iterator[str]:
    """Say what a task takes from its module or from the functions around it: resources, and what it asks for some."""
    outside = _from_outside(task.fn)
    yield from sorted(map(repr, taken(task.fn).values()))
    asked = task.usage.asked & {*task.signature.parameters, *_givers(outside)}
    yield from (f"resources of {name} that its source does not name" for name in sorted(asked))


def taken(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return the resources that a function takes from its module or from the functions around it, by their names."""
    return {name: each for name, each in _from_outside(fn).items() if issubclass(type(each), Bucket | Serverless)}


def _from_outside(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return the values behind the names that a function takes from outside, as far as they are there."""
    found: dict[str, Any] = {name: fn.__globals__.get(name) for name in _globals_of(fn.__code__)}
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that has no value yet
            found[name] = cell.cell_contents
    return found


def _globals_of(code: CodeType) -> Iterator[str]:
    yield from (str(each.argval) for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL")
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_of(inner)


def _givers(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of environments and providers; the classes are asked, as a value may be lazy."""
    for name, value in values.items():
        kind = cast("type[Any]", type(value))
        if hasattr(kind, "list_resources") or callable(getattr(kind, "bucket", None)):
            yield name
