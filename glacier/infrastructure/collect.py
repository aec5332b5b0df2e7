"""From traced pipelines and their environment to what each provider has to build."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from glacier.errors import ConfigError, InfrastructureError
from glacier.graph import Site
from glacier.infrastructure.needs import BucketNeed, FunctionNeed, Grant, Needs, Runner, Schedule, Use
from glacier.infrastructure.packages import Package, package_of
from glacier.infrastructure.unseen import unseen
from glacier.names import PLACEHOLDER
from glacier.resources import Bucket, Serverless
from glacier.terraform import Labels, identifier
from glacier.usage import DEEDS, UNKNOWN

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from glacier.graph import Edge, Node
    from glacier.recording import Trace
    from glacier.settings import Effective
    from glacier.usage import Deed

__all__ = ["FUNCTION_EXECUTORS", "Collected", "Recorded", "collect"]

FUNCTION_EXECUTORS = frozenset({"lambda", "cloud_function", "azure_function", "serverless"})
"""Executors whose tasks run as functions of their own."""

ENTRY = "glacier_entry"
"""The module by which a task or pipeline runs as a function."""


@dataclass(frozen=True)
class Recorded:
    """A pipeline and its trace."""

    pipeline: Any
    trace: Trace


@dataclass(frozen=True)
class Collected:
    """What each provider has to build, and what the user should know about it."""

    parts: tuple[tuple[Any, Needs], ...]
    warnings: tuple[str, ...]


def collect(env: Any, recorded: Sequence[Recorded], *, whole: bool = False) -> Collected:
    """Return the needs of pipelines in an environment, provider by provider; `whole` adds all that is registered.

    Raises:
        ConfigError: two resources on one bucket or function have different configs, or a config is not legal as a
            whole.
        InfrastructureError: a provider is none that Glacier can build for.
    """
    return _Collector(env, recorded, whole).collected()


@dataclass(frozen=True)
class _Caller:
    """A step that needs resources: the pipeline, its node, and the label of the role under which it runs."""

    recorded: Recorded
    node: Node
    principal: str
    provider: Any


# Endings of the labels that providers make of a bucket's or a function's for what belongs to it.
_BESIDE_BUCKETS = ("_replica",)
_BESIDE_ROLES = ("_trust", "_tls_only", "_replication", "_schedule", "_starts_by_schedule", "_part")


class _Side:
    """What is collected for one provider."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.buckets: dict[str, BucketNeed] = {}
        self.functions: dict[str, FunctionNeed] = {}
        self.own: dict[str, FunctionNeed] = {}
        self.runners: dict[str, Runner] = {}
        self.grants: dict[tuple[str, str, str], Grant] = {}
        self.schedules: list[Schedule] = []

    @property
    def kind(self) -> str:
        return type(self.provider).__name__


class _Collector:
    def __init__(self, env: Any, recorded: Sequence[Recorded], whole: bool) -> None:
        self.env = env
        self.recorded = sorted(recorded, key=lambda each: each.pipeline.name)
        self.whole = whole
        self.sides: list[_Side] = []
        self.names = Labels(*_BESIDE_BUCKETS)
        self.roles = Labels(*_BESIDE_ROLES)
        self.warnings: dict[str, None] = {}

    def collected(self) -> Collected:
        self._find_sides()
        for name, found in sorted(self._by_name(Bucket).items()):
            self._bucket(name, found)
        for name, found in sorted(self._by_name(Serverless).items()):
            self._function(name, found)
        for each in self.recorded:
            self._pipeline(each)
        parts = [(side.provider, self._needs(side)) for side in sorted(self.sides, key=lambda side: side.kind)]
        return Collected(tuple(parts), tuple(sorted(self.warnings)))

    def _find_sides(self) -> None:
        """Name the providers in an order of their own, which does not hang on what was registered first."""
        for each in self._objects:
            if isinstance(each, Bucket | Serverless) and not self._is_local(each):
                self._side(each.provider)
        self.sides.sort(key=lambda side: side.kind)

    # --- resources ----------------------------------------------------------------------------------------------

    @cached_property
    def _objects(self) -> list[Any]:
        traced = [each for one in self.recorded for found in one.trace.resources.values() for each in found]
        return [*traced, *(self.env.resources.values() if self.whole else ())]

    def _is_local(self, resource: Any) -> bool:
        """Whether a resource is on this machine, where nothing has to be built."""
        local = getattr(resource.provider, "bucket_class", Bucket) is None
        if local:
            self._warn(f"{resource!r} is on this machine: nothing is generated for it")
        return local

    def _by_name(self, kind: type[Any]) -> dict[tuple[int, str], list[Any]]:
        """Return all resources of a kind by their side's place and their name in the cloud."""
        found: dict[tuple[int, str], list[Any]] = {}
        for each in self._objects:
            if isinstance(each, kind) and not self._is_local(each):
                name = each.bucket_name if isinstance(each, Bucket) else each.function_name
                found.setdefault((self.sides.index(self._side(each.provider)), name), []).append(each)
            elif not isinstance(each, Bucket | Serverless):
                self._warn(f"a {type(each).__name__} is no resource of Glacier: nothing is generated for it")
        return found

    def _side(self, provider: Any) -> _Side:
        provider = getattr(provider, "home", provider)
        for side in self.sides:
            if side.provider is provider or _same(side.provider, provider):
                return side
        if not callable(getattr(provider, "terraform", None)):
            raise InfrastructureError(
                f"{type(provider).__name__} of environment {self.env.name!r} generates no infrastructure",
                hint="give it a method terraform(needs), or use a provider of Glacier",
            )
        twin = next((side.provider for side in self.sides if type(side.provider) is type(provider)), None)
        if twin is not None:
            raise InfrastructureError(
                f"environment {self.env.name!r} uses two {type(provider).__name__}s with different configs",
                hint="one module has one of each: make an environment for each of them",
            )
        self.sides.append(_Side(provider))
        return self.sides[-1]

    def _bucket(self, name: tuple[int, str], found: list[Bucket]) -> None:
        side = self.sides[name[0]]
        effective = self._effective(f"bucket {name[1]!r}", found)
        registered = self._registered(found)
        label = self._label(self.names, side, found, name[1])
        config = _typed(side.provider.bucket_class, effective, f"bucket {name[1]!r}")
        paths = tuple(sorted({each.path for each in found}))
        if PLACEHOLDER in paths:
            raise InfrastructureError(
                f"bucket {name[1]!r} has the placeholder {PLACEHOLDER!r} as its path", hint="name a real one"
            )
        if config.existing:
            self._warn_of_ignored(name[1], effective)
        side.buckets[name[1]] = BucketNeed(name[1], label, config, effective, paths, registered)

    def _label(self, labels: Labels, side: _Side, found: Sequence[Any], name: str) -> str:
        first = self._first(found)
        return labels.of(name, side.kind) if first is None else labels.of(first, f"{side.kind} registered")

    def _warn_of_ignored(self, name: str, effective: Effective) -> None:
        said = {row.setting.partition(".")[0] for row in effective.rows if row.level == "resource"} - _OF_EXISTING
        if said:
            self._warn(f"bucket {name} is there already; nothing is done about its {', '.join(sorted(said))}")

    def _function(self, name: tuple[int, str], found: list[Serverless]) -> None:
        side, what = self.sides[name[0]], f"function {name[1]!r}"
        if len({(each.handler, each.runtime) for each in found}) > 1:
            raise ConfigError(f"{what} is defined with different handlers or runtimes", hint="give one of them a name")
        registered = self._registered(found)
        origin = f"resource {registered[0]}" if len(registered) == 1 else f"function {name[1]}"
        handler, callers = found[0].handler, self._timeouts(found)
        if handler == PLACEHOLDER:
            raise InfrastructureError(f"{what} has the placeholder {handler!r} as its handler", hint="name a real one")
        if "." not in handler:
            handler = f"main.{handler}"
        package = package_of(handler.rpartition(".")[0], self._folders)
        if package is None:
            self._warn(f"{what}: no file has its handler {handler!r}; build the zip and name it in the variable")
        side.functions[name[1]] = self._need(
            side,
            found,
            label=self._label(self.roles, side, found, name[1]),
            handler=handler,
            timeout=callers,
            package=package,
            variables={},
            origin=origin,
        )

    def _need(
        self,
        side: _Side,
        found: list[Serverless],
        *,
        label: str,
        handler: str,
        timeout: float | None,
        package: Package | None,
        variables: Mapping[str, str],
        origin: str,
    ) -> FunctionNeed:
        name, what = found[0].function_name, f"function {found[0].function_name!r}"
        if package is not None and package.left_out:
            some = ", ".join(package.left_out[:3]) + (", ..." if len(package.left_out) > 3 else "")
            self._warn(f"{what}: only Python files are in its package, and not {some}")
        effective = self._effective(what, found)
        config = _typed(side.provider.function_class, effective, what)
        runtime = getattr(config, "runtime", None) or found[0].runtime
        return FunctionNeed(
            name=name,
            label=label,
            handler=handler,
            runtime=None if runtime is None else runtime.removeprefix("python"),
            timeout=config.timeout or (None if timeout is None else math.ceil(timeout)),
            config=config,
            effective=effective,
            package=package,
            variables=variables,
            monitored=_is_monitored(effective),
            origin=origin,
        )

    def _effective(self, what: str, found: Sequence[Any]) -> Effective:
        """Return the settings of resources that are one thing in the cloud.

        Raises:
            ConfigError: they say different things.
        """
        spoken = [each for each in found if each.config is not None] or list(found[:1])
        settings = [self.env.resource_settings(each) for each in spoken]
        for each, other in zip(spoken, settings, strict=True):
            if other.values != settings[0].values:
                raise ConfigError(
                    f"{spoken[0]!r} and {each!r} are one {what} with different configs in environment "
                    f"{self.env.name!r}",
                    hint="give both the same config, or one of them none",
                )
        return settings[0]

    def _registered(self, found: Sequence[Any]) -> tuple[str, ...]:
        named = ((name, resource) for name, resource in self.env.resources.items())
        return tuple(sorted(name for name, resource in named if any(resource is each for each in found)))

    def _first(self, found: Sequence[Any]) -> str | None:
        """Return the name under which one of them was registered first: the same in environments that name the same."""
        named = self.env.resources.items()
        return next((name for name, resource in named if any(resource is each for each in found)), None)

    def _timeouts(self, found: Sequence[Any]) -> float | None:
        """Return the longest timeout of the tasks that call a function."""
        timeouts = [
            one.trace.graph[edge.target].config.get("timeout")
            for one in self.recorded
            for edge in one.trace.graph.edges
            if any(each is thing for each in found for thing in one.trace.resources.get(edge.source, ()))
        ]
        return max((timeout for timeout in timeouts if timeout is not None), default=None)

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        files = [Path(each.pipeline.fn.__code__.co_filename) for each in self.recorded]
        files += [Path(task.fn.__code__.co_filename) for each in self.recorded for task in each.trace.tasks.values()]
        near = [path.parent for path in files if path.is_file()]
        return tuple(dict.fromkeys((*near, Path.cwd())))

    # --- pipelines ----------------------------------------------------------------------------------------------

    def _pipeline(self, recorded: Recorded) -> None:
        for note in recorded.trace.approximations:
            where = f" ({Path(note.site.file).name}:{note.site.line})" if note.site else ""
            said = f"pipeline {recorded.pipeline.name}: {note.reason}{where}"
            self._warn(f"{said}; look whether all that it needs is there")
        for task in dict.fromkeys(recorded.trace.tasks.values()):
            for what in unseen(task):
                self._warn(
                    f"task {task.name}: it uses {what}, for which there is no permission; make them parameters, or ask "
                    "the environment for them by name"
                )
        if recorded.pipeline.schedule is not None:
            self._scheduled(recorded)
        callers = {node.key: self._caller(recorded, node) for node in recorded.trace.graph if node.kind != "resource"}
        for edge in recorded.trace.graph.edges:
            for resource in recorded.trace.resources.get(edge.source, ())[:1]:
                self._grant(callers[edge.target], resource, edge)

    def _caller(self, recorded: Recorded, node: Node) -> _Caller:
        task = recorded.trace.tasks.get(node.key)
        if task is None or self._computes_here or node.config.get("executor") not in FUNCTION_EXECUTORS:
            return _Caller(recorded, node, "", None)
        name = f"{recorded.pipeline.name}-{task.name}"
        function = self._own_function(name, task.fn, node.config.get("timeout"), f"task {task.name}")
        side, use = self._side(self.env.compute), Use(recorded.pipeline.name, task.name, node.site)
        called = Serverless(side.provider, function.name, function.handler)
        self._keep(side, self._runner(side, recorded), called, ("call",), use)
        return _Caller(recorded, node, function.label, self.env.compute)

    @cached_property
    def _computes_here(self) -> bool:
        """Whether functions run on this machine, where nothing has to be built for them."""
        return getattr(self.env.compute, "function_class", None) is None

    def _scheduled(self, recorded: Recorded) -> None:
        pipeline = recorded.pipeline
        if self._computes_here:
            self._warn(f"pipeline {pipeline.name}: its functions run on this machine, where nothing keeps its schedule")
            return
        given = pipeline.signature.known(pipeline.name, self.env, {})
        if lacking := [each.name for each in pipeline.signature.parameters.values() if _is_lacking(each, given)]:
            self._warn(
                f"pipeline {pipeline.name}: its schedule starts it without parameters, and it needs "
                f"{', '.join(lacking)}; give them defaults"
            )
        timeout = _longest([node.config for node in recorded.trace.graph.tasks])
        function = self._own_function(f"{pipeline.name}-runner", pipeline.fn, timeout, f"pipeline {pipeline.name}")
        code = pipeline.fn.__code__
        site = Site(code.co_filename, code.co_firstlineno)
        self._side(self.env.compute).schedules.append(Schedule(pipeline.name, pipeline.schedule, function, site))

    def _own_function(self, name: str, fn: Callable[..., Any], timeout: float | None, origin: str) -> FunctionNeed:
        """Return the function as which a task or a pipeline runs."""
        side, key = self._side(self.env.compute), f"{name} {origin} {fn.__module__}:{fn.__qualname__}"
        if key not in side.own:
            function = self._made(side, _unlike(side.functions, _function_name(name), key), fn, timeout, origin)
            side.own[key] = side.functions[function.name] = function
        return side.own[key]

    def _made(self, side: _Side, name: str, fn: Callable[..., Any], timeout: float | None, origin: str) -> FunctionNeed:
        module, folder = _home_of(fn)
        target = self._name_of(fn)
        entry = {f"{ENTRY}.py": (Path(__file__).parent / "entry.py").read_bytes()}
        package = package_of(module, (folder,), entry) if folder and target else None
        if package is None:
            why = "is defined in no file" if folder is None else "has no name of its own in a module"
            self._warn(
                f"{origin}: it {why}, so that its function cannot find it; move it to a module, or build the zip and "
                "name it in the variable"
            )
        else:
            self._warn_of_environment(fn, origin)
        return self._need(
            side,
            [Serverless(side.provider, name, f"{ENTRY}.handler")],
            label=self.roles.of(name, side.kind),
            handler=f"{ENTRY}.handler",
            timeout=timeout,
            package=package,
            variables={"GLACIER_TARGET": f"{module}:{target or fn.__name__}", "GLACIER_HOME": "/tmp/.glacier"},  # noqa: S108
            origin=origin,
        )

    def _name_of(self, fn: Callable[..., Any]) -> str | None:
        """Return the name by which its module knows a task or a pipeline of this environment, else of any, else none.

        A function that is known there only as itself is found too, and runs without an environment.
        """
        bound = {name: each for name, each in fn.__globals__.items() if _is_of(each, fn)}
        mine = [name for name, each in bound.items() if self._is_mine(each)]
        plain = [name for name, each in fn.__globals__.items() if each is fn]
        return next(iter((*mine, *bound, *plain)), None)

    def _is_mine(self, defined: Any) -> bool:
        return defined.env is not None and defined.env.configuration() == self.env.configuration()

    def _warn_of_environment(self, fn: Callable[..., Any], origin: str) -> None:
        """Say so where a function will not find in its file the environment for which it is generated."""
        defined = fn.__globals__[str(self._name_of(fn))]
        if getattr(defined, "env", None) is None:
            self._warn(
                f"{origin}: in its file it has no environment, and its function has no resources but its event's"
            )
        elif not self._is_mine(defined):
            self._warn(
                f"{origin}: in its file it belongs to environment {defined.env.name!r}, and there its function runs; "
                f"define it in {self.env.name!r}"
            )

    # --- grants -------------------------------------------------------------------------------------------------

    def _grant(self, caller: _Caller, resource: Any, edge: Edge) -> None:
        if not isinstance(resource, Bucket | Serverless) or self._is_local(resource):
            return
        side = self._side(resource.provider)
        if caller.provider is not None and self._side(caller.provider) is not side:
            self._warn(
                f"task {caller.node.name} runs on {caller.provider.get_provider_type()} and needs {resource!r}: "
                "give its function credentials of that cloud"
            )
            return
        deeds = sorted(_deeds(caller, resource, edge))
        if deeds:
            principal = caller.principal or self._runner(side, caller.recorded)
            self._keep(side, principal, resource, deeds, _use(caller))

    def _keep(self, side: _Side, principal: str, resource: Any, deeds: Iterable[Deed], use: Use) -> None:
        uses = dict.fromkeys(deeds, (use,))
        if isinstance(resource, Bucket):
            grant = Grant(principal, uses, side.buckets[resource.bucket_name], None, resource.path)
            key = (principal, f"bucket {resource.bucket_name}", resource.path)
        else:
            grant = Grant(principal, uses, None, side.functions[resource.function_name])
            key = (principal, f"function {resource.function_name}", "")
        known = side.grants.get(key)
        side.grants[key] = grant if known is None else _merged(known, grant)

    def _runner(self, side: _Side, recorded: Recorded) -> str:
        pipeline = recorded.pipeline
        if pipeline.schedule is not None and not self._computes_here:
            mine = next((each.function for each in side.schedules if each.pipeline == pipeline.name), None)
            if mine is not None:
                return mine.label
            self._warn(f"pipeline {pipeline.name}: its runner needs credentials of {side.provider.get_provider_type()}")
        label = self.roles.of(f"{pipeline.name}-runner", "runner")
        side.runners.setdefault(pipeline.name, Runner(pipeline.name, label))
        return label

    # --- results ------------------------------------------------------------------------------------------------

    def _needs(self, side: _Side) -> Needs:
        tags = _tags(self.env.resource_settings(Bucket(side.provider, "any", "any")))
        return Needs(
            environment=self.env.name,
            only="" if self.whole else "-".join(each.pipeline.name for each in self.recorded),
            pipelines=tuple(each.pipeline.name for each in self.recorded),
            labels=self.names,
            buckets=_by_label(side.buckets),
            functions=_by_label(side.functions),
            runners=_sorted(side.runners),
            grants=tuple(sorted(side.grants.values(), key=_place)),
            schedules=tuple(sorted(side.schedules, key=lambda each: each.pipeline)),
            tags=tags,
            monitored=tags.get("monitoring") == "enabled",
        )

    def _warn(self, line: str) -> None:
        self.warnings[line] = None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one.config == other.config


def _typed(kind: type[Any] | None, effective: Effective, what: str) -> Any:
    """Return effective settings as a provider's own class.

    Raises:
        ConfigError: what several levels say does not fit together.
    """
    if kind is None:
        raise InfrastructureError(f"{what} is of a provider without infrastructure", hint="use a cloud's provider")
    values = {name: value for name, value in effective.values.items() if name in kind.model_fields}
    try:
        return kind(**values)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, line['loc']))}: {line['msg']}" for line in error.errors())
        raise ConfigError(f"{what}: its effective settings do not fit together: {said}") from error


_OF_EXISTING = {"existing", "storage_account", "encryption", "kms_key"}
"""What is said of a bucket that is there already, and not what it should be like."""


def _longest(tasks: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how long tasks may take one after another with all their attempts, None where one of them has no limit."""
    timeouts = [each.get("timeout") for each in tasks]
    if not timeouts or None in timeouts:
        return None
    return sum(timeout * (1 + each.get("retries", 0)) for timeout, each in zip(timeouts, tasks, strict=True))


def _is_lacking(parameter: inspect.Parameter, given: Mapping[str, Any]) -> bool:
    some = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not some and parameter.default is parameter.empty and parameter.name not in given


def _is_of(value: Any, fn: Callable[..., Any]) -> bool:
    """Whether a value is a task or a pipeline of a function; other values are not asked, they may be lazy."""
    return type(value).__module__ == "glacier.tasks" and getattr(value, "fn", None) is fn


def _is_monitored(effective: Effective) -> bool:
    return _tags(effective).get("monitoring") == "enabled"


def _tags(effective: Effective) -> Mapping[str, str]:
    values = effective.values
    return values.get("tags") or values.get("labels") or cast("Mapping[str, str]", {})


def _home_of(fn: Callable[..., Any]) -> tuple[str, Path | None]:
    """Return the module by which a function's file is imported, and the folder that it is imported from."""
    path = Path(fn.__code__.co_filename)
    if not path.is_file():
        return fn.__module__, None
    parts = fn.__module__.split(".")
    if parts[-1] != path.stem:
        return path.stem, path.parent
    return fn.__module__, path.parents[len(parts) - 1]


def _function_name(name: str) -> str:
    """Return a name that every cloud takes for a function: at most 63 lower-case letters, digits and hyphens."""
    plain = identifier(name).strip("_").replace("_", "-")
    if len(plain) <= 63 and plain[0].isalpha():
        return plain
    return f"g-{plain[:50]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _unlike(taken: Mapping[str, Any], name: str, key: str) -> str:
    """Return a function's name that is not taken; a second one gets a mark of what it is, the same in every run."""
    return name if name not in taken else f"{name[:54].rstrip('-')}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


_OF_BUCKETS: frozenset[Deed] = frozenset({"look", "read", "write", "delete"})
_OF_FUNCTIONS: frozenset[Deed] = frozenset({"look", "call", "log"})


def _deeds(caller: _Caller, resource: Any, edge: Edge) -> frozenset[Deed]:
    """Return what a step does with a resource, as far as its source shows."""
    possible = _OF_BUCKETS if isinstance(resource, Bucket) else _OF_FUNCTIONS
    task = caller.recorded.trace.tasks.get(caller.node.key)
    if task is not None:
        return possible & task.usage.deeds.get(edge.name, UNKNOWN)
    deed: Deed = DEEDS.get(caller.node.name, "read") if edge.name == "self" else "read"
    return possible & {deed}


def _use(caller: _Caller) -> Use:
    name = caller.node.name if caller.node.kind == "task" else f"{caller.node.name}()"
    return Use(caller.recorded.pipeline.name, name, caller.node.site)


def _merged(one: Grant, other: Grant) -> Grant:
    uses = dict(one.uses)
    for deed, more in other.uses.items():
        uses[deed] = tuple(dict.fromkeys((*uses.get(deed, ()), *more)))
    return replace(one, uses=uses)


def _by_label(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return needs in an order that environments with other names in the cloud share."""
    return tuple(sorted(found.values(), key=lambda need: need.label))


def _place(grant: Grant) -> tuple[str, bool, str, str]:
    need = grant.bucket or grant.function
    return grant.principal, grant.bucket is None, "" if need is None else need.label, grant.path


def _sorted(found: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(found[key] for key in sorted(found))
