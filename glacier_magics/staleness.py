"""Which results of the notebook are of an older state of the work, told after each cell."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

from glacier import Graph
from glacier.cache.glance import Glance
from glacier.staleness import Snapshot, outdated, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier import GlacierEnv
    from glacier.execution.journal import RunRecord
    from glacier.execution.run import Run

__all__ = ["Stale"]

_PATIENCE = 0.5
"""Seconds that a cell waits for the stores to say what a run has read; slower ones are asked while the user goes on."""

_TOLD = 5
"""Tasks that the line after a cell names at most."""


@dataclass
class _Seen:
    """Results as they were seen: the run that was the newest, which of its steps had run, and the state behind all.

    For the state of the buckets stores may still be asked.
    """

    run: str
    ran: frozenset[str]
    graph: Graph
    tasks: Snapshot
    buckets: Future[Snapshot]
    told: Mapping[str, str]


class Stale:
    """Compares what ran with what is defined now, for each environment and pipeline."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], _Seen] = {}
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="glacier-stale")

    def look(self, env: GlacierEnv) -> str | None:
        """Remember new runs, and return a line that says what has become stale since the last look."""
        glance = Glance()
        lines = [self._look_at(env, name, glance) for name in env.pipelines]
        return "\n".join(line for line in lines if line) or None

    def of(self, env: GlacierEnv, pipeline: str, *, buckets: bool = False) -> Mapping[str, str]:
        """Return the steps of the last run that are stale, by key, with the reason; `buckets` asks the stores too."""
        seen = self._seen.get((id(env), pipeline))
        if seen is None:
            return {}
        before = seen.buckets.result() if buckets else seen.tasks
        return outdated(seen.graph, before, snapshot(env, seen.graph, buckets=buckets))

    def told(self, env: GlacierEnv, pipeline: str) -> Mapping[str, str]:
        """Return what the last look has found to be stale in a pipeline, by key, with the reason."""
        seen = self._seen.get((id(env), pipeline))
        return {} if seen is None else seen.told

    def tasks(self, env: GlacierEnv) -> dict[str, str]:
        """Return the tasks that are stale in any pipeline, by name, with the reason."""
        found: dict[str, str] = {}
        for (owner, pipeline), seen in self._seen.items():
            if owner == id(env):
                steps = self.of(env, pipeline, buckets=True)
                found.update({seen.graph[key].name: reason for key, reason in steps.items()})
        return found

    def close(self) -> None:
        """Ask no store any more."""
        self._asking.shutdown(wait=False, cancel_futures=True)

    def _look_at(self, env: GlacierEnv, name: str, glance: Glance) -> str | None:
        run, seen = env.find_pipeline(name).last_run, self._seen.get((id(env), name)) or _nothing(name)
        if _of_this_kernel(run) and run.graph is not None:
            ran = _ran(run)
            new = ran - seen.ran if seen.run == run.id else ran
            if new:
                graph = seen.graph if seen.graph.contains(run.graph) else run.graph
                asked = self._asking.submit(_asked, env, graph, new, seen.buckets)
                wait([asked], timeout=_PATIENCE)
                tasks = snapshot(env, graph, glance=glance).after(seen.tasks, graph, new)
                told = {key: reason for key, reason in seen.told.items() if key not in new}
                self._seen[id(env), name] = _Seen(run.id, ran, graph, tasks, asked, told)
                return None
        return self._news(name, seen, snapshot(env, seen.graph, glance=glance))

    def _news(self, name: str, seen: _Seen, now: Snapshot) -> str | None:
        stale, told = outdated(seen.graph, seen.tasks, now), seen.told
        seen.told = stale
        new = {seen.graph[step].name: reason for step, reason in stale.items() if told.get(step) != reason}
        return f"stale in {name}: {_listed(new)}" if new else None


def _nothing(pipeline: str) -> _Seen:
    """Return what was seen of a pipeline without a run."""
    asked: Future[Snapshot] = Future()
    asked.set_result(Snapshot())
    return _Seen("", frozenset(), Graph(pipeline, (), ()), Snapshot(), asked, {})


def _asked(env: GlacierEnv, graph: Graph, ran: frozenset[str], earlier: Future[Snapshot]) -> Snapshot:
    return snapshot(env, graph, buckets=True).after(earlier.result(), graph, ran)


def _ran(run: Run) -> frozenset[str]:
    """Return the steps whose results are of this run, or of the cache, which has them for what is defined now."""
    steps = run.steps.items()
    return frozenset(key for key, step in steps if step.state in {"done", "planned"} or step.stored is not None)


def _listed(stale: Mapping[str, str]) -> str:
    shown = ", ".join(f"{task} ({reason})" for task, reason in islice(stale.items(), _TOLD))
    return shown if len(stale) <= _TOLD else f"{shown} and {len(stale) - _TOLD:,} more: %glacier tasks"


def _of_this_kernel(run: Run | RunRecord | None) -> TypeGuard[Run]:
    """Whether a run is no record: of what an earlier kernel ran nobody knows what its tasks were then."""
    if run is None:
        return False
    from glacier.execution.run import Run

    return isinstance(run, Run)
