"""GlacierEnv: the container that knows a provider, resources, tasks and pipelines by name."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from glacier import context, home, modes, registry
from glacier.card import Card, card_of
from glacier.errors import ConfigError, GlacierWarning, MissingDependencyError, ResourceNotFoundError, did_you_mean
from glacier.execution.caching import place
from glacier.names import ENVIRONMENT, RESOURCE
from glacier.recording import Recorder
from glacier.resources import Bucket, Serverless
from glacier.settings import Effective, Level, Settings, TaskConfig, cascade, defaults
from glacier.state import PipelineState, ResourceState, State, TaskState, shown, write_state
from glacier.tables import counted
from glacier.tasks import Pipeline, Task, task_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from glacier.execution.events import Listener
    from glacier.execution.journal import History, RunRecord
    from glacier.execution.options import RunOptions
    from glacier.infrastructure.collect import Recorded
    from glacier.infrastructure.export import Generated
    from glacier.infrastructure.options import ExportOptions

    Guard: TypeAlias = Callable[[Task | Pipeline, Mapping[str, Any]], bool]

__all__ = ["Defaults", "GlacierEnv"]


@dataclass(frozen=True)
class Defaults:
    """Settings that everything in an environment inherits: one level of the cascade, called `level`.

    `bucket` and `serverless` are a cloud's config classes, `task` a TaskConfig; `tags` go to every resource.
    """

    level: str = "environment"
    bucket: Settings | None = None
    serverless: Settings | None = None
    task: TaskConfig | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class GlacierEnv:
    """An environment: one provider, and the resources, tasks and pipelines that work with it.

    Environments do not know of each other, so several live side by side in one process. Settings cascade from the
    provider through the environment's `defaults` to each resource and task; `explain` shows where a value came from.

    Attributes:
        name: what the environment is called.
        debug: compute each task's LazyFrame at once, so that an error is raised by the task that built the failing
            step, and rows and times are each task's own; without it plans pass through and are optimized as one.
        max_workers: threads that run steps side by side, None for the default.
        dask: address of the Dask scheduler for tasks with `executor="dask"`, None for `DASK_SCHEDULER_ADDRESS`.
        cache: where results of tasks with `cache=True` are kept: None for the project's folder with the default limit,
            its limit in bytes or as text such as "5 GB", a bucket, or the name of a registered one.
        protected: whether people should be asked before a run writes here; nothing in the library asks by itself.
        guard: called with a task or pipeline and its parameters before it runs here; it raises to refuse (`admit`),
            and returns whether the run may write here.
        listeners: called with every event of every run here, besides those of the run itself (`Pipeline.run`).
        outputs: what the infrastructure was called when it was deployed, as `glacier.deploy.deploy(..., env=env)` said.
    """

    def __init__(
        self,
        provider: Any,
        name: str = "default",
        *,
        debug: bool = False,
        resources: Mapping[str, Any] | None = None,
        defaults: Defaults | Iterable[Defaults] = (),
        max_workers: int | None = None,
        dask: str | None = None,
        cache: int | str | Bucket | None = None,
        protected: bool = False,
    ) -> None:
        self.name = ENVIRONMENT.check(name)
        self.protected = protected
        self._guard: Guard | None = None
        self.listeners: list[Listener] = []
        self.debug = debug
        self.max_workers = max_workers
        self.dask = dask
        self.cache = place(cache)
        self.outputs: dict[str, Any] = {}
        self._provider = provider
        self._defaults = (defaults,) if isinstance(defaults, Defaults) else tuple(defaults)
        self._resources: dict[str, Any] = {}
        self._tasks: dict[str, Task] = {}
        self._pipelines: dict[str, Pipeline] = {}
        for each, resource in (resources or {}).items():
            self.register(each, resource)

    # --- making environments ------------------------------------------------------------------------------------

    @classmethod
    def from_provider(cls, provider_type: str, config: Any = None, name: str = "default", **options: Any) -> GlacierEnv:
        """Make an environment from the name of a provider and its config.

        Raises:
            ConfigError: there is no such provider, or the config belongs to another one.
        """
        return cls(registry.load("providers", provider_type)(config=config), name, **options)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> GlacierEnv:
        """Make an environment from environment variables; a keyword beats a variable, a variable beats a default.

        `GLACIER_PROVIDER` (default `local`) names the provider, `GLACIER_ENV` the environment, `GLACIER_DEBUG` turns
        debugging on. The provider's config class lists the variables of its own fields (`VARIABLES`). Keywords are
        `provider`, `name`, `debug`, `resources`, `defaults`, `max_workers`, `dask`, `cache`, `protected`, and the
        fields of the provider's config.

        Raises:
            ConfigError: a variable is empty, unknown or missing; the error names it.
        """
        variables = os.environ if environ is None else environ
        kind = registry.load(
            "providers", options.pop("provider", None) or _variable(variables, "GLACIER_PROVIDER", "local")
        )
        named = {key: options.pop(key) for key in _OPTIONS if key in options}
        name = options.pop("name", None) or _variable(variables, "GLACIER_ENV", "default")
        debug = options.pop("debug", None)
        if debug is None:
            debug = _variable(variables, "GLACIER_DEBUG", "0").lower() in {"1", "true", "yes", "on"}
        return cls(kind.from_variables(variables, **options), name, debug=debug, **named)

    @classmethod
    def compose(cls, *, storage: Any, compute: Any, name: str = "default", **options: Any) -> GlacierEnv:
        """Make an environment whose buckets come from one provider and whose functions from another."""
        return cls(_Composed(storage, compute), name, **options)

    # --- asking -------------------------------------------------------------------------------------------------

    @property
    def guard(self) -> Guard | None:
        """Who is asked before a task or pipeline runs here, None where nobody is."""
        return self._guard

    @guard.setter
    def guard(self, guard: Guard | None) -> None:
        self._guard = guard
        (context.guarded.discard if guard is None else context.guarded.add)(self)

    # --- the provider -------------------------------------------------------------------------------------------

    @property
    def provider(self) -> Any:
        """The provider; in a composed environment it makes buckets with one and functions with the other."""
        return self._here()._provider

    @property
    def storage(self) -> Any:
        """The provider of buckets."""
        provider = self.provider
        return provider.storage_provider if isinstance(provider, _Composed) else provider

    @property
    def compute(self) -> Any:
        """The provider of functions."""
        provider = self.provider
        return provider.compute_provider if isinstance(provider, _Composed) else provider

    # --- the registry -------------------------------------------------------------------------------------------

    def register(self, name: str, resource: Any) -> Any:
        """Register a resource under a name and return it; an earlier one of that name is replaced, with a warning.

        Raises:
            ConfigError: the name is not legal, or differs from another only in case.
        """
        known = self._here()._resources
        name = RESOURCE.check(name, where=f"in environment {self.name!r}")
        twin = next((each for each in known if each != name and each.casefold() == name.casefold()), None)
        if twin is not None:
            raise ConfigError(
                f"environment {self.name!r} already has a resource {twin!r}, which differs from {name!r} only in case",
                hint="choose another name",
            )
        if name in known and known[name] is not resource:
            _say(f"resource {name!r} of environment {self.name!r} is replaced; what was made with the old one is stale")
        known[name] = resource
        return resource

    def get(self, name: str) -> Any:
        """Return the resource registered under `name`.

        Raises:
            ResourceNotFoundError: there is none; the error suggests the nearest name.
        """
        known = self._here()._resources
        if name not in known:
            raise ResourceNotFoundError(
                f"environment {self._here().name!r} has no resource {name!r}", hint=did_you_mean(str(name), known)
            )
        recorder = context.recorder.get()
        if isinstance(recorder, Recorder):
            recorder.resource(known[name], name)
        return known[name]

    @property
    def resources(self) -> Mapping[str, Any]:
        """The registered resources by name, read-only."""
        return MappingProxyType(self._here()._resources)

    def list_resources(self) -> list[str]:
        """Return the names of the registered resources, in the order of registration."""
        return list(self._here()._resources)

    # --- tasks and pipelines ------------------------------------------------------------------------------------

    @overload
    def task(self, fn: Callable[..., Any], /) -> Task: ...
    @overload
    def task(
        self, fn: None = None, /, *, name: str | None = None, config: TaskConfig | None = None, **settings: Any
    ) -> Callable[[Callable[..., Any]], Task]: ...
    def task(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        config: TaskConfig | None = None,
        **settings: Any,
    ) -> Any:
        """Make a task of a function: `@env.task()`, `@env.task` or `@env.task(timeout=300, retries=3)`.

        Settings that are not given are inherited from the environment. A task of the same name is replaced.

        Raises:
            ConfigError: the name is no legal task name, or the executor is unknown.
            ValidationError: a setting is out of its bounds (pydantic's error, all of them at once).
        """
        own = task_config(config, settings)

        def decorate(function: Callable[..., Any]) -> Task:
            return self._keep(self._tasks, Task(function, self, name=name, own=own), "task")

        return decorate if fn is None else decorate(fn)

    @overload
    def pipeline(self, fn: Callable[..., Any], /) -> Pipeline: ...
    @overload
    def pipeline(
        self, fn: None = None, /, *, name: str | None = None, schedule: str | None = None
    ) -> Callable[[Callable[..., Any]], Pipeline]: ...
    def pipeline(
        self, fn: Callable[..., Any] | None = None, /, *, name: str | None = None, schedule: str | None = None
    ) -> Any:
        """Make a pipeline of a function: `@env.pipeline()`, `@env.pipeline` or `@env.pipeline(name="...")`.

        `schedule`, such as `"rate(1 hour)"` or `"cron(0 6 * * 1-5)"` (UTC), is for generated infrastructure: there the
        pipeline runs by itself.

        Raises:
            ConfigError: the name is no legal pipeline name, or the schedule is none.
        """

        def decorate(function: Callable[..., Any]) -> Pipeline:
            return self._keep(self._pipelines, Pipeline(function, self, name=name, schedule=schedule), "pipeline")

        return decorate if fn is None else decorate(fn)

    def bind(self, target: Any) -> Any:
        """Return a copy of a task or pipeline that belongs to this environment; the original stays as it is."""
        if isinstance(target, Task):
            return self._keep(self._tasks, target.bound_to(self), "task")
        if isinstance(target, Pipeline):
            return self._keep(self._pipelines, target.bound_to(self), "pipeline")
        raise ConfigError(
            f"environment {self.name!r} can bind a task or a pipeline, not {type(target).__name__}",
            hint="decorate the function with @task first",
        )

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks, in the order of definition."""
        return list(self._here()._tasks)

    @property
    def pipelines(self) -> list[str]:
        """The names of the pipelines, in the order of definition."""
        return list(self._here()._pipelines)

    def find_task(self, name: str) -> Task:
        """Return the task of that name.

        Raises:
            ResourceNotFoundError: there is none; the error suggests the nearest name.
        """
        return self._named(self._here()._tasks, name, "task")

    def find_pipeline(self, name: str) -> Pipeline:
        """Return the pipeline of that name.

        Raises:
            ResourceNotFoundError: there is none; the error suggests the nearest name.
        """
        return self._named(self._here()._pipelines, name, "pipeline")

    def _named(self, known: Mapping[str, Any], name: str, what: str) -> Any:
        if name not in known:
            message = f"environment {self._here().name!r} has no {what} {name!r}"
            raise ResourceNotFoundError(message, hint=did_you_mean(name, known))
        return known[name]

    def run(
        self,
        pipeline: Pipeline,
        mode: str,
        body: Callable[[], Any],
        params: dict[str, Any],
        *,
        options: RunOptions,
        resumes: RunRecord | None = None,
        export: ExportOptions | None = None,
    ) -> Any:
        """Run a pipeline's body in a mode; `Pipeline.run` and `Pipeline.resume` are the ways to call this."""
        if mode != "local":
            return modes.run(mode, pipeline, self, body, params, export=export)
        with self.admit(pipeline, params):
            return modes.run(mode, pipeline, self, body, params, options=options, resumes=resumes)

    @property
    def runs(self) -> History:
        """The runs of this environment's pipelines, newest first: `env.runs[0]`, or `env.runs["3f2a"]` by its id."""
        from glacier.execution.journal import History

        return History(home.home(), self._here().name)

    def admit(self, target: Task | Pipeline, params: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Let the `guard`, if there is one, object to a run of a task or pipeline with these parameters.

        Returns the block in which it runs: nothing in it writes here where the guard did not agree to that, nor to
        another environment that asks.
        """
        is_open = self.guard is None or not self.protected or self.guard(target, params)
        known = context.writable.get() or frozenset()
        return context.using(context.writable, known | {self} if is_open else known)

    def owns(self, resource: Any) -> bool:
        """Whether a resource is of one of the providers of this environment."""
        provider = getattr(resource, "provider", None)
        return provider is not None and any(provider is each for each in (self.provider, self.storage, self.compute))

    def export(self, output_dir: str | os.PathLike[str] = "terraform", **options: Any) -> Generated:
        """Write the infrastructure of all pipelines and registered resources as Terraform; `options` as ExportOptions.

        Returns what `Pipeline.run(mode="generate")` does. With `environments=` the module is that of these: each
        has its own resources and pipelines, and this one's pipelines besides.

        Raises:
            InfrastructureError: there is nothing to generate, or a file is not Glacier's to replace.
        MissingDependencyError: a pipeline has a parameter that nothing can fill.
        """
        from glacier.infrastructure.export import Target, export

        environments = tuple(options.pop("environments", ())) or (self,)
        targets = [Target(each, self._recorded_in(each), whole=True) for each in environments]
        return export(targets, output_dir, **options)

    def _recorded_in(self, env: GlacierEnv) -> list[Recorded]:
        return [_recorded(each, env) for each in env.joined_by(self._here()._pipelines.values())]

    def joined_by(self, pipelines: Iterable[Pipeline]) -> list[Pipeline]:
        """Return this environment's pipelines, and others bound to it, which are not listed here.

        Where it has one of the same function the other stands in its place: what its body calls may belong elsewhere by
        now. One of another function that is called as its own is left out.
        """
        own, others = self._here()._pipelines, [each for each in pipelines if each.env is not self]
        fits = [each for each in others if each.name not in own or own[each.name].fn is each.fn]
        return list({**own, **{each.name: each.bound_to(self) for each in fits}}.values())

    # --- settings -----------------------------------------------------------------------------------------------

    def explain(self, name: str) -> Effective:
        """Return the effective settings of a resource or task, each with the level of the cascade it came from.

        The levels are, outermost first: default, provider, those of the environment's `defaults`, resource or task.

        Raises:
            ResourceNotFoundError: the environment knows nothing of that name.
        """
        here = self._here()
        if name in here._resources:
            return self.resource_settings(here._resources[name])
        if name in here._tasks:
            return self.task_settings(here._tasks[name].own)
        known = [*here._resources, *here._tasks]
        raise ResourceNotFoundError(
            f"environment {here.name!r} has no resource or task {name!r}", hint=did_you_mean(name, known)
        )

    def task_settings(self, own: TaskConfig) -> Effective:
        """Return the effective settings of a task with these settings of its own."""
        levels = [Level(each.level, _given(each.task)) for each in self._here()._defaults]
        return cascade(defaults(TaskConfig), *levels, Level("task", own.set_fields()))

    def resource_settings(self, resource: Any) -> Effective:
        """Return the effective settings of a resource; one that Glacier did not make has none."""
        if isinstance(resource, Bucket):
            return self._settings_of(resource, "bucket")
        if isinstance(resource, Serverless):
            return self._settings_of(resource, "serverless")
        return cascade()

    def _settings_of(self, resource: Any, kind: str) -> Effective:
        provider = resource.provider
        levels = [Level("provider", provider.config.set_fields())]
        for each in self._here()._defaults:
            own = provider.translated(kind, each.bucket if kind == "bucket" else each.serverless)
            levels.append(Level(each.level, {**provider.tagged(each.tags), **_given(own)}))
        return cascade(*provider.defaults(kind), *levels, Level("resource", _given(resource.config)))

    # --- state --------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, list[str]]:
        """Return the names of all `resources`, `tasks` and `pipelines`."""
        return {"resources": self.list_resources(), "tasks": self.tasks, "pipelines": self.pipelines}

    def describe(self) -> State:
        """Return everything the environment consists of, with effective settings and without secrets."""
        here = self._here()
        return State(
            environment=here.name,
            protected=here.protected,
            provider=_provider_state(here._provider),
            resources=[self._resource_state(name, resource) for name, resource in here._resources.items()],
            tasks=[TaskState(name=name, config=shown(self.explain(name))) for name in here._tasks],
            pipelines=[PipelineState(name=name) for name in here._pipelines],
        )

    def card(self) -> Card:
        """Return on one card where the environment is, whether it is protected, and what is registered in it."""
        return card_of(self.describe())

    def export_state(self, path: str | os.PathLike[str]) -> Path:
        """Write `describe()` as versioned JSON to a file, making its folders, and return the file's path."""
        return write_state(self.describe(), path)

    def configuration(self) -> str:
        """Return what the provider is set to and what everything inherits, as text without secrets."""
        import json

        here = self._here()
        levels = [shown(cascade(Level("", _given(part)))) for each in here._defaults for part in _parts(each)]
        return json.dumps([here.name, _provider_state(here._provider), levels], sort_keys=True, default=str)

    def _resource_state(self, name: str, resource: Any) -> ResourceState:
        config = shown(self.resource_settings(resource))
        if isinstance(resource, Bucket):
            return ResourceState(name=name, kind="bucket", uri=resource.uri, format=resource.format, config=config)
        kind = "serverless" if isinstance(resource, Serverless) else type(resource).__name__
        return ResourceState(name=name, kind=kind, config=config)

    # --- showing ------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """On the way to a task's process, leave behind what may hold anything of the user's, and who listens here."""
        sent = context.carried.get() is not None
        left: dict[str, Any] = {"_tasks": {}, "_pipelines": {}, "_guard": None, "listeners": []}
        return {**vars(self), **left} if sent else vars(self)

    def __repr__(self) -> str:
        here = self._here()
        known = ((here._resources, "resource"), (here._tasks, "task"), (here._pipelines, "pipeline"))
        counts = ", ".join(counted(len(each), what) for each, what in known)
        protected = " (protected)" if here.protected else ""
        return f"<GlacierEnv {here.name!r}{protected} on {_provider_text(here._provider)}: {counts}>"

    def _repr_html_(self) -> str:
        return self.card().html()

    # --- inside -------------------------------------------------------------------------------------------------

    def _here(self) -> GlacierEnv:
        """The environment that answers: another one, while a pipeline bound to that one runs."""
        return context.stand_in(self)

    def _keep(self, known: dict[str, Any], new: Any, what: str) -> Any:
        old = known.get(new.name)
        if old is not None and _origin(old.fn) != _origin(new.fn):
            _say(f"{what} {new.name!r} of environment {self.name!r} is defined twice; the newest is used from now on")
        known[new.name] = new
        return new


_OPTIONS = ("resources", "defaults", "max_workers", "dask", "cache", "protected")


class _Composed:
    """Two providers that act as one: buckets from the first, functions from the second."""

    def __init__(self, storage: Any, compute: Any) -> None:
        self.storage_provider = storage
        self.compute_provider = compute

    @property
    def config(self) -> Any:
        """The config of the storage provider."""
        return self.storage_provider.config

    def bucket(self, *args: Any, **kwargs: Any) -> Any:
        """Make a bucket with the storage provider."""
        return self.storage_provider.bucket(*args, **kwargs)

    def serverless(self, *args: Any, **kwargs: Any) -> Any:
        """Make a function with the compute provider."""
        return self.compute_provider.serverless(*args, **kwargs)

    def env(self, name: str = "default", **options: Any) -> GlacierEnv:
        """Make another environment of the same two providers."""
        return GlacierEnv(self, name, **options)

    def get_provider_type(self) -> str:
        """Return both types, storage first."""
        return f"{self.storage_provider.get_provider_type()}+{self.compute_provider.get_provider_type()}"

    def __repr__(self) -> str:
        return f"{self.storage_provider!r} for storage and {self.compute_provider!r} for compute"


def _variable(variables: Mapping[str, str], name: str, default: str) -> str:
    value = variables.get(name, default)
    if not value.strip():
        raise ConfigError(f"the environment variable {name} is empty", hint=f"unset it, or set it, such as {default!r}")
    return value


def _given(config: Settings | None) -> Mapping[str, Any]:
    return {} if config is None else config.set_fields()


def _parts(defaults: Defaults) -> tuple[Settings | None, ...]:
    return defaults.bucket, defaults.serverless, defaults.task


def _provider_text(provider: Any) -> str:
    return repr(provider) if not isinstance(provider, _Composed) else f"{provider.get_provider_type()}"


def _provider_state(provider: Any) -> dict[str, Any]:
    if isinstance(provider, _Composed):
        return {**_provider_state(provider.storage_provider), "compute": _provider_state(provider.compute_provider)}
    config = provider.config
    given = shown(cascade(Level("provider", config.set_fields()))) if isinstance(config, Settings) else {}
    return {"type": type(provider).__name__, "config": given}


def _recorded(pipeline: Pipeline, env: GlacierEnv) -> Recorded:
    try:
        return modes.recorded(pipeline, env, pipeline.body)
    except MissingDependencyError as error:
        hint = f"give it a default, or export this pipeline alone: {pipeline.name}.run('generate', PARAMETER=...)"
        raise MissingDependencyError(error.message, hint=hint) from error


def _origin(fn: Callable[..., Any]) -> tuple[str, str]:
    """Where a function comes from: a notebook cell that is run again gives the same function anew."""
    return fn.__module__, fn.__qualname__


def _say(line: str) -> None:
    warnings.warn(line, GlacierWarning, stacklevel=4)
