"""Asking before a run writes to a protected environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ProtectedError
from glacier.execution.options import RunOptions
from glacier.resources import Bucket
from glacier.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier.tasks import Pipeline

__all__ = ["guard", "written_by"]

_UNSURE = "what could not be followed"


def guard(ask: Callable[[str], bool]) -> Callable[[Task | Pipeline, Mapping[str, Any]], None]:
    """Make a guard for `GlacierEnv.guard` that asks with `ask`, which takes a question and returns the answer.

    It asks only when the environment is protected and the task or pipeline may write.

    Raises:
        ProtectedError: the answer was no.
    """

    def admit(target: Task | Pipeline, params: Mapping[str, Any]) -> None:
        env = target.env
        written = written_by(target, params) if env.protected else []
        what = "task" if isinstance(target, Task) else "pipeline"
        if written and not ask(
            f"{env.name} is protected: run {what} {target.name}, which writes {', '.join(written)}?"
        ):
            raise ProtectedError(
                f"environment {env.name!r} is protected, and {what} {target.name!r} writes {', '.join(written)}",
                hint="run it in another environment, or say that you mean it: --yes",
            )

    return admit


def written_by(target: Task | Pipeline, params: Mapping[str, Any]) -> list[str]:
    """Name the resources that a task or pipeline may write, as far as its source says; nothing is touched."""
    if isinstance(target, Task):
        usage = target.usage
        given = {name: access for name, access in usage.parameters.items() if not _is_data(params.get(name))}
        found = [name for name, access in {**given, **usage.registry}.items() if access != "read"]
        return found or ([_UNSURE] if usage.approximate else [])
    try:
        analysis = target.run_with("analyze", params, RunOptions())
    except Exception:  # such a body can do anything, and its run says what is wrong
        return [_UNSURE]
    known = {f"{each.bucket_name}/{each.path}": name for name, each in target.env.resources.items() if _is_bucket(each)}
    found = [known.get(name, name) for names in analysis["writes"].values() for name in names]
    return list(dict.fromkeys(found)) or ([_UNSURE] if analysis["approximations"] else [])


def _is_data(value: Any) -> bool:
    """Whether an argument is a frame, which may be passed on to what writes it and is not written itself."""
    return type(value).__name__ in {"DataFrame", "LazyFrame", "Series"}


def _is_bucket(resource: Any) -> bool:
    return issubclass(type(resource), Bucket)
