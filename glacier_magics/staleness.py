"""Which results of the notebook are of an older state of the work, told after each cell."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from glacier.staleness import Snapshot, outdated, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier import GlacierEnv, Graph
    from glacier.execution.journal import RunRecord
    from glacier.execution.run import Run

__all__ = ["Stale"]

_PATIENCE = 0.5
"""Seconds that a cell waits for the stores to say what a run has read; slower ones are asked while the user goes on."""


@dataclass
class _Seen:
    """A run as it was seen: the state of the tasks then, and of the buckets, for which stores may still be asked."""

    run: str
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
        lines = [self._look_at(env, name) for name in env.pipelines]
        return "\n".join(line for line in lines if line) or None

    def of(self, env: GlacierEnv, pipeline: str, *, buckets: bool = False) -> Mapping[str, str]:
        """Return the steps of the last run that are stale, by key, with the reason; `buckets` asks the stores too."""
        seen = self._seen.get((id(env), pipeline))
        if seen is None:
            return {}
        before = seen.buckets.result() if buckets else seen.tasks
        return outdated(seen.graph, before, snapshot(env, seen.graph, buckets=buckets))

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

    def _look_at(self, env: GlacierEnv, name: str) -> str | None:
        run, seen = env.find_pipeline(name).last_run, self._seen.get((id(env), name))
        if _of_this_kernel(run) and run.graph is not None and (seen is None or seen.run != run.id):
            asked = self._asking.submit(snapshot, env, run.graph, buckets=True)
            wait([asked], timeout=_PATIENCE)
            self._seen[id(env), name] = _Seen(run.id, run.graph, snapshot(env, run.graph), asked, {})
            return None
        return None if seen is None else self._news(env, name, seen)

    def _news(self, env: GlacierEnv, name: str, seen: _Seen) -> str | None:
        stale, told = self.of(env, name), seen.told
        seen.told = stale
        new = {seen.graph[step].name: reason for step, reason in stale.items() if told.get(step) != reason}
        return f"stale in {name}: {', '.join(f'{task} ({reason})' for task, reason in new.items())}" if new else None


def _of_this_kernel(run: Run | RunRecord | None) -> TypeGuard[Run]:
    """Whether a run is no record: of what an earlier kernel ran nobody knows what its tasks were then."""
    if run is None:
        return False
    from glacier.execution.run import Run

    return isinstance(run, Run)
