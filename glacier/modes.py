"""The modes of `Pipeline.run`: local, analyze, generate. One function each, one table."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import ConfigError, did_you_mean
from glacier.recording import trace
from glacier.safe import printable
from glacier.unheard import unheard, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from glacier.execution.journal import RunRecord
    from glacier.execution.options import RunOptions
    from glacier.graph import Graph
    from glacier.infrastructure.collect import Recorded
    from glacier.infrastructure.export import Generated
    from glacier.infrastructure.options import ExportOptions
    from glacier.recording import Trace
    from glacier.tasks import Pipeline

__all__ = ["MODES", "Analysis", "analyze", "generate", "local", "recorded", "run"]


class Analysis(dict[str, Any]):
    """What a pipeline would do, as a mapping.

    Keys:
        tasks: the names of the tasks, in the order of the body, each once.
        dag: the Graph.
        resources: the names of the resources.
        reads, writes: for each task, the names of the resources it reads and writes.
        conditions: for each step that does not always run, by key, when it does.
        approximations: what could only be followed roughly, each with its line.
        paths: how many ways through the body were followed.
    """

    def __init__(self, traced: Trace) -> None:
        self.trace = traced
        graph = traced.graph
        super().__init__(
            tasks=list(dict.fromkeys(node.name for node in graph.tasks)),
            dag=graph,
            resources=[node.name for node in graph.resources],
            reads=_accesses(graph, {"read", "both"}),
            writes=_accesses(graph, {"write", "both"}),
            conditions={node.key: node.condition for node in graph if node.condition},
            approximations=list(traced.approximations),
            paths=traced.paths,
        )

    def __str__(self) -> str:
        lines = [f"{self['dag'].name}: {len(self['tasks'])} tasks", self["dag"].text()]
        lines += [f"{key} runs if {condition}" for key, condition in self["conditions"].items()]
        lines += [f"approximate: {note}" for note in self["approximations"]]
        return printable("\n".join(lines), "\n")

    def plain(self) -> dict[str, Any]:
        """Return the analysis in JSON's own types, the graph as its nodes and edges."""
        graph: Graph = self["dag"]
        nodes = [{"key": node.key, "name": node.name, "kind": node.kind, "condition": node.condition} for node in graph]
        edges = [{"source": edge.source, "target": edge.target, "access": edge.access} for edge in graph.edges]
        notes = [str(note) for note in self["approximations"]]
        return {**self, "dag": {"name": graph.name, "nodes": nodes, "edges": edges}, "approximations": notes}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {**self["dag"].mimebundle(), "text/plain": str(self)}


def run(
    mode: str,
    pipeline: Pipeline,
    env: Any,
    body: Callable[[], Any],
    params: Mapping[str, Any],
    *,
    options: RunOptions | None = None,
    resumes: RunRecord | None = None,
    export: ExportOptions | None = None,
) -> Any:
    """Run a pipeline in the mode of that name.

    `options` and `resumes` are about runs, `export` about generated infrastructure; no other mode looks at them.

    Raises:
        ConfigError: there is no such mode; a ValueError too.
    """
    if mode not in MODES:
        raise ConfigError(
            f"pipeline {pipeline.name!r} of environment {env.name!r} has no mode {mode!r}",
            hint=did_you_mean(str(mode), MODES),
        )
    with _following(pipeline, env):
        if mode == "local":
            return local(pipeline, env, body, params, options=options, resumes=resumes)
        if mode == "generate":
            return generate(pipeline, env, body, params, export)
        return MODES[mode](pipeline, env, body, params)


def local(
    pipeline: Pipeline,
    env: Any,
    body: Callable[[], Any],
    params: Mapping[str, Any],
    *,
    options: RunOptions | None = None,
    resumes: RunRecord | None = None,
) -> Any:
    """Execute the pipeline on this machine and return the real value of its body; the journal records the run.

    `resumes` is the earlier run that this one goes on with.

    Raises:
        ConfigError: an option names a task that the pipeline does not have.
        Exception: what a task or the body raised.
    """
    from glacier import home
    from glacier.execution.journal import Book, Plan, logs
    from glacier.execution.options import RunOptions
    from glacier.execution.reports import reports
    from glacier.execution.run import Run, execute

    options = options or RunOptions()
    warn(pipeline.fn)
    if options.partial or options.forced:
        _check_names(pipeline, env, body, options)
    record = Run(pipeline.name, env.name)
    book = record.memory = Book(home.home(), record, Plan(pipeline, env, params, options, resumes))
    listeners = (*options.listeners, *env.listeners, *reports(options.progress))
    try:
        book.open()
        pipeline.last_run = record
        with logs.capturing(), context.reading_with(_reading(env, options)):
            return execute(record, pipeline, env, body, replace(options, listeners=listeners))
    finally:
        book.close()


def _check_names(pipeline: Pipeline, env: Any, body: Callable[[], Any], options: RunOptions) -> None:
    """Refuse a misspelt task before anything runs, where the body can be followed to its end without data."""
    from glacier.execution.planning import check_names

    try:
        traced = followed(pipeline, env, body)
    except Exception:  # the run tells what is wrong with the body
        return
    if not traced.approximations:
        check_names(traced.graph, options, env.tasks)


def _reading(env: Any, options: RunOptions) -> Any:
    from glacier.execution.reading import Reading

    if options.read is None:
        return None
    with context.themselves():
        return Reading(env, options.read)


def analyze(pipeline: Pipeline, env: Any, body: Callable[[], Any], _params: Mapping[str, Any]) -> Analysis:
    """Follow the body without touching data."""
    return Analysis(followed(pipeline, env, body))


def followed(pipeline: Pipeline, env: Any, body: Callable[[], Any]) -> Trace:
    """Trace a body; what it asks and no result can answer is approximate, too."""
    traced = trace(pipeline, env, body)
    return replace(traced, approximations=(*traced.approximations, *unheard(pipeline.fn)))


def generate(
    pipeline: Pipeline,
    env: Any,
    body: Callable[[], Any],
    _params: Mapping[str, Any],
    options: ExportOptions | None = None,
) -> Generated:
    """Write the pipeline's infrastructure as Terraform; no data and no cloud is touched.

    Raises:
        InfrastructureError: there is nothing to generate, or a file is not Glacier's to replace.
    """
    from glacier.infrastructure.export import Target, export
    from glacier.infrastructure.options import ExportOptions

    how = options or ExportOptions()
    bound = [(each, pipeline if each is env else pipeline.bound_to(each)) for each in how.environments or (env,)]
    targets = [Target(each, [recorded(own, each, body)]) for each, own in bound]
    return export(targets, how.output_dir, format=how.format, force=how.force, check=how.check)


def recorded(pipeline: Pipeline, env: Any, body: Callable[[], Any]) -> Recorded:
    """Trace a pipeline in an environment, with what infrastructure needs of it."""
    from glacier.infrastructure.collect import Recorded

    with _following(pipeline, env):
        return Recorded(pipeline, trace(pipeline, env, body))


MODES: dict[str, Callable[[Pipeline, Any, Callable[[], Any], Mapping[str, Any]], Any]] = {
    "local": local,
    "analyze": analyze,
    "generate": generate,
}


@contextmanager
def _following(pipeline: Pipeline, env: Any) -> Generator[None]:
    """Let `env` answer for the environments that the pipeline was written for."""
    unrecorded, unused = context.using(context.recorder, None), context.using(context.usage, None)
    with unrecorded, unused, context.standing_in(pipeline.origins, env):
        yield


def _accesses(graph: Graph, kinds: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.access in kinds and graph[edge.source].kind == "resource":
            names = found.setdefault(graph[edge.target].name, [])
            if graph[edge.source].name not in names:
                names.append(graph[edge.source].name)
    return found
