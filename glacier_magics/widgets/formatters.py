"""Pipelines, graphs, runs and previews show themselves as widgets while the workbench is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.redaction import told
from glacier_magics import widgets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier import Pipeline
    from glacier.execution.journal.records import RunRecord
    from glacier.execution.run import Run
    from glacier.graph import Graph
    from glacier.resources.preview import Preview

__all__ = ["install", "remove"]


def install(shell: Any) -> None:
    """Let a notebook show Glacier's objects as widgets; nothing is imported before one is shown."""
    for (module, name), show in _SHOWN.items():
        shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, show)


def remove(shell: Any) -> None:
    """Undo `install`."""
    formatter = shell.display_formatter.mimebundle_formatter
    for kind in _SHOWN:
        formatter.deferred_printers.pop(kind, None)
        for known in [each for each in formatter.type_printers if (each.__module__, each.__name__) == kind]:
            formatter.pop(known)


def _pipeline(pipeline: Pipeline, *_: Any, **__: Any) -> Mapping[str, str]:
    try:
        graph = pipeline.graph
    except Exception as error:  # it is to be looked at, not to fail its cell with half a traceback
        return {"text/plain": f"{pipeline!r}\nno picture: {told(error).partition(chr(10))[0][:300]}"}
    return _bundle(widgets.dag(graph, env=pipeline.env))


def _graph(graph: Graph, *_: Any, **__: Any) -> Mapping[str, str]:
    return _bundle(widgets.dag(graph))


def _run(run: Run | RunRecord, *_: Any, **__: Any) -> Mapping[str, str]:
    return {**_bundle(widgets.dag(_graph_of(run), run)), "text/plain": str(run)}


def _graph_of(run: Run | RunRecord) -> Graph:
    from glacier_magics.widgets.ledger import graph_of

    return graph_of(run)


def _preview(preview: Preview, *_: Any, **__: Any) -> Mapping[str, str]:
    return _bundle(widgets.preview(preview))


def _bundle(shown: Any) -> Mapping[str, str]:
    return shown._repr_mimebundle_()


_SHOWN: Mapping[tuple[str, str], Callable[..., Mapping[str, str]]] = {
    ("glacier.tasks", "Pipeline"): _pipeline,
    ("glacier.graph", "Graph"): _graph,
    ("glacier.execution.run", "Run"): _run,
    ("glacier.execution.journal.records", "RunRecord"): _run,
    ("glacier.resources.preview", "Preview"): _preview,
}
