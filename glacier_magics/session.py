"""One notebook's work: its project, its environments, which of them is the current one, and what has become stale."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from glacier import GlacierEnv, Pipeline, Project, Task, registry
from glacier.errors import ConfigError, GlacierError, did_you_mean
from glacier.home import project_root
from glacier.protection import guard
from glacier.redaction import told
from glacier.stepping import going_on
from glacier_magics.following import Pictures
from glacier_magics.staleness import Stale

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from glacier.execution.run import Run
    from glacier.execution.stepping import Stepper

__all__ = ["MAKE", "Session"]

MAKE = "%glacier env dev --provider local"
"""What makes an environment where there is none."""
_CURRENT = "env"


class Session:
    """What `%glacier` knows in one kernel.

    The current environment is the notebook's variable `env`: to bind another one to it is to switch.

    Attributes:
        shell: IPython's shell.
        project: the project above the working directory, None without one.
        environments: those that were opened or made here, by name.
        stale: which tasks have results of an older state of the work, and why.
        last_error: the last error of a command, whole.
        pictures: those that follow a pipeline.
        cell: the name of the cell that is run, None where cells have none.
        schemas: columns that were seen, by environment and resource.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.project: Project | None = None
        self.problem: GlacierError | None = None
        self.environments: dict[str, GlacierEnv] = {}
        self.stale = Stale()
        self.pictures = Pictures(self.stale.told)
        self.cell: str | None = None
        self.last_error: BaseException | None = None
        self.schemas: dict[tuple[str, str], list[str]] = {}
        self._steppers: dict[str, _Stepping] = {}
        self._unfinished: dict[tuple[str, str], str] = {}
        self._ours: GlacierEnv | None = None
        self._seen: dict[str, GlacierEnv] = {}
        self._last: GlacierEnv | None = None
        self._guarded: list[GlacierEnv] = []
        self._agreed = False
        self._answered = False

    # --- opening and closing ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Find the project, and open its default environment unless the notebook has an `env` already."""
        cast("Any", self.shell.events).register("pre_run_cell", self._before_cell)
        cast("Any", self.shell.events).register("post_run_cell", self._after_cell)
        try:
            if project_root() is None:
                return
            self.project = Project.find()
            if _CURRENT not in self.names and self.project.default is not None:
                self._take_over(self.switch(self.project.default))
        except GlacierError as error:
            self.problem = error

    def _take_over(self, env: GlacierEnv) -> None:
        """Let what an earlier session left in the notebook follow to the environment of the same name."""
        work = [each for each in list(self.names.values()) if _is_work(each)]
        before = {id(each.env): each.env for each in work if each.env is not None and each.env.name == env.name}
        for each in before.values():
            if each is not env:
                self._follow(each, env)

    def close(self) -> None:
        """Take back what the session put into the shell."""
        cast("Any", self.shell.events).unregister("pre_run_cell", self._before_cell)
        cast("Any", self.shell.events).unregister("post_run_cell", self._after_cell)
        self.pictures.close()
        self.stale.close()
        for each in list(self._steppers.values()):
            self.leave(each.pipeline)
        for env in self._guarded:
            env.guard = None
        if self._ours is not None:
            self.shell.drop_by_id({_CURRENT: self._ours})

    def greeting(self) -> str:
        """What is there, and what to type next, on one line."""
        if self.problem is not None:
            return f"Glacier: {self.problem} | next: mend it, then %reload_ext glacier_magics"
        if self.project is None:
            return f"Glacier: no glacier.toml above this folder | next: {MAKE}"
        names = ", ".join(self.project.names) or "none"
        current = self.names.get(_CURRENT)
        return f"Glacier environments: {names} | {_now(current)} | next: {self._next(current)}"

    def _next(self, current: Any) -> str:
        if not isinstance(current, GlacierEnv):
            return "%glacier env NAME"
        return "%glacier ls" if current.list_resources() else "%glacier?"

    # --- names --------------------------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's variables."""
        return cast("dict[str, Any]", self.shell.user_ns)

    def bind(self, name: str, value: Any) -> None:
        """Give a variable of the notebook a value.

        Raises:
            ConfigError: the name is none, or `env`.
        """
        self.check_name(name)
        self.names[name] = value

    def check_name(self, name: str | None) -> None:
        """Refuse what no value can be bound to, before anything runs for it; None is no name and no error.

        Raises:
            ConfigError: the name is none, or `env`.
        """
        import keyword

        if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
            raise ConfigError(f"{name[:60]!r} is no name of a variable", hint="use letters, digits and '_'")
        if name == _CURRENT:
            raise ConfigError(f"{name!r} is the current environment", hint="take another name")

    # --- environments -------------------------------------------------------------------------------------------

    @property
    def env(self) -> GlacierEnv:
        """The current environment.

        Raises:
            ConfigError: there is none.
        """
        found = self.names.get(_CURRENT)
        if isinstance(found, GlacierEnv):
            return self._watched(found)
        if self.problem is not None:
            raise self._broken(self.problem)
        known = ", ".join(self.known())
        hint = f"switch to one: %glacier env NAME (known: {known})" if known else f"make one: {MAKE}"
        raise ConfigError("no environment is current", hint=hint)

    @property
    def current(self) -> GlacierEnv | None:
        """The current environment, None where there is none."""
        found = self.names.get(_CURRENT)
        return found if isinstance(found, GlacierEnv) else None

    def known(self) -> list[str]:
        """The names that `open_env` takes: of the project, of those opened, and of the notebook's variables."""
        project = [] if self.project is None else self.project.names
        self._notice()
        return list(dict.fromkeys([*project, *self.environments]))

    def named(self, name: str) -> GlacierEnv:
        """Return an environment by its name or a unique beginning of it: opened before, the notebook's, the project's.

        Raises:
            ConfigError: there is none, several begin so, or it cannot be made.
        """
        known = self.known()
        found = [name] if name in known else [each for each in known if name and each.startswith(name)]
        if len(found) > 1:
            raise ConfigError(
                f"{len(found)} environments begin with {name[:60]!r}", hint=f"say which: {', '.join(found)}"
            )
        if not found:
            raise self._unknown(name)
        return self._opened(found[0])

    def _unknown(self, name: str) -> GlacierError:
        """Return the error for an environment that is not there: what is wrong with the project, if something is."""
        if self.problem is not None and not self.known():
            return self._broken(self.problem)
        hint = f"{did_you_mean(name[:60], self.known())}; or make it: --provider local"
        return ConfigError(f"there is no environment {name[:60]!r}", hint=hint)

    def _broken(self, problem: GlacierError) -> ConfigError:
        hint = "; ".join(part for part in (problem.hint, "mend it, then %reload_ext glacier_magics") if part)
        return ConfigError(problem.message, hint=hint)

    def make(self, name: str, provider: str | None, fields: dict[str, Any], protected: bool) -> GlacierEnv:
        """Make an environment: the project's, refined by the fields, or a new one of a provider."""
        options = {"protected": True} if protected else {}
        names = [] if self.project is None else self.project.names
        if self.project is not None and (
            name in names or (provider is None and any(n.startswith(name) for n in names))
        ):
            named = {} if provider is None else {"provider": provider}
            return self._watched(self.project.env(name, **named, **fields, **options))
        if provider is None or not name:
            raise self._unknown(name)
        chosen: dict[str, Any] = {**fields, **options, "provider": provider, "name": name}
        return self._watched(GlacierEnv.from_env(**chosen))

    def switch(self, name: str) -> GlacierEnv:
        """Make an environment the current one; the notebook's tasks and pipelines follow it."""
        return self.enter(self.named(name))

    def enter(self, env: GlacierEnv) -> GlacierEnv:
        """Bind `env` in the notebook to an environment, and to it the tasks and pipelines of the last one."""
        before = self.current
        self.environments[env.name] = env
        if before is not None and before is not env:
            self._follow(before, env)
        self.names[_CURRENT] = self._ours = self._watched(env)
        return env

    def opened(self, name: str) -> GlacierEnv | None:
        """Return an environment that is there already: opened before, or the notebook's; None where it is not."""
        self._notice()
        return self.environments.get(name)

    def _opened(self, name: str) -> GlacierEnv:
        found = self.opened(name)
        if found is None:
            assert self.project is not None
            found = self.project.env(name)
        return self._watched(found)

    def _notice(self) -> None:
        """Take the environments that variables have come to mean since the last look for those of their names."""
        variables = [(name, each) for name, each in list(self.names.items()) if not name.startswith("_")]
        seen, self._seen = self._seen, {name: each for name, each in variables if issubclass(type(each), GlacierEnv)}
        new = [each for name, each in self._seen.items() if seen.get(name) is not each]
        self.environments.update((each.name, each) for each in new)

    def _watched(self, env: GlacierEnv) -> GlacierEnv:
        self.environments.setdefault(env.name, env)
        if env.protected and env.guard is None:
            env.guard = guard(self._ask, lambda: self._agreed)
            self._guarded.append(env)
        return env

    def _follow(self, before: GlacierEnv, env: GlacierEnv) -> None:
        """Bind what the notebook's names call a task or pipeline of `before`, and the rest of it, to `env`."""
        own = [before.find_task(name) for name in before.tasks] + [before.find_pipeline(n) for n in before.pipelines]
        named = [each for each in list(self.names.values()) if _is_work(each) and each.env is before]
        self._rebind(_moved([*own, *named], before, env))

    def _rebind(self, bound: Mapping[int, Any]) -> None:
        """Let the notebook's names mean what stands, by identity, for what they meant."""
        self.names.update({name: bound[id(each)] for name, each in list(self.names.items()) if id(each) in bound})

    def _renewed(self) -> str | None:
        """Let tasks and pipelines follow where a cell has made the current environment anew, and say so."""
        before, env = self._last, self.current
        self._last = env
        self._notice()
        if before is None or env is None or before is env or before.name != env.name:
            return None
        left = [each for each in list(self.names.values()) if _is_work(each) and each.env is before]
        bound = _moved([each for each in left if not _is_known(each, env)], before, env)
        self._rebind(bound)
        names = ", ".join(dict.fromkeys(each.name for each in bound.values()))
        return f"{env.name} was made anew; what was bound to the old one follows: {names}" if bound else None

    def provider_of(self, name: str) -> str:
        """Return the kind of provider of an environment of the project, `local` where there is none of the name."""
        entries = [] if self.project is None else self.project.entries
        found = next((each.provider for each in entries if each.name.startswith(name)), "local")
        return registry.load("templates", found).kind if found in registry.known("templates") else found

    # --- pipelines, tasks, values -------------------------------------------------------------------------------

    def pipeline(self, name: str | None, env: str | None = None) -> Pipeline:
        """Return a pipeline of the current environment, by name or the only one, bound to the environment `env`.

        Raises:
            ResourceNotFoundError: there is none.
            ConfigError: several are there and none is named.
        """
        here = self.env
        if name is None and len(here.pipelines) != 1:
            known = ", ".join(here.pipelines)
            hint = f"name one: {known}" if known else "define one: a function below @env.pipeline()"
            raise ConfigError(f"environment {here.name!r} has {len(here.pipelines) or 'no'} pipelines", hint=hint)
        found = here.find_pipeline(here.pipelines[0] if name is None else name)
        return found if env is None else _elsewhere(found, self.named(env))

    def runnable(self, name: str | None, env: str | None = None) -> Task | Pipeline:
        """Return a pipeline as `pipeline` does, or a task."""
        here = self.env
        if name is None or name in here.pipelines or name not in here.tasks:
            return self.pipeline(name, env)
        task = here.find_task(name)
        return task if env is None else _elsewhere(task, self.named(env))

    def stepper(self, pipeline: Pipeline, params: dict[str, Any]) -> Stepper:
        """Return the run of a pipeline that goes on step by step; another one when it or a task is another by now.

        Where the last step failed or was interrupted, it is one that goes on there.
        """
        known = self._steppers.get(pipeline.name)
        if known is None or known.pipeline is not pipeline or not known.is_up_to_date:
            self.pause(pipeline)
            pipeline.env.admit(pipeline, params)
            tasks = {name: pipeline.env.find_task(name) for name in pipeline.env.tasks}
            known = self._steppers[pipeline.name] = _Stepping(pipeline, self._begun(pipeline, params), tasks)
        return known.stepper

    def _begun(self, pipeline: Pipeline, params: dict[str, Any]) -> Stepper:
        unfinished = self._unfinished.pop((pipeline.env.name, pipeline.name), None)
        if unfinished is None:
            return pipeline.step(**params, progress=False)
        return going_on(pipeline, unfinished, progress=False, **params)

    def pause(self, pipeline: Pipeline) -> bool:
        """End a run that goes step by step; the next one goes on where it stopped, with the tasks as they are then."""
        known = self._steppers.pop(pipeline.name, None)
        if known is None:
            return False
        known.stepper.close()
        if known.stepper.run is not None:
            self._unfinished[known.pipeline.env.name, pipeline.name] = known.stepper.run.id
        return True

    def leave(self, pipeline: Pipeline) -> bool:
        """Run no more of a pipeline that goes step by step, the next run begins anew; return whether one went on."""
        going = self.pause(pipeline)
        return self._unfinished.pop((pipeline.env.name, pipeline.name), None) is not None or going

    def goes_stepwise(self, pipeline: Pipeline, run: str) -> bool:
        """Whether a run of a pipeline is one that goes step by step, and waits for the next one."""
        known = self._steppers.get(pipeline.name)
        return known is not None and known.stepper.run is not None and known.stepper.run.id == run

    def run_here(self, pipeline: Pipeline) -> Run | None:
        """Return the pipeline's newest run, if it was one of this kernel."""
        from glacier.execution.run import Run

        run = pipeline.last_run
        return run if isinstance(run, Run) else None

    def stale_in(self, pipeline: Pipeline) -> Mapping[str, str]:
        """Return the steps of a pipeline that are stale, by key, with the reason; stores are asked what they hold."""
        return self.stale.of(pipeline.env, pipeline.name, buckets=True)

    def has_resource(self, name: str) -> bool:
        """Whether the current environment, if there is one, has a resource of that name."""
        return self.current is not None and name in self.current.resources

    def frame(self, name: str) -> Any:
        """Return the DataFrame or LazyFrame that a variable of the notebook holds, None where it holds none."""
        value = self.names.get(name)
        return value if type(value).__name__ in {"DataFrame", "LazyFrame"} else None

    def arguments(self, task: Task, given: dict[str, Any]) -> dict[str, Any]:
        """Return a task's arguments: those given, and the notebook's variables for what the environment lacks."""
        parameters = inspect.signature(task.fn).parameters
        missing = [name for name in parameters if name not in given and name not in self.env.resources]
        found = {name: self.names[name] for name in missing if self.frame(name) is not None}
        return {**found, **given}

    # --- asking -------------------------------------------------------------------------------------------------

    @contextmanager
    def agreeing(self, agreed: bool) -> Generator[None]:
        """Let runs of a block write to protected environments without a question."""
        before, self._agreed = self._agreed, agreed
        try:
            yield
        finally:
            self._agreed = before

    @contextmanager
    def answered(self) -> Generator[None]:
        """Ask nothing again that the user has said yes to: a run of a block asks on a thread that cannot ask."""
        self._answered = True
        try:
            yield
        finally:
            self._answered = False

    def _ask(self, question: str) -> bool:
        return self._agreed or self._answered or self.ask(question)

    def ask(self, question: str) -> bool:
        """Ask the user; the answer is no where nobody can be asked."""
        try:
            return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except (EOFError, OSError, RuntimeError, NotImplementedError):
            return False

    # --- around each cell ---------------------------------------------------------------------------------------

    def _before_cell(self, info: Any) -> None:
        self.cell = getattr(info, "cell_id", None)
        self.pictures.cell_begins(self.cell)

    def _after_cell(self, *_: Any) -> None:
        env = self.current
        try:
            renewed = self._renewed()
            stale = None if env is None else self.stale.look(self._watched(env))
            said = "\n".join(each for each in (renewed, stale) if each)
        except (Exception, KeyboardInterrupt) as error:
            # It comes after the user's own cell, which has not failed for it.
            self.last_error = error
            said = f"Glacier cannot tell what is stale: {told(error)[:200]} (%glacier debug)"
        if said:
            print(said)
        self.pictures.cell_ends()


def _now(current: Any) -> str:
    if not isinstance(current, GlacierEnv):
        return "none is current"
    return f"current: {current.name}{' (protected)' if current.protected else ''}"


@dataclass(frozen=True)
class _Stepping:
    """A run that goes step by step, with the tasks as they were when it began."""

    pipeline: Pipeline
    stepper: Stepper
    tasks: Mapping[str, Task]

    @property
    def is_up_to_date(self) -> bool:
        """Whether the tasks of the run are still those of the environment."""
        run, now = self.stepper.run, self.pipeline.env
        used = {step.name for step in run.tasks} if run is not None else set[str]()
        return all(now.find_task(name) is self.tasks[name] for name in used & self.tasks.keys() & set(now.tasks))


def _elsewhere(target: Any, env: GlacierEnv) -> Any:
    """Return a task or pipeline as it runs in `env` while the notebook's names, `env` too, mean the target's.

    What a pipeline's body calls by these names stands for what `env` has, which its own pipeline of the same function
    does not know.
    """
    if target.env is env:
        return target
    if isinstance(target, Task):
        return _bound(target, env)
    own = env.find_pipeline(target.name) if target.name in env.pipelines else None
    knows = own is not None and own.fn is target.fn and any(each is target.env for each in own.origins)
    return own if knows else env.bind(target)


def _is_work(value: Any) -> TypeGuard[Task | Pipeline]:
    """Whether a variable is a task or pipeline; what only says that it is one is not asked."""
    return issubclass(type(value), Task | Pipeline)


def _is_known(target: Task | Pipeline, env: GlacierEnv) -> bool:
    return target.name in (env.tasks if isinstance(target, Task) else env.pipelines)


def _own(target: Task | Pipeline, env: GlacierEnv) -> Task | Pipeline | None:
    """Return what an environment lists under the target's name."""
    if not _is_known(target, env):
        return None
    return env.find_task(target.name) if isinstance(target, Task) else env.find_pipeline(target.name)


def _moved(work: Iterable[Task | Pipeline], before: GlacierEnv, env: GlacierEnv) -> dict[int, Task | Pipeline]:
    """Return, by identity, what stands in `env` for tasks and pipelines of `before`.

    Of several of one name, `env` lists the one that `before` lists: a variable may still hold an older one.
    """
    return {id(each): _bound(each, env) if _own(each, before) is each else each.bound_to(env) for each in work}


def _bound(target: Task | Pipeline, env: GlacierEnv) -> Any:
    """Return the environment's own task or pipeline of the same function, else a copy bound to it."""
    own = _own(target, env)
    return own if own is not None and own.fn is target.fn else env.bind(target)
