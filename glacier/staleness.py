"""What has changed since a run: the code of a task and what it depends on, its settings, what is upstream of it, an
object that it reads.

What the code of a task is made of is what the cache's key says: its own source, the helpers that it reaches, the values
of globals that they read. The key itself counts for a task with `cache=True`, where the stores may be asked; otherwise
as much of it as can be told at a glance.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glacier.addresses import first_entries
from glacier.cache.fingerprint import NO_MATTER, fingerprint
from glacier.cache.glance import Glance
from glacier.errors import GlacierError, Unfingerprintable
from glacier.resources import Bucket

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from glacier.environment import GlacierEnv
    from glacier.graph import Graph
    from glacier.tasks import Task

__all__ = ["Mark", "Snapshot", "outdated", "snapshot"]

_OBJECTS = 1000
_SIDE_BY_SIDE = 8
_NAMED = 3
"""Helpers that a reason names at most."""


@dataclass(frozen=True)
class Mark:
    """The state of one task: the parts of its code at a glance, and its settings.

    `key` has the same parts as the cache's key does, where results are kept and the stores were asked.
    """

    code: Mapping[str, str]
    config: Mapping[str, str]
    kept: bool = False
    key: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Snapshot:
    """The state of a graph's tasks, and of the buckets that it reads and does not write, by key."""

    tasks: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    buckets: Mapping[str, str] = field(default_factory=dict[str, str])

    def after(self, earlier: Snapshot, graph: Graph, ran: Collection[str]) -> Snapshot:
        """Return the state behind the results that there are, when only the steps of these keys `ran`.

        The others have their results of earlier, or none; so have the buckets that nobody else has read.
        """
        tasks = {**earlier.tasks, **{key: mark for key, mark in self.tasks.items() if key in ran}}
        read = {key for key in self.buckets if any(child in ran for child in graph.children[key])}
        return Snapshot(tasks, {**earlier.buckets, **{key: self.buckets[key] for key in read}})


def snapshot(env: GlacierEnv, graph: Graph, *, buckets: bool = False, glance: Glance | None = None) -> Snapshot:
    """Return the present state of what a graph consists of.

    With `buckets` the stores are asked what they hold, several at once; without, nothing is touched. Snapshots that are
    taken at one time may share a `glance`.
    """
    look = glance or Glance()
    known = {node.key: env.find_task(node.name) for node in graph.tasks if node.name in env.tasks}
    tasks = {key: _mark(env, task, look, whole=buckets) for key, task in known.items()}
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
    if old is not None and new is not None and (reason := _outdated(old, new)):
        return reason
    known = [each for each in graph.parents[key] if each in before.buckets and each in now.buckets]
    moved = [each for each in known if before.buckets[each] != now.buckets[each]]
    return f"object changed: {', '.join(graph[each].name for each in moved)}" if moved else None


def _outdated(old: Mark, new: Mark) -> str:
    """Say what of a task has changed; of one whose results are kept, only what they can depend on."""
    parts = _differing(old.code, new.code) if old.key is None or new.key is None else _differing(old.key, new.key)
    settings = [name for name in _differing(old.config, new.config) if not (new.kept and name in NO_MATTER)]
    return _reason(parts) or (f"config: {', '.join(settings)}" if settings else "")


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what differs; what came or went only where nothing else does: another part brought or dropped it."""
    both = [name for name in old if name in new and old[name] != new[name]]
    return both or sorted(old.keys() ^ new.keys())


def _reason(changed: Sequence[str]) -> str:
    """Say which parts of a task's code have changed: `code`, `code: HELPER`, `global NAME`."""
    if "code" in changed:
        return "code"
    helpers = [name.removeprefix("helper ") for name in changed if name.startswith("helper ")]
    others = [name for name in changed if not name.startswith("helper ")]
    more = f" and {len(helpers) - _NAMED} more" if len(helpers) > _NAMED else ""
    code = [f"code: {', '.join(helpers[:_NAMED])}{more}"] if helpers else []
    return "; ".join([*code, *others[:_NAMED]])


def _mark(env: GlacierEnv, task: Task, glance: Glance, *, whole: bool) -> Mark:
    settings = task.settings(env)
    kept = bool(settings["cache"])
    config = {name: repr(value) for name, value in settings.items()}
    return Mark(glance.parts(task.fn), config, kept, _key_of(task) if whole and kept else None)


def _key_of(task: Task) -> Mapping[str, str] | None:
    """Return the parts that the cache's key has of a task's code; None where there is no such key."""
    try:
        return fingerprint(task.fn, {}, {}).parts
    except Unfingerprintable:
        return None


def _states(env: GlacierEnv, graph: Graph) -> dict[str, str]:
    written = {edge.source for edge in graph.edges if edge.access in {"write", "both"}}
    known = {_named(each): each for each in env.resources.values() if isinstance(each, Bucket)}
    wanted = [node for node in graph.resources if node.key.startswith("bucket:") and node.key not in written]
    buckets = {node.key: known.get(node.key) or env.storage.bucket(*node.name.split("/", 1)) for node in wanted}
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return dict(zip(buckets, pool.map(_state, buckets.values()), strict=True))


def _named(bucket: Bucket) -> str:
    return f"bucket:{bucket.bucket_name}/{bucket.path}"


def _state(bucket: Bucket) -> str:
    try:
        objects, _ = first_entries(bucket, _OBJECTS)
    except (GlacierError, OSError):
        return ""
    marks = repr([(each.path, each.size, each.modified, each.etag) for each in objects])
    return hashlib.sha256(marks.encode()).hexdigest()
