"""How a pipeline is run: the options of `Pipeline.run` that are not the pipeline's own parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast

from glacier.errors import ConfigError

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterable, Mapping

    from glacier.execution.events import Listener

__all__ = ["OPTION_NAMES", "RunOptions", "check_parameters", "names_of"]

_ON_ERROR = ("fail", "continue")
_MATERIALIZE = ("auto", True, False)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run goes about its work.

    Attributes:
        max_workers: threads that run tasks side by side, the run's own included; None is the environment's.
        on_error: `"fail"` lets what runs finish and starts nothing more; `"continue"` runs all that does not need
            what failed, and raises then.
        only: names or keys of the tasks to run; what they need is taken from the cache, or run if it is not there.
        from_: run these tasks and all that need them.
        until: run these tasks and all that they need, and no more.
        force: run these tasks even when their results are cached; True is all of them.
        materialize: whether a LazyFrame with several consumers is computed once and kept: `"auto"` where the result
            is narrow, True always, False never.
        progress: whether a table of the tasks is shown while the run goes on, None where a terminal can show it.
        listeners: called with every `Event`.
        checkpoint: whether results are kept so that the run can be resumed; `"auto"` keeps what is cheap to keep.
        read: the environment whose resources are read, in place of the pipeline's own; nothing is written to it.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    max_workers: int | None = None
    on_error: Literal["fail", "continue"] = "fail"
    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    force: tuple[str, ...] | bool = ()
    materialize: Literal["auto"] | bool = "auto"
    progress: bool | None = None
    listeners: tuple[Listener, ...] = ()
    checkpoint: Literal["auto"] | bool = "auto"
    read: Any = None

    def __post_init__(self) -> None:
        for name in ("only", "from_", "until"):
            object.__setattr__(self, name, names_of(getattr(self, name)))
        if not isinstance(self.force, bool):
            object.__setattr__(self, "force", names_of(self.force))
        object.__setattr__(self, "listeners", tuple(self.listeners))
        _check(self.max_workers is None or self.max_workers >= 1, "max_workers", self.max_workers, "1 or more")
        _check(self.on_error in _ON_ERROR, "on_error", self.on_error, '"fail" or "continue"')
        _check(self.materialize in _MATERIALIZE, "materialize", self.materialize, '"auto", True or False')
        _check(self.checkpoint in _MATERIALIZE, "checkpoint", self.checkpoint, '"auto", True or False')

    @property
    def partial(self) -> bool:
        """Whether only a part of the pipeline is asked for."""
        return bool(self.only or self.from_ or self.until)

    @property
    def forced(self) -> tuple[str, ...]:
        """The names and keys in `force`; of none where it is True."""
        return () if isinstance(self.force, bool) else self.force

    @classmethod
    def split(cls, given: Mapping[str, Any], parameters: Iterable[str]) -> tuple[RunOptions, dict[str, Any]]:
        """Part the keywords of a call into options and the rest; a name among `parameters` is no option."""
        own = set(parameters)
        options = {name: value for name, value in given.items() if name in OPTION_NAMES and name not in own}
        return cls(**options), {name: value for name, value in given.items() if name not in options}


OPTION_NAMES = frozenset(field.name for field in fields(RunOptions))
"""The keywords of `Pipeline.run` that no parameter of a pipeline may be called by; `mode` is one too."""


def names_of(given: Any) -> tuple[str, ...]:
    """Return names that were given as None, as one, as a task or pipeline, or as several of these."""
    if given is None:
        return ()
    several = cast("Iterable[Any]", given) if isinstance(given, list | tuple | set | frozenset) else (given,)
    return tuple(each if isinstance(each, str) else str(each.name) for each in several)


def check_parameters(pipeline: str, parameters: Mapping[str, inspect.Parameter]) -> None:
    """Refuse a pipeline whose parameter has the name of an option: `run` could not tell which is meant.

    Raises:
        ConfigError: there is such a parameter.
    """
    taken = [name for name in parameters if name in OPTION_NAMES or name == "mode"]
    if taken:
        raise ConfigError(
            f"pipeline {pipeline!r} has a parameter {taken[0]!r}, which is an option of run()",
            hint=f"rename it, such as {taken[0].rstrip('_')}_value",
        )


def _check(fine: bool, name: str, value: Any, allowed: str) -> None:
    if not fine:
        raise ConfigError(f"{name}={value!r} is no option of a run", hint=f"{name} is {allowed}")
