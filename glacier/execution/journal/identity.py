"""What makes a step of one run the same as one of another: its place, its code and its plain arguments.

The place is the step's key. What a step gets from another one is told by that one's key, since a step is taken over
only together with all that it came from.
"""

# pyright: reportPrivateUsage=false
# A Deferred keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from glacier.execution.journal import seal
from glacier.recording.live import is_handle, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

__all__ = ["arguments_of", "body_of", "code_of"]

_LONGEST = 120
_MOST = 1000
"""Items of a collection that are looked at; a larger one counts by its length."""

_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})
_EXACT = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid"})
"""Modules whose values say all that they are in their repr."""


def code_of(fn: Callable[..., Any]) -> str:
    """Return a fingerprint of a function and of everything of the user's that it reaches; "" where there is none."""
    code = getattr(fn, "__code__", None)
    return "" if code is None else body_of(code)


def body_of(code: CodeType) -> str:
    """Return a fingerprint of the instructions and constants of a function alone."""
    digest = hashlib.sha256()
    todo = [code]
    while todo:
        here = todo.pop()
        inner = [each for each in here.co_consts if hasattr(each, "co_code")]
        digest.update(repr((here.co_code, here.co_names, [c for c in here.co_consts if c not in inner])).encode())
        todo += inner
    return digest.hexdigest()[:16]


def arguments_of(arguments: Mapping[str, Any], body: str) -> str:
    """Say in a few characters what a step was called with, apart from what other steps gave it.

    `body` is the fingerprint of the pipeline's body: it stands for what the body did to a value by itself. What was
    passed plainly may be secret, so it is told by a checksum with a key.
    """
    text = ";".join([f"{name}={_token(value, body)}" for name, value in arguments.items()])
    if len(text) <= _LONGEST and all(map(_is_of_task, arguments.values())):
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=seal.key(), digest_size=12).hexdigest()


def _is_of_task(value: Any) -> bool:
    return is_handle(value) and value._self_step.task is not None


def _token(value: Any, body: str) -> str:
    kind = cast("type[Any]", type(value))
    if is_handle(value):
        return _handle(value, body)
    if kind in _SCALARS or kind.__module__ in _EXACT:
        return repr(value)
    if kind in {list, tuple, set, frozenset, dict} and len(value) <= _MOST:
        inner = [f"{_token(key, body)}:{_token(each, body)}" for key, each in value.items()] if kind is dict else [
            _token(each, body) for each in value
        ]  # fmt: skip
        return f"{kind.__name__}({','.join(inner if kind not in {set, frozenset} else sorted(inner))})"
    return f"<{kind.__qualname__} {_name(value)}>"


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
    return code_of(value) if kind.__name__ == "function" else ""
