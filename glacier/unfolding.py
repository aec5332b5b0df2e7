"""A task as the lines of a notebook's cell: its real inputs, then its body."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from glacier.errors import ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glacier.graph import Edge, Graph, Node
    from glacier.tasks import Pipeline, Task

__all__ = ["unfolded"]


def unfolded(task: Task, pipelines: Iterable[Pipeline] = ()) -> str:
    """Return lines of Python that do what a task does, in a notebook that has its environment as `env`.

    The inputs are what the first of the pipelines that has the task gives it: registered resources, and the values of
    the tasks before it, which are run or come from the cache. What it returns is called `NAME_result`.

    Raises:
        ResourceNotFoundError: the source of the task is not to be had.
    """
    graphs = ((each, graph) for each in pipelines if (graph := _graph(each)) is not None)
    found = next(((each, graph, node) for each, graph in graphs if (node := _node(graph, task.name))), None)
    where = f"as {found[0].name} runs it, " if found else ""
    inputs = list(_inputs(task, *found) if found else _alone(task))
    head = f"# task {task.name}, {where}in environment {task.env.name}"
    return "\n".join([head, *inputs, "", *_body(task)])


def _graph(pipeline: Pipeline) -> Graph | None:
    """Return what a pipeline consists of, its missing parameters left open; None where its body needs their values."""
    missing: dict[str, Any] = dict.fromkeys(_missing(pipeline), ...)
    try:
        return pipeline.run("analyze", **missing)["dag"]
    except Exception:  # whatever the body does to a value that is not there
        return None


def _node(graph: Graph, name: str) -> Node | None:
    return next((node for node in graph.tasks if node.name == name), None)


def _alone(task: Task) -> Iterator[str]:
    for name, parameter in inspect.signature(task.fn).parameters.items():
        yield _parameter(task, name, parameter)


def _inputs(task: Task, pipeline: Pipeline, graph: Graph, node: Node) -> Iterator[str]:
    edges = [edge for edge in graph.edges if edge.target == node.key and graph[edge.source].kind != "resource"]
    given = {edge.name: edge for edge in edges if edge.access == "data"}
    yield from _values(pipeline, graph, given)
    for name, parameter in inspect.signature(task.fn).parameters.items():
        if name not in given:
            yield _parameter(task, name, parameter)


def _values(pipeline: Pipeline, graph: Graph, given: dict[str, Edge]) -> Iterator[str]:
    """Yield the lines that run the tasks before, and give their values the names of the parameters."""
    if not given:
        return
    sources = {name: _name(graph, edge.source) for name, edge in given.items()}
    needed = list(dict.fromkeys(sources.values()))
    missing = "".join(f", {name}=..." for name in _missing(pipeline))
    call = f"env.find_pipeline({pipeline.name!r}).run(until={needed!r}{missing})"
    if len(needed) == 1:
        yield f"{' = '.join(sources)} = {call}"
        return
    yield f"inputs = {call}"
    for name, source in sources.items():
        yield f"{name} = inputs[{source!r}]"


def _name(graph: Graph, key: str) -> str:
    """Return what `run(until=...)` and its result call a step: its name where that is unique, else its key."""
    name = graph[key].name
    return name if [node.name for node in graph.nodes].count(name) == 1 else key


def _missing(pipeline: Pipeline) -> list[str]:
    parameters = inspect.signature(pipeline.fn).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.name not in pipeline.env.resources]


def _parameter(task: Task, name: str, parameter: inspect.Parameter) -> str:
    resource = _resource(task, name, parameter)
    if resource is not None:
        return f"{name} = env.get({resource!r})"
    if parameter.default is not parameter.empty:
        return f"{name} = {_default(task, parameter)}"
    return f"{name} = ...  # whatever the pipeline's body passes"


def _default(task: Task, parameter: inspect.Parameter) -> str:
    """Return a default as the source has it: its value may be secret, and not every value can be written down."""
    if isinstance(parameter.default, bool | int | float | None):
        return repr(parameter.default)
    found = _function(task)[1].args
    last = [*found.posonlyargs, *found.args][len(found.posonlyargs) + len(found.args) - len(found.defaults) :]
    written = zip([*last, *found.kwonlyargs], [*found.defaults, *found.kw_defaults], strict=True)
    return next(ast.unparse(default) for each, default in written if default and each.arg == parameter.name)


def _resource(task: Task, name: str, parameter: inspect.Parameter) -> str | None:
    """Return the name of the registered resource that fills a parameter, as `Signature` says, None where none does."""
    injected = getattr(parameter.default, "name", None)
    if isinstance(injected, str):
        return injected
    known: Any = task.env.resources
    if name in known:
        return name
    annotation = str(getattr(parameter.annotation, "__name__", parameter.annotation))
    kinds = [each for each, resource in known.items() if type(resource).__name__ == annotation.strip("'\"")]
    return kinds[0] if len(kinds) == 1 else None


def _function(task: Task) -> tuple[list[str], ast.FunctionDef]:
    """Return the lines of a task's source, and the function in them."""
    try:
        source = textwrap.dedent(inspect.getsource(task.fn))
        return source.splitlines(), next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    except (OSError, TypeError, SyntaxError, StopIteration):
        message = f"the source of task {task.name!r} is not to be had"
        raise ResourceNotFoundError(message, hint="load a task that is a plain def") from None


def _body(task: Task) -> list[str]:
    (lines, function), result = _function(task), f"{task.name}_result"
    statements = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    last = function.body[-1]
    if not returns and statements:
        return _dedented(lines, statements)
    if returns != [last] or not statements:
        return [*_renamed(lines, function), "", f"{result} = {task.name}_body({_arguments(function)})", result]
    end = lines[last.lineno - 1]
    lines[last.lineno - 1] = (
        end.replace("return", f"{result} =", 1) if returns[0].value else f"{end[: last.col_offset]}{result} = None"
    )
    return [*_dedented(lines, statements), result]


def _dedented(lines: list[str], statements: list[ast.stmt]) -> list[str]:
    first, last = statements[0], statements[-1]
    return textwrap.dedent("\n".join(lines[first.lineno - 1 : last.end_lineno])).splitlines()


def _renamed(lines: list[str], function: ast.FunctionDef) -> list[str]:
    """Return the function without decorators, under another name than the task's."""
    head = lines[function.lineno - 1].replace(f"def {function.name}", f"def {function.name}_body", 1)
    return [head, *lines[function.lineno : function.end_lineno]]


def _arguments(function: ast.FunctionDef) -> str:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return ", ".join(f"{each.arg}={each.arg}" for each in every)
