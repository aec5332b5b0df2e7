"""The parts of a task's code at a glance: cheap enough to be asked after every cell of a notebook.

They are the parts that `fingerprint` makes of a function, with what costs time or reaches beyond this process left out:
files, buckets, environments, modules that are not imported yet. A value that is large, or that only its own class can
tell, counts by its type and size. What cannot be told at all has no part.

Each function and value is looked at once, and refers to others by name only. Several of one name are one part.
"""

# pyright: reportPrivateUsage=false
# This is another way through the same walk.

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from glacier.cache.fingerprint import _CONTAINERS, _absolute, _digest, _is_wrapper, _of_class, _Walk
from glacier.cache.modules import is_own
from glacier.errors import Unfingerprintable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from glacier.cache.code import CodeFacts, Import

__all__ = ["Glance"]

_MOST = 1000
"""Items of a collection that are looked at."""
_LONGEST = 100_000
"""Characters of a text, and values of a frame, that are."""
_PLAIN_MODULES = frozenset({"collections", "datetime", "decimal", "fractions", "functools", "re", "types", "uuid"})
"""Modules of the standard library whose objects are cheap to tell from each other by their state."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A function, class or value: its digest, "" where it cannot be told, and what it refers to by which name."""

    of: Any
    digest: str
    refers: tuple[tuple[str, Any], ...]


class Glance:
    """Looks at functions, and at what they reach: make a new one when something may have changed."""

    def __init__(self) -> None:
        self._known: dict[int, _Seen] = {}

    def parts(self, fn: Callable[..., Any]) -> Mapping[str, str]:
        """Return the parts of a function, each with a digest: `code`, `helper NAME`, `global NAME` and so on."""
        found: dict[str, list[str]] = {}
        todo: list[tuple[str, Any]] = [("code", fn)]
        met: set[tuple[str, int]] = set()
        while todo:
            name, each = todo.pop()
            if (name, id(each)) not in met:
                met.add((name, id(each)))
                seen = self._seen(each)
                found.setdefault(name, []).append(seen.digest)
                todo += seen.refers
        return {name: "".join(sorted(digests)) for name, digests in found.items() if all(digests)}

    def _seen(self, value: Any) -> _Seen:
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = _Glimpse().seen(value)
        return known


class _Glimpse(_Walk):
    """The walk, no further than one function, class or value."""

    def __init__(self) -> None:
        super().__init__()
        self._files_count = False
        self._refers: list[tuple[str, Any]] = []

    def seen(self, found: Any) -> _Seen:
        """Look at one thing."""
        taken = None
        if isinstance(found, FunctionType | type):
            taken, self._at = self._reached, f"helper {found.__qualname__}"
        try:
            digest = self._guarded(found, taken).hex()
        except (Unfingerprintable, RuntimeError):  # the latter where a thread of the user's changes what is read
            digest = ""
        return _Seen(found, digest, tuple(self._refers))

    def value(self, value: Any) -> bytes:
        """Return what tells a value from others."""
        return super().value(value) if type(value) in _FIXED or not _is_large(value) else _size_of(value)

    def _other(self, value: Any) -> bytes:
        return super()._other(value) if _is_plain(value) else _size_of(value)

    def _named(self, kind: str, name: str, owner: str, value: Any) -> bytes:
        return self._refer(f"{kind} {name}", value)

    def _label(self, found: Any, label: str | None = None) -> bytes:
        return self._refer(f"helper {found.__qualname__}", found)

    def _refer(self, name: str, value: Any) -> bytes:
        self._refers.append((name, value))
        return name.encode()

    def _import(self, found: Import, fn: FunctionType, said: CodeFacts) -> Iterator[bytes]:
        if _absolute(found, fn) in sys.modules:
            yield from super()._import(found, fn, said)

    def _file_in_code(self, text: str, folder: str | None = None) -> None:
        return


_FIXED = frozenset({type(None), bool, int, float, complex})


def _is_large(value: Any) -> bool:
    if _is_frame(value):
        return value.height * value.width > _LONGEST
    return isinstance(value, _SIZED) and len(value) > (_MOST if isinstance(value, _COLLECTIONS) else _LONGEST)


_COLLECTIONS = tuple(_CONTAINERS)
_SIZED = (*_COLLECTIONS, str, bytes, bytearray)
_is_frame = _of_class("polars", "DataFrame")
_is_expression = _of_class("polars", "Expr")
_is_task = _of_class("glacier.tasks", "Task")


def _is_plain(value: Any) -> bool:
    """Whether a value is code, or tells what it is without work of its own class."""
    if isinstance(value, _COLLECTIONS) or _is_frame(value) or _is_expression(value) or _is_task(value):
        return True
    code = isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType | ModuleType) or _is_wrapper(value)
    return code or isinstance(value, Enum | PurePath) or _has_plain_state(cast("type[Any]", type(value)))


def _has_plain_state(kind: type[Any]) -> bool:
    if kind.__module__.partition(".")[0] in _PLAIN_MODULES:
        return True
    changed = any(getattr(kind, name, None) is not getattr(object, name, None) for name in _STATE)
    return is_own(kind.__module__) and not changed


_STATE = ("__reduce_ex__", "__reduce__", "__getstate__")


def _size_of(value: Any) -> bytes:
    kind = cast("type[Any]", type(value))
    size = value.shape if _is_frame(value) else len(value) if isinstance(value, _SIZED) else None
    return _digest(b"size", kind.__module__.encode(), kind.__qualname__.encode(), str(size).encode())
