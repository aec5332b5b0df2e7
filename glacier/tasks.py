"""Tasks and pipelines: plain functions that belong to an environment."""

from __future__ import annotations

import inspect
from functools import cached_property, partial, update_wrapper
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

from glacier import context, registry
from glacier.errors import ConfigError, UnboundTaskError
from glacier.execution.attempts import Call, Job, attempt
from glacier.execution.options import OPTION_NAMES, RunOptions, check_parameters, names_of
from glacier.infrastructure.options import ExportOptions
from glacier.injection import Inject, Signature
from glacier.names import PIPELINE, TASK
from glacier.recording import Recorder, nest, sites
from glacier.redaction import learn
from glacier.schedules import schedule as read_schedule
from glacier.settings import TaskConfig
from glacier.usage import SourceUsage, source_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from glacier.cache.store import Why
    from glacier.environment import GlacierEnv
    from glacier.execution.events import Listener
    from glacier.execution.journal import RunRecord
    from glacier.execution.planning import RunPlan
    from glacier.execution.run import Run
    from glacier.execution.stepping import Stepper
    from glacier.graph import Graph
    from glacier.schedules import Cron, Rate

    Name: TypeAlias = "str | Task"
    Names: TypeAlias = "Name | Iterable[Name] | None"

__all__ = ["Inject", "Pipeline", "Task", "task", "task_config"]


class Task:
    """A function with execution settings, bound to an environment (`env`) or still unbound (`env` is None).

    Called in a pipeline body it becomes a step of the pipeline; called inside another task it is a plain call; called
    anywhere else it runs at once, with its retries and timeout, and returns the plain value. Missing parameters are
    filled as `Signature` says. `fn` is the plain function.
    """

    def __init__(
        self, fn: Callable[..., Any], env: GlacierEnv | None = None, *, name: str | None = None, own: TaskConfig
    ) -> None:
        self.fn: Callable[..., Any] = _plain_function("task", fn)
        self.env: Any = env
        self.name = TASK.check(name or _name_of("task", fn))
        self.own = own
        self.signature = Signature(fn)
        """The parameters and what can fill them."""
        self._usage: SourceUsage | None = None
        self._settings: dict[Any, Mapping[str, Any]] = {}
        update_wrapper(self, fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become a step of the pipeline being recorded, or run at once.

        Raises:
            UnboundTaskError: the task belongs to no environment.
            MissingDependencyError: a parameter is neither given nor known to the environment.
            PipelineError: the pipeline being recorded belongs to another environment.
        """
        recorder = context.recorder.get()
        if recorder is not None and self.env is not None:
            return cast("Recorder", recorder).call(self, args, kwargs)
        env = self._bound_env()
        args, filled = self.signature.fill("task", self.name, env, args, kwargs)
        learn((*args, *filled.values()))
        if context.usage.get() is not None:
            return self.fn(*args, **filled)
        with env.admit(self, dict(self.signature.named(args, filled))):
            return attempt(Call(self.fn, args, filled), Job(self.name, self.settings(env), env))

    def run(self, mode: str = "local", **params: Any) -> Any:
        """Run the task alone, as a pipeline of one step, in the mode and with the results of `Pipeline.run`.

        A parameter of the task that has the name of an option of `Pipeline.run` is the task's.

        Raises:
            UnboundTaskError: the task belongs to no environment.
            MissingDependencyError: a parameter is neither given nor known to the environment.
        """
        options, own = RunOptions.split(params, self.signature.parameters)
        return self.as_pipeline().run_with(mode, own, options)

    def map(self, *values: Iterable[Any], **fixed: Any) -> list[Any]:
        """Call the task once for each item, as the builtin `map` does, with `fixed` keywords for every call."""
        return [self(*each, **fixed) for each in zip(*values, strict=True)]

    def as_pipeline(self) -> Pipeline:
        """Return a pipeline of the task's name whose only step is this task; it is not listed in the environment."""

        def body(**params: Any) -> Any:
            return self(**params)

        return Pipeline(body, self._bound_env(), name=self.name)

    def bind(self, env: GlacierEnv) -> Task:
        """Return a new task of the same function and settings that belongs to `env`; this one stays as it is."""
        return env.bind(self)

    def bound_to(self, env: GlacierEnv) -> Task:
        """Return what `bind` does, without listing it in `env`."""
        return Task(self.fn, env, name=self.name, own=self.own)

    @property
    def config(self) -> TaskConfig:
        """The effective settings: the defaults, refined by the environment, refined by the task's own."""
        env = context.stand_in(self.env)
        return TaskConfig(**(self.own.model_dump() if env is None else self.settings(env)))

    def settings(self, env: Any) -> Mapping[str, Any]:
        """Return the effective settings in `env` as a mapping."""
        if env not in self._settings:
            self._settings[env] = env.task_settings(self.own).values
        return self._settings[env]

    def explain_cache(self, **known: Any) -> Why:
        """Say whether the task's kept result would be used, and which part of what it depends on changed if not.

        Arguments that are neither given nor known to the environment, such as the results of other tasks, are taken to
        be what they were when the result was kept.

        Raises:
            Unfingerprintable: of a part it cannot be told whether it changed, so that nothing is ever kept.
        """
        from glacier.cache.fingerprint import fingerprint
        from glacier.cache.store import Why
        from glacier.execution.caching import store

        env = self._bound_env()
        if not self.settings(env)["cache"]:
            return Why(self.name, False, ("it is not declared with cache=True",))
        arguments = self.signature.known(self.name, env, known)
        found = fingerprint(self.fn, arguments, self.settings(env))
        unknown = [name for name in self.signature.parameters if name not in arguments]
        return store(env).why(self.name, found, unknown)

    @property
    def returns(self) -> Any:
        """The resolved return annotation, None when there is none."""
        return self.signature.returns

    @property
    def usage(self) -> SourceUsage:
        """What the source of the task does with its resources."""
        if self._usage is None:
            self._usage = source_usage(self.fn)
        return self._usage

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is only remembered, which may belong to other environments."""
        return {**vars(self), "_usage": None, "_settings": {}}

    def __repr__(self) -> str:
        return f"<Task {self.name!r} of {_where(self.env)}>"

    def _bound_env(self) -> Any:
        env = context.stand_in(self.env)
        if env is None:
            raise UnboundTaskError(
                f"task {self.name!r} belongs to no environment",
                hint=f"bind it first: {self.name} = env.bind({self.name}), or decorate it with @env.task()",
            )
        return env


class Pipeline:
    """A function that wires tasks together, bound to an environment.

    `run` executes or analyses it. Called inside another pipeline it is nested and its steps are grouped; called
    anywhere else it runs.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        env: GlacierEnv,
        *,
        name: str | None = None,
        schedule: str | None = None,
        origins: tuple[GlacierEnv, ...] = (),
    ) -> None:
        self.fn: Callable[..., Any] = _plain_function("pipeline", fn)
        self.env: Any = env
        self.name = PIPELINE.check(name or _name_of("pipeline", fn))
        self.origins = origins
        self.schedule: Rate | Cron | None = None if schedule is None else read_schedule(schedule)
        self._schedule = schedule
        self._last_run: Run | None = None
        update_wrapper(self, fn)
        check_parameters(self.name, self.signature.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become a group of the pipeline being recorded, or run at once.

        Raises:
            PipelineError: the pipeline is nested in itself, or the one being recorded is of another environment.
        """
        __tracebackhide__ = True
        with nest(self) as recorder:
            if recorder is not None:
                return self._call(args, kwargs)
        if context.usage.get() is not None:
            return self._call(args, kwargs)
        return self._run("local", args, kwargs, RunOptions())

    def run(
        self,
        mode: str = "local",
        *,
        max_workers: int | None = None,
        on_error: Literal["fail", "continue"] = "fail",
        only: Names = (),
        from_: Names = (),
        until: Names = (),
        force: Names | bool = (),
        materialize: Literal["auto"] | bool = "auto",
        progress: bool | None = None,
        listeners: Iterable[Listener] = (),
        checkpoint: Literal["auto"] | bool = "auto",
        read: GlacierEnv | None = None,
        **params: Any,
    ) -> Any:
        """Run the pipeline in a mode; `params` are the pipeline's own parameters, the rest are `RunOptions`.

        `"local"` executes it here and returns the real value of its body. `"analyze"` follows the body without
        touching data and returns a mapping with `tasks`, `dag`, `resources`, `reads`, `writes`, `conditions` and
        `approximations`. `"generate"` writes the infrastructure it needs as Terraform, with the options of
        `ExportOptions` (`output_dir=`, `format=`, `force=`, `environments=`), and returns a mapping with `files`,
        `output_dir`, `resources`, `warnings` and `permissions`.

        Raises:
            ValueError: there is no such mode, or an option has a value that it cannot have.
            MissingDependencyError: a parameter is neither given nor known to the environment.
            Exception: what a task or the body raised, as itself, with a note that names task, pipeline and
                environment.
        """
        __tracebackhide__ = True  # notebooks and pytest then show the user's own lines first
        options = RunOptions(
            max_workers=max_workers,
            on_error=on_error,
            only=names_of(only),
            from_=names_of(from_),
            until=names_of(until),
            force=force if isinstance(force, bool) else names_of(force),
            materialize=materialize,
            progress=progress,
            listeners=tuple(listeners),
            checkpoint=checkpoint,
            read=read,
        )
        return self._run(mode, (), params, options)

    def resume(self, run: str | RunRecord | None = None, **given: Any) -> Any:
        """Go on with a run that failed, was cancelled or whose process died; return what `run` would have.

        `run` is its id or the beginning of it, by default the pipeline's newest run. A task that succeeded is not run
        again, unless its code or plain arguments changed or it needs the value of a task that is run again. The
        parameters are those of the run; in `given` stand those that the journal does not keep, such as secrets, and
        options of `run`.

        Raises:
            ResourceNotFoundError: the journal has no such run.
            PipelineError: it is one of another pipeline, is running, is done, or needs parameters again.
            Exception: what a task or the body raised.
        """
        from glacier.execution.journal import resume

        record = self._record(run)
        env = context.stand_in(self.env)
        resume.check(record, self.name, env.name)
        own = self.signature.parameters
        options = {name: value for name, value in given.items() if name in OPTION_NAMES and name not in own}
        params = {name: value for name, value in given.items() if name not in options}
        kept = resume.parameters_for(record, params)
        return self._run("local", (), kept, resume.options_for(record, options), record)

    @property
    def last_run(self) -> Run | RunRecord | None:
        """What became of the newest run: of this process, else out of the journal; None before the first."""
        if self._last_run is not None:
            return self._last_run
        return next(iter(self.env.runs.of(self.name)[:1]), None)

    @last_run.setter
    def last_run(self, run: Run) -> None:
        self._last_run = run

    def _record(self, run: str | RunRecord | None) -> RunRecord:
        from glacier.execution.journal import RunRecord

        if isinstance(run, RunRecord):
            return run
        runs = context.stand_in(self.env).runs
        return runs.of(self.name).find(None) if run is None else runs[run]

    def run_with(self, mode: str, params: Mapping[str, Any], options: RunOptions) -> Any:
        """Do what `run` does, with the options as one value."""
        return self._run(mode, (), params, options)

    def plan(self, **given: Any) -> RunPlan:
        """Say what a run would do: which tasks would run and why, which results are cached, how much would be read.

        `given` are the pipeline's parameters and the options of `run`. No task runs and no data are read.

        Raises:
            ConfigError: an option names a task that the pipeline does not have.
        """
        from glacier.execution.planning import plan

        options, params = RunOptions.split(given, ())
        return plan(self._run("analyze", (), params, options).trace, context.stand_in(self.env), options)

    def step(self, **given: Any) -> Stepper:
        """Return a run that goes on task by task: `stepper.next()` runs the next ready one and has its value.

        `given` are the pipeline's parameters and the options of `run`. Tasks run one at a time.
        """
        from glacier.execution.stepping import Stepper

        return Stepper(lambda: self.run(**given), lambda: self.last_run)

    def bind(self, env: GlacierEnv) -> Pipeline:
        """Return a new pipeline of the same body for `env`.

        While it runs, `env` answers for the environment that the body and its tasks were written with: its registry,
        its provider, its settings.
        """
        return env.bind(self)

    def bound_to(self, env: GlacierEnv) -> Pipeline:
        """Return what `bind` does, without listing it in `env`."""
        return Pipeline(self.fn, env, name=self.name, schedule=self._schedule, origins=(*self.origins, self.env))

    def body(self) -> Any:
        """Call the body without arguments, under whatever records it."""
        return self._call((), {})

    @property
    def graph(self) -> Graph:
        """The traced graph: every step that any way through the body can take."""
        return self.run("analyze")["dag"]

    @cached_property
    def signature(self) -> Signature:
        """The parameters and what can fill them."""
        return Signature(self.fn)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "last_run": None}

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r} of {_where(self.env)}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.graph.mimebundle()

    def _run(
        self,
        mode: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: RunOptions,
        resumes: RunRecord | None = None,
    ) -> Any:
        __tracebackhide__ = True
        export = None
        if mode == "generate":
            export, kwargs = ExportOptions.split({"force": options.force is True, **kwargs}, self.signature.parameters)
        params = {**dict(zip(self.signature.parameters, args, strict=False)), **kwargs}
        try:
            return self.env.run(
                self,
                mode,
                lambda: self._call(args, kwargs),
                params,
                options=options,
                resumes=resumes,
                export=export,
            )
        except Exception as error:
            raise error.with_traceback(sites.from_user(error.__traceback__))  # noqa: B904 - it is the same error

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        args, kwargs = self.signature.fill("pipeline", self.name, context.stand_in(self.env), args, kwargs)
        learn((*args, *kwargs.values()))
        return self.fn(*args, **kwargs)


@overload
def task(target: Callable[..., Any], /, *, name: str | None = None, **settings: Any) -> Task: ...
@overload
def task(
    target: GlacierEnv | None = None, /, *, name: str | None = None, **settings: Any
) -> Callable[[Callable[..., Any]], Task]: ...
def task(target: Any = None, /, *, name: str | None = None, config: TaskConfig | None = None, **settings: Any) -> Any:
    """Make a task of a function: bound with `@task(env)`, unbound with `@task` or `@task(retries=3)`.

    An unbound task runs only after `env.bind(task)` or `task.bind(env)`.

    Raises:
        ConfigError: the name is no legal task name, or the executor is unknown.
        ValidationError: a setting is out of its bounds (pydantic's error, all of them at once).
    """
    own = task_config(config, settings)
    if target is None:
        return partial(Task, name=name, own=own)
    if callable(target):
        return Task(target, name=name, own=own)
    return target.task(name=name, config=own)


def task_config(config: TaskConfig | None, settings: Mapping[str, Any]) -> TaskConfig:
    """Return the settings of a decorator: `config` refined by the keywords.

    Raises:
        ConfigError: the executor is unknown.
        ValidationError: a setting is out of its bounds.
    """
    given = {} if config is None else config.set_fields()
    own = TaskConfig(**{**given, **settings})
    registry.check("executors", own.executor)
    return own


def _plain_function(what: str, fn: Any) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(fn):
        raise ConfigError(
            f"a {what} is a plain function, and {fn.__name__!r} is async",
            hint="call asyncio.run(...) inside a plain one",
        )
    if not callable(fn) or (what == "pipeline" and not hasattr(fn, "__code__")):
        raise ConfigError(f"a {what} is made of a function, not of {type(fn).__name__}", hint="wrap it in a def")
    return fn


def _name_of(what: str, fn: Any) -> str:
    name = getattr(fn, "__name__", None)
    if name is None:
        raise ConfigError(f"this {type(fn).__name__} has no name of its own", hint=f'give the {what} one: name="..."')
    return name


def _where(env: Any) -> str:
    return "no environment" if env is None else f"environment {env.name!r}"
