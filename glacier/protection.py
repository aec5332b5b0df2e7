"""Asking before a run writes to a protected environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ProtectedError
from glacier.execution.options import RunOptions
from glacier.infrastructure.unseen import taken
from glacier.resources import Bucket
from glacier.tasks import Task
from glacier.usage import source_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier.tasks import Pipeline

__all__ = ["guard", "written_by"]

_UNSURE = "what could not be followed"


def guard(
    ask: Callable[[str], bool], is_agreed: Callable[[], bool] = lambda: False
) -> Callable[[Task | Pipeline, Mapping[str, Any]], bool]:
    """Make a guard for `GlacierEnv.guard` that asks with `ask`, which takes a question and returns the answer.

    It asks only when the environment is protected and the task or pipeline may write. It returns whether the run may
    write: where the source tells of nothing that it writes, only if `is_agreed` says so.

    Raises:
        ProtectedError: the answer was no.
    """

    def admit(target: Task | Pipeline, params: Mapping[str, Any]) -> bool:
        env = target.env
        if not env.protected:
            return True
        written = written_by(target, params)
        what = "task" if isinstance(target, Task) else "pipeline"
        if written and not ask(
            f"{env.name} is protected: run {what} {target.name}, which writes {', '.join(written)}?"
        ):
            raise ProtectedError(
                f"environment {env.name!r} is protected, and {what} {target.name!r} writes {', '.join(written)}",
                hint="run it in another environment, or say that you mean it: --yes",
            )
        return bool(written) or is_agreed()

    return admit


def written_by(target: Task | Pipeline, params: Mapping[str, Any]) -> list[str]:
    """Name the resources that a task or pipeline may write, as far as its source says; nothing is touched."""
    if isinstance(target, Task):
        usage = target.usage
        given = {name: access for name, access in usage.parameters.items() if not _is_data(params.get(name))}
        found = [name for name, access in {**given, **usage.registry}.items() if access != "read"]
        found += _taken_by(target.fn, target.env)
        return found or ([_UNSURE] if usage.approximate else [])
    try:
        analysis = target.run_with("analyze", params, RunOptions())
    except Exception:  # such a body can do anything, and its run says what is wrong
        return [_UNSURE]
    known = {f"{each.bucket_name}/{each.path}": name for name, each in target.env.resources.items() if _is_bucket(each)}
    found = [known.get(name, name) for names in analysis["writes"].values() for name in names]
    found += [name for task in dict.fromkeys(analysis.trace.tasks.values()) for name in _taken_by(task.fn, target.env)]
    return list(dict.fromkeys(found)) or ([_UNSURE] if analysis["approximations"] else [])


def _taken_by(fn: Callable[..., Any], env: Any) -> list[str]:
    """Name the environment's resources that a function takes from outside and may write."""
    outside = {name: each for name, each in taken(fn).items() if env.owns(each)}
    if not outside:
        return []
    accesses = source_usage(fn, outside).parameters
    names = {id(resource): name for name, resource in env.resources.items()}
    return [names.get(id(each), repr(each)) for name, each in outside.items() if accesses.get(name) != "read"]


def _is_data(value: Any) -> bool:
    """Whether an argument is a frame, which may be passed on to what writes it and is not written itself."""
    return type(value).__name__ in {"DataFrame", "LazyFrame", "Series"}


def _is_bucket(resource: Any) -> bool:
    return issubclass(type(resource), Bucket)
