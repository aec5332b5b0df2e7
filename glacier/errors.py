"""Every error Glacier raises, each also a child of the builtin a caller would expect.

GlacierError
├── ConfigError (ValueError)                a setting, name or path that no cloud or rule allows
│   └── ExecutorError                       an executor that this environment cannot run
├── ResourceNotFoundError (KeyError)        a name that the environment, or a function that its cloud, does not know
├── ObjectNotFoundError (FileNotFoundError) a bucket has no such object
├── ObjectExistsError (FileExistsError)     a create-only write met an object
├── AccessError (PermissionError)           credentials or permissions do not suffice
├── ProtectedError (PermissionError)        a run would write to a protected environment, and nobody agreed
├── FormatError (ValueError)                bytes that are not of the format they should be
├── MissingDependencyError (TypeError)      a task parameter that nothing can fill
├── MissingExtraError (ImportError)         an optional package that is not installed
├── Unfingerprintable (TypeError)           a part of a task call of which it cannot be told whether it changed
├── CacheError (RuntimeError)               a result that cannot be kept
│   ├── DamagedEntryError                   a kept result whose bytes are not those that were written
│   └── ForeignEntryError                   a kept result that this user did not write
├── UnboundTaskError (RuntimeError)         a task without an environment was called
├── PipelineError (RuntimeError)            a pipeline that cannot be recorded or run as written
├── TaskTimeoutError (TimeoutError)         a task took longer than its timeout
├── JournalError (RuntimeError)              the history of runs cannot be read
├── TaskMemoryError (MemoryError)           a task took more memory than its limit
├── TaskCancelledError (RuntimeError)       a task was stopped because its run was cancelled
├── TransferError (TypeError)               a value that cannot be sent to the process of a task or back
├── WorkerDiedError (RuntimeError)          the process of a task ended before the task did
├── FunctionError (RuntimeError)            a function of a cloud was called, and failed by itself
├── InfrastructureError (RuntimeError)      infrastructure that cannot be generated or reached
└── RenderError (RuntimeError)              a picture that could not be drawn

GlacierWarning (UserWarning)                something was decided for the user, said in one line
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from glacier.redaction import redacted
from glacier.safe import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AccessError",
    "CacheError",
    "ConfigError",
    "DamagedEntryError",
    "ExecutorError",
    "ForeignEntryError",
    "FormatError",
    "FunctionError",
    "GlacierError",
    "GlacierWarning",
    "InfrastructureError",
    "JournalError",
    "MissingDependencyError",
    "MissingExtraError",
    "ObjectExistsError",
    "ObjectNotFoundError",
    "PipelineError",
    "ProtectedError",
    "RenderError",
    "ResourceNotFoundError",
    "TaskCancelledError",
    "TaskMemoryError",
    "TaskTimeoutError",
    "TransferError",
    "UnboundTaskError",
    "Unfingerprintable",
    "WorkerDiedError",
    "did_you_mean",
]


class GlacierError(Exception):
    """Any error of Glacier: what went wrong and where, with the next step as `hint`.

    Secrets are left out, and characters that a terminal would obey or that move other text are shown as escapes.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message, hint = _told(message), None if hint is None else _told(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} ({self.hint})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint)

    def _render_traceback_(self) -> list[str]:
        """Show one clean line, the hint and the notes in a notebook (the hook is IPython's)."""
        hint = [] if self.hint is None else [f"hint: {self.hint}"]
        return [f"{type(self).__name__}: {self.message}", *hint, *map(_told, getattr(self, "__notes__", ()))]


class ConfigError(GlacierError, ValueError):
    """A setting, name or path breaks a rule of its cloud or of Glacier."""


class ExecutorError(ConfigError):
    """An executor is unknown, or the environment has no means to run it."""


class ResourceNotFoundError(GlacierError, KeyError):
    """The environment knows no resource, task or pipeline of that name, or its cloud no such function."""


class ObjectNotFoundError(GlacierError, FileNotFoundError):
    """The bucket holds no object at that path."""


class ObjectExistsError(GlacierError, FileExistsError):
    """A write with `if_absent=True` found an object in its place."""


class AccessError(GlacierError, PermissionError):
    """The credentials are missing, expired or not allowed to do this."""


class ProtectedError(GlacierError, PermissionError):
    """A run would write to an environment that is protected, and nobody agreed to it."""


class FormatError(GlacierError, ValueError):
    """The bytes of an object are not what its format promises."""


class MissingDependencyError(GlacierError, TypeError):
    """A task parameter was not given and nothing in the environment can fill it."""


class MissingExtraError(GlacierError, ImportError):
    """An optional package is needed and not installed."""


class Unfingerprintable(GlacierError, TypeError):
    """It cannot be told whether a part of a task call changed; `part` names it, such as "argument df"."""

    def __init__(self, message: str, *, hint: str | None = None, part: str = "") -> None:
        super().__init__(message, hint=hint)
        self.part = part

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint), {"part": self.part}


class CacheError(GlacierError, RuntimeError):
    """A result cannot be kept, or a kept one cannot be had."""


class DamagedEntryError(CacheError):
    """The bytes of a kept result are missing, or not those that were written."""


class ForeignEntryError(CacheError):
    """A kept result would have to be unpickled, and this user did not write it."""


class UnboundTaskError(GlacierError, RuntimeError):
    """A task that belongs to no environment was called."""


class PipelineError(GlacierError, RuntimeError):
    """A pipeline cannot be recorded or run as it is written."""


class TaskTimeoutError(GlacierError, TimeoutError):
    """A task ran longer than its timeout."""


class JournalError(GlacierError, RuntimeError):
    """The history of runs cannot be read: it is damaged, or a newer Glacier wrote it."""


class TaskMemoryError(GlacierError, MemoryError):
    """A task took more memory than its limit."""


class TaskCancelledError(GlacierError, RuntimeError):
    """A task was stopped, or not started again, because its run was cancelled."""


class TransferError(GlacierError, TypeError):
    """A value cannot be sent to the process that runs a task, or back from it."""


class WorkerDiedError(GlacierError, RuntimeError):
    """The process that ran a task ended before the task did."""


class FunctionError(GlacierError, RuntimeError):
    """A function of a cloud was called and failed by itself, as its runtime tells.

    Attributes:
        error_type: the name of its error's class, such as `ValueError`, or the cloud's own, such as `Sandbox.Timedout`.
        error_message: what its error says.
        stack: the lines of its traceback, outermost first; none where the runtime tells none.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        error_type: str = "",
        error_message: str = "",
        stack: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.error_type = error_type
        self.error_message = error_message
        self.stack = stack

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint), dict(vars(self))


class InfrastructureError(GlacierError, RuntimeError):
    """Infrastructure cannot be generated, planned or reached."""


class RenderError(GlacierError, RuntimeError):
    """A picture could not be drawn."""


class GlacierWarning(UserWarning):
    """Glacier decided something for the user and says so in one line."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name the known word nearest to `word`, and all of them when none is near."""
    options = sorted(known)
    near = difflib.get_close_matches(word, options, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(options)}" if options else "none is known yet"


def _told(text: str) -> str:
    return printable(redacted(text), keep="\n\t")


def _rebuild(kind: type[GlacierError], message: str, hint: str | None) -> GlacierError:
    return kind(message, hint=hint)
