"""What has changed since a run: the code of a task, its settings, what is upstream of it, an object that it reads."""

from __future__ import annotations

import hashlib
import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier.addresses import first_entries
from glacier.errors import GlacierError
from glacier.resources import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glacier.environment import GlacierEnv
    from glacier.graph import Graph, Node

__all__ = ["Mark", "marks", "outdated"]

_OBJECTS = 1000
_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Mark:
    """The state of one step: of its code, its settings, and the objects that it reads (by address)."""

    code: str
    config: Mapping[str, str]
    objects: Mapping[str, str] = field(default_factory=dict[str, str])


def marks(env: GlacierEnv, graph: Graph, *, objects: bool = False) -> dict[str, Mark]:
    """Return the present state of the steps of a graph, by key.

    With `objects` the stores are asked for the objects that steps read, several at once; without, nothing is touched.
    """
    read = _read(env, graph) if objects else {}
    found: dict[str, Mark] = {}
    for node in graph.tasks:
        own = {name: mark for name in _reads_of(graph, node) if (mark := read.get(name))}
        if node.name in env.tasks:
            task = env.get_task(node.name)
            settings = {key: repr(value) for key, value in task.settings(env).items()}
            found[node.key] = Mark(_code(task.fn), settings, own)
    return found


def outdated(graph: Graph, before: Mapping[str, Mark], now: Mapping[str, Mark]) -> dict[str, str]:
    """Return the steps whose last result is of an older state, by key, each with the reason in words."""
    found: dict[str, str] = {}
    for key in graph.order:
        reason = _changed(before[key], now[key]) if key in before and key in now else None
        upstream = next((parent for parent in graph.parents[key] if parent in found), None)
        if reason is None and upstream is not None:
            reason = f"upstream {graph[upstream].name}"
        if reason is not None and graph[key].kind != "resource":
            found[key] = reason
    return found


def _changed(before: Mark, now: Mark) -> str | None:
    if before.code != now.code:
        return "code"
    settings = [key for key in {**before.config, **now.config} if before.config.get(key) != now.config.get(key)]
    if settings:
        return f"config: {', '.join(settings)}"
    # A mark without objects was made without asking the stores.
    moved = [name for name, mark in now.objects.items() if before.objects.get(name, mark) != mark]
    return f"object changed: {', '.join(moved)}" if moved else None


def _code(fn: Callable[..., Any]) -> str:
    try:
        text = inspect.getsource(fn)
    except (OSError, TypeError):
        code = getattr(fn, "__code__", None)
        text = repr(fn) if code is None else f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}"
    return hashlib.sha256(text.encode()).hexdigest()


def _reads_of(graph: Graph, node: Node) -> list[str]:
    edges = [edge for edge in graph.edges if edge.target == node.key and edge.access in {"read", "both"}]
    return [graph[edge.source].name for edge in edges]


def _read(env: GlacierEnv, graph: Graph) -> dict[str, str]:
    """Return a mark of what each resource holds that the graph reads and does not write."""
    written = {edge.source for edge in graph.edges if edge.access in {"write", "both"}}
    names = [node.name for node in graph.resources if node.key not in written and node.name in env.resources]
    buckets = {name: env.resources[name] for name in names}
    buckets = {name: each for name, each in buckets.items() if isinstance(each, Bucket)}
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(zip(buckets, pool.map(_state, buckets.values()), strict=True))


def _state(bucket: Bucket) -> str:
    try:
        objects, _ = first_entries(bucket, _OBJECTS)
    except (GlacierError, OSError):
        return ""
    return hashlib.sha256(repr([(each.path, each.size, each.modified, each.etag) for each in objects]).encode()).hexdigest()
