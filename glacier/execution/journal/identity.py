"""What makes a step of one run the same as one of another: its place, its code and its plain arguments.

The place is the step's key. What a step gets from another one is told by that one's key, since a step is taken over
only together with all that it came from.
"""

# pyright: reportPrivateUsage=false
# A Deferred keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

import hashlib
from types import CellType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from glacier.cache.code import facts
from glacier.execution.journal import seal
from glacier.recording import sites
from glacier.recording.live import Deferred, is_handle, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType

    from glacier.cache.code import CodeFacts

__all__ = ["arguments_of", "body_of", "code_of"]

_MOST = 1000
_DEEPEST = 8
"""Items of a collection that are looked at, and how deep; a larger one counts by its length."""

_CALLABLE = (FunctionType, MethodType, staticmethod, classmethod)
_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})
_EXACT = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid"})
"""Modules whose values say all that they are in their repr."""


def code_of(fn: Callable[..., Any]) -> str:
    """Return a fingerprint of a function's code and of that of every function and class of the user's that it reaches.

    Values that it reads elsewhere do not count: they may well change while it runs. "" where it has no code.
    """
    digest = hashlib.blake2b(digest_size=12)
    met: set[int] = set()
    todo: list[Any] = [fn]
    while todo:
        here = _function(todo.pop())
        code = getattr(here, "__code__", None)
        if code is None or id(code) in met or (met and sites.is_foreign(code.co_filename)):
            continue
        met.add(id(code))
        said = facts(code)
        digest.update(said.digest)
        digest.update(repr([each for each in here.__defaults__ or () if type(each) in _SCALARS]).encode())
        todo += _reached(here, said)
    return digest.hexdigest() if met else ""


def _function(found: Any) -> Any:
    """Return the plain function of a method or a task."""
    found = getattr(found, "__func__", found)
    return found.__wrapped__ if type(found).__name__ in {"Task", "Pipeline"} else found


def _reached(fn: Any, said: CodeFacts) -> Iterator[Any]:
    """Yield the functions that a function may call: those of its globals, its closure, and modules and classes there.

    They come in the order of the code, so that the same code gives the same fingerprint.
    """
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False))
    for name in (*said.globals, *cells):
        value = _content(cells[name]) if name in cells else fn.__globals__.get(name)
        if isinstance(value, ModuleType):
            yield from (each for each in map(vars(value).get, sorted(said.names)) if isinstance(each, _CALLABLE))
        elif isinstance(value, type):
            yield from (each for _, each in sorted(vars(value).items()) if isinstance(each, _CALLABLE))
        elif isinstance(value, _CALLABLE) or type(value).__name__ in {"Task", "Pipeline"}:
            yield value


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def body_of(code: CodeType) -> str:
    """Return a fingerprint of a function's own code alone."""
    return facts(code).digest.hex()


def arguments_of(args: tuple[Any, ...], kwargs: Mapping[str, Any], body: str) -> str:
    """Say in a few characters what a step was called with, apart from what other steps gave it.

    `body` is the fingerprint of the pipeline's body: it stands for what the body did to a value by itself. What was
    passed plainly may be secret, so it is told by a checksum with a key.
    """
    if not kwargs and _are_of_tasks(args):
        return ""
    text = ";".join([_token(value, body) for value in args] + [f"{n}={_token(v, body)}" for n, v in kwargs.items()])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=seal.key(), digest_size=12).hexdigest()


def _are_of_tasks(values: tuple[Any, ...]) -> bool:
    for value in values:  # noqa: SIM110 - asked for every step, and a generator costs as much as the rest
        if type(value) is not Deferred or value._self_step.task is None:
            return False
    return True


def _token(value: Any, body: str, depth: int = 0) -> str:
    kind = cast("type[Any]", type(value))
    if is_handle(value):
        return _handle(value, body)
    if kind in _SCALARS or kind.__module__ in _EXACT:
        return repr(value)
    if kind in {list, tuple, set, frozenset, dict} and len(value) <= _MOST and depth < _DEEPEST:
        return f"{kind.__name__}({','.join(_inner(value, body, depth + 1))})"
    return f"<{kind.__qualname__} {_name(value)}>"


def _inner(value: Any, body: str, depth: int) -> list[str]:
    if isinstance(value, dict):
        pairs = cast("Mapping[Any, Any]", value).items()
        return [f"{_token(key, body, depth)}:{_token(each, body, depth)}" for key, each in pairs]
    found = [_token(each, body, depth) for each in value]
    return sorted(found) if isinstance(value, set | frozenset) else found


def _handle(value: Any, body: str) -> str:
    step = value._self_step
    scalar = type(value).__mro__[1]
    if scalar in _SCALARS:
        return repr(plain(value))
    return f"@{step.key}" if step.task is not None else f"@{step.key}#{body}"


def _name(value: Any) -> str:
    """Name a resource of ours, a function or the length of something large; nothing of another's is touched."""
    from glacier.resources import Bucket, Serverless

    kind = cast("type[Any]", type(value))
    if issubclass(kind, Bucket):
        return value.uri
    if issubclass(kind, Serverless):
        return value.function_name
    if kind in {list, tuple, set, frozenset, dict}:
        return str(len(value))
    return code_of(value) if kind is FunctionType else ""
