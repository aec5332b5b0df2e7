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
    from glacier.graph import Graph

__all__ = ["Mark", "Snapshot", "outdated", "snapshot"]

_OBJECTS = 1000
_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Mark:
    """The state of one task: of its code and of its settings."""

    code: str
    config: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The state of a graph's tasks, and of the buckets that it reads and does not write, by key."""

    tasks: Mapping[str, Mark]
    buckets: Mapping[str, str] = field(default_factory=dict[str, str])


def snapshot(env: GlacierEnv, graph: Graph, *, buckets: bool = False) -> Snapshot:
    """Return the present state of what a graph consists of.

    With `buckets` the stores are asked what they hold, several at once; without, nothing is touched.
    """
    known = {node.name for node in graph.tasks} & set(env.tasks)
    marks = {name: _mark(env, name) for name in known}  # reading a task's source takes longer than all the rest
    tasks = {node.key: marks[node.name] for node in graph.tasks if node.name in known}
    return Snapshot(tasks, _states(env, graph) if buckets else {})


def outdated(graph: Graph, before: Snapshot, now: Snapshot) -> dict[str, str]:
    """Return the steps whose last result is of an older state, by key, each with the reason in words.

    What one of the two snapshots does not know counts as unchanged.
    """
    found: dict[str, str] = {}
    for key in graph.order:
        reason = _changed(graph, key, before, now)
        upstream = next((parent for parent in graph.parents[key] if parent in found), None)
        if reason is None and upstream is not None:
            reason = f"upstream {graph[upstream].name}"
        if reason is not None and graph[key].kind != "resource":
            found[key] = reason
    return found


def _changed(graph: Graph, key: str, before: Snapshot, now: Snapshot) -> str | None:
    old, new = before.tasks.get(key), now.tasks.get(key)
    if old is not None and new is not None:
        if old.code != new.code:
            return "code"
        settings = [each for each in {**old.config, **new.config} if old.config.get(each) != new.config.get(each)]
        if settings:
            return f"config: {', '.join(settings)}"
    known = [each for each in graph.parents[key] if each in before.buckets and each in now.buckets]
    moved = [each for each in known if before.buckets[each] != now.buckets[each]]
    return f"object changed: {', '.join(graph[each].name for each in moved)}" if moved else None


def _mark(env: GlacierEnv, name: str) -> Mark:
    task = env.find_task(name)
    return Mark(_code(task.fn), {key: repr(value) for key, value in task.settings(env).items()})


def _code(fn: Callable[..., Any]) -> str:
    try:
        text = inspect.getsource(fn)
    except (OSError, TypeError):
        code = getattr(fn, "__code__", None)
        text = repr(fn) if code is None else f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}"
    return hashlib.sha256(text.encode()).hexdigest()


def _states(env: GlacierEnv, graph: Graph) -> dict[str, str]:
    written = {edge.source for edge in graph.edges if edge.access in {"write", "both"}}
    known = {_key(each): each for each in env.resources.values() if isinstance(each, Bucket)}
    wanted = [node for node in graph.resources if node.key.startswith("bucket:") and node.key not in written]
    buckets = {node.key: known.get(node.key) or env.storage.bucket(*node.name.split("/", 1)) for node in wanted}
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(zip(buckets, pool.map(_state, buckets.values()), strict=True))


def _key(bucket: Bucket) -> str:
    return f"bucket:{bucket.bucket_name}/{bucket.path}"


def _state(bucket: Bucket) -> str:
    try:
        objects, _ = first_entries(bucket, _OBJECTS)
    except (GlacierError, OSError):
        return ""
    marks = repr([(each.path, each.size, each.modified, each.etag) for each in objects])
    return hashlib.sha256(marks.encode()).hexdigest()
