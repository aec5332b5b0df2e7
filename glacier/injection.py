"""Filling the parameters that a caller left out, from what the environment knows."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.errors import MissingDependencyError, did_you_mean
from glacier.redaction import learn
from glacier.resources import Bucket, Serverless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Inject", "Signature"]


@dataclass(frozen=True, slots=True)
class _Injected:
    """A default that stands for a registered resource."""

    name: str


def Inject(name: str) -> Any:
    """Mark a parameter that a registered resource fills.

    It is the parameter's default: `def extract(source: Bucket = Inject("sales_data"))`.
    The resource is looked up in the environment when the task is called, not when it is defined.
    """
    return _Injected(name)


class Signature:
    """The parameters of a task or pipeline, with what can fill them.

    A parameter is filled by the first of these that is there:

    1. the argument of the call;
    2. the resource named in its `Inject("name")` default;
    3. the environment itself, where it is annotated `GlacierEnv`;
    4. the registered resource of the parameter's own name;
    5. the only registered resource of the annotated type (`Bucket` or `Serverless`);
    6. the parameter's own default.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._signature = inspect.signature(fn)
        self._types: Mapping[str, Any] | None = None
        self.parameters: Mapping[str, inspect.Parameter] = self._signature.parameters
        """The parameters by name, in order."""
        learn(parameter.default for parameter in self.parameters.values())
        kinds = {parameter.kind for parameter in self.parameters.values()}
        positional = kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        self._names = tuple(self.parameters)
        self.count = len(self._names) if positional else -1
        """How many positional arguments make a call complete, -1 where that cannot be said."""

    @property
    def returns(self) -> Any:
        """The resolved return annotation, None when there is none or it cannot be resolved."""
        return self.annotation("return")

    def fill(
        self, what: str, name: str, env: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return the arguments of a call with what was missing; `what` and `name` tell errors of the callee.

        Raises:
            MissingDependencyError: nothing can fill a parameter, or two resources could.
            TypeError: the call has too many arguments or an unknown one.
        """
        if not kwargs and len(args) == self.count:
            return args, kwargs
        callee = f"{what} {name!r}"
        try:
            bound = self._signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise MissingDependencyError(f"{callee}: {error}", hint=self._hint) from None
        if len(bound.arguments) < len(self.parameters):
            for parameter in self.parameters.values():
                self._fill_one(callee, env, parameter, bound)
        return bound.args, bound.kwargs

    def known(self, name: str, env: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return those arguments of a call that are given or that the environment can fill, by parameter.

        Raises:
            MissingDependencyError: there is no such parameter.
        """
        try:
            bound = self._signature.bind_partial(**kwargs)
        except TypeError as error:
            raise MissingDependencyError(f"{name!r}: {error}", hint=self._hint) from None
        for parameter in self.parameters.values():
            with suppress(MissingDependencyError):
                self._fill_one(name, env, parameter, bound)
        return bound.arguments

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Return the arguments of a filled call, each with the name of its parameter."""
        if not kwargs and len(args) == self.count:
            return zip(self._names, args, strict=True)
        return self.arguments(args, kwargs).items()

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments of a filled call by parameter."""
        return self._signature.bind_partial(*args, **kwargs).arguments

    def parted(self, arguments: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return what `arguments` returned as positional and keyword arguments again."""
        bound = self._signature.bind_partial()
        bound.arguments = {name: arguments[name] for name in self.parameters if name in arguments}
        return bound.args, bound.kwargs

    @property
    def _hint(self) -> str:
        """Say what the parameters are; a default's value may be secret."""
        shown = [each if each.default is each.empty else each.replace(default=...) for each in self.parameters.values()]
        return f"its signature is {self._signature.replace(parameters=shown)}"

    def _fill_one(self, what: str, env: Any, parameter: inspect.Parameter, bound: inspect.BoundArguments) -> None:
        name = parameter.name
        if name in bound.arguments or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return
        if isinstance(parameter.default, _Injected):
            bound.arguments[name] = self._named(what, env, name, parameter.default.name)
        elif self._is_environment(parameter):
            bound.arguments[name] = env
        elif name in env.resources:
            bound.arguments[name] = env.get(name)
        else:
            self._fill_by_type(what, env, parameter, bound)
        bound.arguments = {each: bound.arguments[each] for each in self.parameters if each in bound.arguments}

    def _fill_by_type(self, what: str, env: Any, parameter: inspect.Parameter, bound: inspect.BoundArguments) -> None:
        candidates = self._of_type(env, self.annotation(parameter.name))
        if len(candidates) == 1:
            bound.arguments[parameter.name] = env.get(candidates[0])
        elif parameter.default is parameter.empty:
            raise _missing(what, env, parameter.name, candidates)

    def _named(self, what: str, env: Any, parameter: str, name: str) -> Any:
        if name not in env.resources:
            raise MissingDependencyError(
                f"{what} wants {name!r} for parameter {parameter!r}, which environment {env.name!r} does not have",
                hint=did_you_mean(name, env.resources),
            )
        return env.get(name)

    def _of_type(self, env: Any, kind: Any) -> list[str]:
        if kind not in (Bucket, Serverless):
            return []
        return [name for name, resource in env.resources.items() if issubclass(type(resource), kind)]

    def _is_environment(self, parameter: inspect.Parameter) -> bool:
        annotation = self.annotation(parameter.name)
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        return text.rsplit(".", 1)[-1].strip("'\" ") == "GlacierEnv"

    def annotation(self, name: str) -> Any:
        """Return a resolved annotation; where it cannot be resolved, what stands in the source."""
        if self._types is None:
            self._types = _annotations(self._fn)
        return self._types.get(name)


def _annotations(fn: Callable[..., Any]) -> Mapping[str, Any]:
    raw = getattr(fn, "__annotations__", {})
    names: dict[str, Any] = {"Bucket": Bucket, "Serverless": Serverless, **getattr(fn, "__globals__", {})}
    return {name: _resolved(annotation, names) for name, annotation in raw.items()}


def _resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(names))  # noqa: S307 - the user's own annotation, as typing.get_type_hints does
    except Exception:
        return annotation


def _missing(what: str, env: Any, parameter: str, candidates: list[str]) -> MissingDependencyError:
    if candidates:
        several = ", ".join(repr(name) for name in candidates)
        hint = f"say which of {several}: pass it, or give the parameter the default Inject({candidates[0]!r})"
    else:
        known = ", ".join(repr(name) for name in env.resources) or "nothing"
        hint = f"pass it, or register it: env.register({parameter!r}, ...); registered: {known}"
    return MissingDependencyError(
        f"{what} in environment {env.name!r} has nothing for its parameter {parameter!r}", hint=hint
    )
