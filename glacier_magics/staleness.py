"""Which results of the notebook are of an older state of the work, told after each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.staleness import Mark, marks, outdated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier import GlacierEnv

__all__ = ["Stale"]


class Stale:
    """Compares what ran with what is defined now, for each environment and pipeline."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], tuple[str, Any, Mapping[str, Mark]]] = {}
        self._told: dict[tuple[int, str], Mapping[str, str]] = {}

    def look(self, env: GlacierEnv) -> str | None:
        """Remember new runs, and return a line that says what has become stale since the last look."""
        lines = [self._look_at(env, name) for name in env.pipelines]
        return "\n".join(line for line in lines if line) or None

    def of(self, env: GlacierEnv, pipeline: str, *, objects: bool = False) -> Mapping[str, str]:
        """Return the steps of the last run that are stale, by key, with the reason; `objects` asks the stores too."""
        seen = self._seen.get((id(env), pipeline))
        if seen is None:
            return {}
        _, graph, before = seen
        return outdated(graph, before, marks(env, graph, objects=objects))

    def tasks(self, env: GlacierEnv) -> dict[str, str]:
        """Return the tasks that are stale in any pipeline, by name, with the reason."""
        found: dict[str, str] = {}
        for (owner, pipeline), (_, graph, _) in self._seen.items():
            if owner == id(env):
                found.update({graph[key].name: reason for key, reason in self.of(env, pipeline).items()})
        return found

    def _look_at(self, env: GlacierEnv, name: str) -> str | None:
        key, run = (id(env), name), env.get_pipeline(name).last_run
        seen = self._seen.get(key)
        if run is not None and run.graph is not None and (seen is None or seen[0] != run.id):
            self._seen[key] = run.id, run.graph, marks(env, run.graph, objects=True)
            self._told[key] = {}
            return None
        if seen is None:
            return None
        stale, told = self.of(env, name), self._told[key]
        self._told[key] = stale
        new = {seen[1][step].name: reason for step, reason in stale.items() if told.get(step) != reason}
        return f"stale in {name}: {', '.join(f'{task} ({reason})' for task, reason in new.items())}" if new else None
