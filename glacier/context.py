"""What surrounds the code that runs now: the recorder of a pipeline body, the run, environments that stand in.

Everything here is a context variable, so that two runs in one process never see each other.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

__all__ = ["Recording", "Usage", "lines", "recorder", "stand_in", "standing_in", "usage", "using"]


class Recording(Protocol):
    """What a resource needs of the recorder of a pipeline body."""

    @property
    def tracing(self) -> bool:
        """Whether the body is only followed, so that nothing may be touched."""
        ...

    def resource(self, resource: Any) -> None:
        """Note that the body made or fetched this resource."""
        ...

    def verb(self, resource: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record `resource.name(*args, **kwargs)` in the body; the value, or a stand-in while tracing."""
        ...


class Usage(Protocol):
    """What a resource needs of the task that runs now."""

    def touched(self, resource: Any, access: str) -> None:
        """Note that the task reads (`"read"`) or writes (`"write"`) this resource."""
        ...


recorder: ContextVar[Recording | None] = ContextVar("glacier_recorder", default=None)
lines: ContextVar[Callable[[str], None] | None] = ContextVar("glacier_lines", default=None)
"""What takes each line that the running task prints or logs; None outside of tasks."""
usage: ContextVar[Usage | None] = ContextVar("glacier_usage", default=None)
_stand_ins: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("glacier_stand_ins", default=())


@contextmanager
def using(variable: ContextVar[Any], value: Any) -> Generator[None]:
    """Give a context variable a value for the length of a block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def standing_in(original: Any, replacement: Any) -> Generator[None]:
    """Let `replacement` answer for `original` within a block: a pipeline bound to another environment runs so."""
    with using(_stand_ins, (*_stand_ins.get(), (original, replacement))):
        yield


def stand_in(original: Any) -> Any:
    """Return what answers for `original` here: itself, unless a block says otherwise."""
    for known, replacement in reversed(_stand_ins.get()):
        if known is original:
            return replacement
    return original
