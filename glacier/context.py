"""What surrounds the code that runs now: the recorder of a pipeline body, the run, environments that stand in.

What a run has is a context variable, so that two runs in one process never see each other; `guarded` holds for all.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from glacier.errors import GlacierWarning, ProtectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from contextlib import AbstractContextManager

__all__ = [
    "AloneError",
    "Recording",
    "Redoable",
    "Usage",
    "carried",
    "check_home",
    "check_write",
    "gate",
    "guarded",
    "lines",
    "reading",
    "reading_with",
    "recorder",
    "stand_in",
    "standing_in",
    "themselves",
    "usage",
    "using",
    "writable",
]


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

    def compute(self, plan: Any, alone: Callable[[], Any]) -> Any:
        """Compute a query: with `alone`, or, when `plan` is a LazyFrame and others share it, with theirs."""
        ...

    def check(self) -> None:
        """Do nothing, unless the run was cancelled: then what is about to become visible must not.

        Raises:
            TaskCancelledError: it was.
        """
        ...


class Redoable:
    """A file that is written by a query, and can be left and begun anew after an `AloneError`."""


class AloneError(Exception):
    """A query that was computed together with others failed: it is to be computed again, alone."""


recorder: ContextVar[Recording | None] = ContextVar("glacier_recorder", default=None)
lines: ContextVar[Callable[[str], None] | None] = ContextVar("glacier_lines", default=None)
"""What takes each line that the running task prints or logs; None outside of tasks."""
gate: ContextVar[Any] = ContextVar("glacier_gate", default=None)
"""What holds the steps of a run that goes on task by task."""
reading: ContextVar[Any] = ContextVar("glacier_reading", default=None)
"""What says which resource is meant, in a run that reads from another environment: see `execution.reading`."""
usage: ContextVar[Usage | None] = ContextVar("glacier_usage", default=None)
carried: ContextVar[dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] | None] = ContextVar(
    "glacier_carried", default=None
)
"""While something is pickled for a process of this user's own: the calls to make there before it is unpickled."""
guarded: WeakSet[Any] = WeakSet()
"""The environments that may ask before something runs in them."""
writable: ContextVar[frozenset[Any] | None] = ContextVar("glacier_writable", default=None)
"""The environments to which the run at work may write; None outside of runs."""
_stand_ins: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("glacier_stand_ins", default=())


_readings: list[Any] = []
"""What `reading` is in each of the runs that go on in this process."""


@contextmanager
def reading_with(meant: Any) -> Generator[None]:
    """Let `meant` say within a block which resource is meant; None changes nothing."""
    if meant is not None:
        _readings.append(meant)
    try:
        with using(reading, meant):
            yield
    finally:
        if meant is not None:
            _readings.remove(meant)


def check_write(target: Any) -> None:
    """Refuse to write to a resource or an address of an environment that is only read, or that asks before.

    Only read is what a run reads from; and what any run of this process reads from, where no run's thread asks: a task
    may have started the thread, and nothing says so.

    Raises:
        AccessError: it is only read.
        ProtectedError: the environment asks, and was not asked.
    """
    _check_asked(target)
    meant = reading.get()
    others = _readings if usage.get() is None and recorder.get() is None else ()
    for each in others if meant is None else (meant,):
        each.check_writable(target)


def check_home(resource: Any) -> None:
    """Warn of a resource of an environment for which another one answers here: it is used as it is."""
    meant = reading.get()
    if meant is not None and meant.is_theirs(resource):
        return
    for original, replacement in _stand_ins.get():
        with themselves():
            name = _name_in(original, resource)
            is_strange = name is not None and _name_in(replacement, resource) is None
        if is_strange:
            message = (
                f"{resource!r} is {name!r} of environment {original.name!r}, and this run is in {replacement.name!r}: "
                f"take it as a parameter, or ask the environment for it where it is used: env.get({name!r})"
            )
            warnings.warn(message, GlacierWarning, stacklevel=3)


def _name_in(env: Any, resource: Any) -> str | None:
    return next((name for name, each in env.resources.items() if each is resource), None)


def _check_asked(target: Any) -> None:
    """Refuse to write to a protected environment that was not asked, as no source tells of it."""
    known = writable.get()
    if known is None:
        return
    with themselves():
        is_open = any(env.owns(target) for env in known)
        asking = next((env for env in list(guarded) if env.protected and env.owns(target)), None)
    if asking is not None and not is_open:
        raise ProtectedError(
            f"environment {asking.name!r} is protected, and nobody was asked about writing {target!r}: the source of "
            "what runs does not tell of it",
            hint=f"run it in {asking.name}, and say that you mean it: --yes",
        )


@contextmanager
def using(variable: ContextVar[Any], value: Any) -> Generator[None]:
    """Give a context variable a value for the length of a block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def standing_in(originals: Iterable[Any], replacement: Any) -> AbstractContextManager[None]:
    """Let `replacement` answer for others within a block: a pipeline bound to another environment runs so."""
    return using(_stand_ins, (*_stand_ins.get(), *((original, replacement) for original in originals)))


def themselves() -> AbstractContextManager[None]:
    """Let every environment answer for itself within a block."""
    return using(_stand_ins, ())


def stand_in(original: Any) -> Any:
    """Return what answers for `original` here: itself, unless a block says otherwise."""
    for known, replacement in reversed(_stand_ins.get()):
        if known is original:
            return replacement
    return original
