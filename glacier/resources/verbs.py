"""What every method that touches data does first: let a pipeline body record it, or tell the running task."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

from glacier import context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["verb"]

Self = TypeVar("Self")
Given = ParamSpec("Given")
Result = TypeVar("Result")


def verb(
    access: Literal["read", "write"],
) -> Callable[[Callable[Concatenate[Self, Given], Result]], Callable[Concatenate[Self, Given], Result]]:
    """Make a method a verb on data.

    While a pipeline body is recorded the recorder decides what a call becomes. Otherwise the running task, if any, is
    told the access, and the method runs.
    """

    def decorate(method: Callable[Concatenate[Self, Given], Result]) -> Callable[Concatenate[Self, Given], Result]:
        @functools.wraps(method)
        def call(resource: Self, *args: Given.args, **kwargs: Given.kwargs) -> Result:
            context.check_home(resource)
            recording: Any = context.recorder.get()
            if recording is not None:
                return recording.verb(resource, method.__name__, args, kwargs)
            if access == "write":
                context.check_write(resource)
            meant = context.reading.get()
            if meant is not None:
                resource = meant.of(resource, access)
            using = context.usage.get()
            if using is not None:
                using.touched(resource, access)
            return method(resource, *args, **kwargs)

        return call

    return decorate
