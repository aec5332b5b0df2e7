"""Recording a body while it runs on real data: nothing runs until the body touches a result."""

# pyright: reportPrivateUsage=false
# Stand-ins keep what is their own behind an underscore: every other name is the user's.

from __future__ import annotations

import copy
import operator
import sys
from typing import TYPE_CHECKING, Any, cast

import wrapt

from glacier import context
from glacier.recording import sites
from glacier.recording.recorder import Recorder
from glacier.recording.steps import Step, operands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from glacier.recording.steps import RecordedPipeline, RecordedTask, Spot

__all__ = ["Deferred", "LiveRecorder", "LiveStep", "is_handle", "plain"]

_PLAIN = (type(None), bool, complex, bytes)


class Deferred(wrapt.BaseObjectProxy[Any]):
    """The value of a step, computed when it is first touched.

    Methods, items and operators that the body itself uses become steps of their own, so that what the body derives
    from a result keeps its place in the graph. Whoever else touches it meets the plain value. It alone holds the value:
    what nobody refers to any more is let go, as in plain Python.
    """

    __slots__ = ("_self_step",)

    __wrapped__: Any
    _self_step: LiveStep

    # wrapt's C code asks for the value by these names: https://wrapt.readthedocs.io/en/latest/wrappers.html
    __wrapped_factory__ = True

    def __wrapped_get__(self) -> Any:
        return self._self_step.force(self)

    def __wrapped_setattr_fixups__(self) -> None:
        """Leave the class as it is: it has every special method from the start."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__wrapped__, name)
        if name.startswith("_"):
            return value
        recorder = self._self_step.recorder
        return recorder.method(self, name, value) if callable(value) else recorder.attribute(self, name, value)

    def __getitem__(self, item: Any) -> Any:
        return self._self_step.recorder.operation("getitem", operator.getitem, self, item)

    def __iter__(self) -> Iterator[Any]:
        count = sites.unpack_count(sites.caller())
        values = iter(self.__wrapped__)
        recorder = self._self_step.recorder
        return values if count is None or not recorder.listens() else recorder.items(self, values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the real value."""
        return self.__wrapped__(*args, **kwargs)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


_UNARY = ("neg", "pos", "invert", "abs")
_COMPARING = ("lt", "le", "eq", "ne", "gt", "ge")
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")


def _operator(name: str, function: Callable[..., Any], *, reflected: bool = False) -> Callable[..., Any]:
    def apply(self: Any, *others: Any) -> Any:
        values = (*others, self) if reflected else (self, *others)
        return self._self_step.recorder.operation(name, function, *values)

    return apply


def _operators() -> dict[str, Callable[..., Any]]:
    made = {
        f"__{name}__": _operator(name, getattr(operator, f"__{name}__")) for name in (*_UNARY, *_COMPARING, *_BINARY)
    }
    for name in _BINARY:
        made[f"__i{name}__"] = _operator(name, getattr(operator, f"__i{name}__"))
        made[f"__r{name}__"] = _operator(name, getattr(operator, f"__{name}__"), reflected=True)
    return made


for _name, _method in _operators().items():
    setattr(Deferred, _name, _method)


def _tracked(kind: type[Any]) -> type[Any]:
    """Make a subclass of a scalar type that keeps its place in the graph while the body goes on to reckon with it."""
    own = {name: method for name, method in _operators().items() if hasattr(kind, name)}
    return type(f"Tracked{kind.__name__.title()}", (kind,), {**own, "__hash__": kind.__hash__})


_TRACKED = {kind: _tracked(kind) for kind in (int, float, str)}
_HANDLES: frozenset[type[Any]] = frozenset({Deferred, *_TRACKED.values()})


def is_handle(value: Any) -> bool:
    """Whether a value is a Deferred, or a scalar that an operation of the body gave."""
    return type(value) in _HANDLES


class LiveStep(Step):
    """A step of a run; `handle` is what waits for its value, None once it is there."""

    recorder: LiveRecorder
    handle: Deferred | None = None

    def force(self, handle: Deferred) -> Any:
        """Bring the step and everything it needs to its value, for `handle`."""
        return self.recorder.force(self, handle)


class LiveRecorder(Recorder):
    """Records a body that works on real data.

    `force` brings a step and everything it needs to its value; `done` is told the value of an operation that the body
    did itself. `make` is the class of the steps.
    """

    def __init__(
        self,
        pipeline: RecordedPipeline,
        env: Any,
        force: Callable[[Any, Deferred], Any],
        done: Callable[[Any, Any], None],
        make: type[LiveStep] = LiveStep,
    ) -> None:
        super().__init__(pipeline, env)
        self.force = force
        self._done = done
        self._step_type = make
        self.met: Callable[[Any], bool] | None = None
        """What is told of each task call as the body makes it, and says whether it is done already."""

    def call(self, task: RecordedTask, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Deferred:
        """Record a task call; return its value to come, which is computed at once in a `try` or `with`."""
        step: Any = self.task_step(task, args, kwargs, sys._getframe(2))  # pyright: ignore[reportPrivateUsage]
        step.handle = deferred = Deferred(None)
        deferred._self_step = step
        is_done = self.met is not None and self.met(step)
        if step.spot.guarded and not is_done:
            self.force(step, deferred)
        return deferred

    def _make(self, spot: Spot, number: int, serial: int, group: tuple[str, ...]) -> LiveStep:
        step = self._step_type(spot, number, serial, group)
        step.recorder = self
        return step

    def verb(self, resource: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Do what the body asks of a resource, as a recorded operation."""
        step = self.inline_step(name, f"{name}()", operands(resource, args, kwargs))
        with context.using(context.recorder, None):
            return self._finished(step, getattr(resource, name)(*args, **kwargs))

    def step_of(self, value: Any) -> Step | None:
        """Return the step of a Deferred, or of a scalar that an operation gave."""
        return value._self_step if type(value) in _HANDLES else None

    def method(self, owner: Deferred, name: str, bound_method: Callable[..., Any]) -> Callable[..., Any]:
        """Return `bound_method`, as a recorded operation where the body itself asked for it."""
        if not self._of_body():
            return bound_method

        def call(*args: Any, **kwargs: Any) -> Any:
            step = self.inline_step(name, f"{name}()", operands(owner, args, kwargs))
            return self._finished(step, bound_method(*args, **kwargs))

        return call

    def attribute(self, owner: Deferred, name: str, value: Any) -> Any:
        """Return an attribute, where it is a number or text that the body itself asked for as a recorded operation."""
        if type(value) not in _TRACKED or not self._of_body():
            return value
        return self._finished(self.inline_step(name, name, operands(owner)), value)

    def operation(self, name: str, function: Callable[..., Any], *values: Any) -> Any:
        """Apply an operator to plain values, as a recorded operation where the body itself asked for it."""
        value = function(*(plain(each) for each in values))
        if not self._of_body():
            return value
        return self._finished(self.inline_step(name, name, operands(values[0], values[1:])), value)

    def items(self, owner: Deferred, values: Iterator[Any]) -> Iterator[Any]:
        """Return the values that `a, b = owner` unpacks, each as a recorded operation."""
        return iter([self._item(owner, index, value) for index, value in enumerate(values)])

    def _item(self, owner: Deferred, index: int, value: Any) -> Any:
        return self._finished(self.inline_step("item", "item", operands(owner, (index,))), value)

    def listens(self) -> bool:
        """Whether the body of this recorder runs here and now, and not a task or something after the run."""
        return context.recorder.get() is self

    def _of_body(self) -> bool:
        return self.listens() and sites.in_file(sites.caller(), self.body)

    def _finished(self, step: Step, value: Any) -> Any:
        self._done(step, value)
        if type(value) in _PLAIN:
            return value
        if type(value) not in _TRACKED:
            deferred = Deferred(None)
            deferred._self_step = step  # pyright: ignore[reportAttributeAccessIssue]
            deferred.__wrapped__ = value
            return deferred
        scalar = _TRACKED[type(value)](value)
        scalar._self_step = step
        return scalar


def plain(value: Any) -> Any:
    """Return the real value behind a handle, and anything else as it is."""
    kind = cast("Any", type(value))
    if kind is Deferred:
        return value.__wrapped__
    return kind.__mro__[1](value) if kind in _HANDLES else value
