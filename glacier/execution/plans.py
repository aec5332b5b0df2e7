"""LazyFrames between tasks: which steps are only planned, who computes them, and how several do it together.

A task that returns a LazyFrame has computed nothing: its step is *planned*. Some later task collects the plan, or
writes it to a bucket, and all that it was built of is computed at that moment, as one query. Where several tasks build
on the same plan, each of them alone would compute it anew. So they meet: one that comes to its `collect()` or to its
write waits for the others that build on the same plan and are about to come there, and their queries go to Polars as
one `pl.collect_all`, which computes what they share once. While a task waits, another has its place among
`max_workers`.

Nobody waits for a task that is not ready, nor longer than `PATIENCE`. When the common query fails, each is done again
alone, so that the error is raised by the task whose query it is.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.execution.steps import StepRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from glacier.execution.engine import Engine

__all__ = ["PATIENCE", "SPILL", "Fused", "Plans", "is_narrow", "kept"]

PATIENCE = 0.2
"""Seconds that a query waits for others with which it shares a plan."""
SPILL = 1 << 30
"""Bytes from which on a shared result is kept in a file, not in memory."""
_BLAME = 5.0
"""Seconds that may be spent, beyond the time of the failed query itself, on finding the task that built its error."""
_ROW_BY_ROW = ("FILTER", "SELECT", "WITH_COLUMNS", "SORT BY", "SLICE", "simple", "CACHE", "RENAME", "DROP_NULLS")
_NARROWING = ("AGGREGATE", "UNIQUE")


class Fused:
    """Steps whose plans hang together: those about to compute them, and the queries that wait for the others."""

    __slots__ = ("into", "live", "waiting")

    def __init__(self) -> None:
        self.into: Fused | None = None
        self.live: set[StepRun] = set()
        self.waiting: list[_Query] = []

    def root(self) -> Fused:
        """Return the group that this one has become a part of."""
        here = self
        while here.into is not None:
            here = here.into
        return here

    def merge(self, other: Fused) -> Fused:
        """Make two groups one."""
        mine, theirs = self.root(), other.root()
        if mine is not theirs:
            theirs.into = mine
            mine.live |= theirs.live
            mine.waiting += theirs.waiting
        return mine


class _Query:
    """A query that waits to be computed, and its result; `failed` asks its task to do it again alone."""

    __slots__ = ("failed", "finished", "plan", "result", "taken")

    def __init__(self, plan: Any) -> None:
        self.plan = plan
        self.result: Any = None
        self.taken = False
        self.finished = False
        self.failed = False


class Plans:
    """The plans of one run. What says so is called with the engine's lock held."""

    def __init__(self, engine: Engine, lock: threading.Lock) -> None:
        self.any = False
        self.resting = 0
        self.resuming = 0
        self._engine = engine
        self._lock = lock
        self._met = threading.Condition(lock)

    # --- what the engine tells ----------------------------------------------------------------------------------

    def planned(self, step: StepRun, plan: Any) -> None:
        """Note that a step returned a plan."""
        _prepare()
        self.any = True
        step.state = "planned"
        step.plan = plan

    def join(self, step: StepRun) -> None:
        """Let a step that becomes ready belong to whom it shares a plan with; with the lock held."""
        for source in step.needs:
            if isinstance(source, StepRun) and source.plan is not None:
                source.fused = source.fused or Fused()
                step.fused = source.fused if step.fused is None else step.fused.merge(source.fused)
        if step.fused is not None:
            step.fused.root().live.add(step)

    def leave(self, step: StepRun) -> None:
        """Wait for a step no more, which has ended; with the lock held."""
        if step.fused is not None:
            step.fused.root().live.discard(step)
            self._met.notify_all()

    def may_start(self) -> bool:
        """Whether a thread may take a step although others rest; with the lock held."""
        if not self.resting:
            return True
        return not self.resuming and self._engine.at_work - self.resting < self._engine.workers

    def wake(self) -> None:
        """Let everybody look whether the run is over; with the lock held."""
        self._met.notify_all()

    def computed(self, step: StepRun) -> None:
        """Note that what a step was built of is computed: it has a value that is no plan."""
        for each in _planned_above(step):
            each.state = "done"
            each.plan = None
            self._engine.tell("succeeded", each)

    def not_computed(self, step: StepRun) -> None:
        """Note that a step failed: what it was built of is only planned, as before."""
        for each in _planned_above(step):
            each.state = "planned"

    # --- computing ----------------------------------------------------------------------------------------------

    def compute(self, step: StepRun, plan: Any, alone: Callable[[], Any]) -> Any:
        """Compute a query of a running step, together with others that share a part of it.

        Raises:
            Exception: the query's own error.
        """
        self._show_running(step)
        query = None if plan is None else self._await_others(step, plan)
        if query is None:
            return alone()
        if query.failed:
            return self._again(alone)
        return query.result

    def _again(self, alone: Callable[[], Any]) -> Any:
        """Compute alone what failed together with others; a half-written file is begun anew by who writes it."""
        if any(isinstance(each, context.Redoable) for each in getattr(alone, "args", ())):
            raise context.AloneError
        return alone()

    def _show_running(self, step: StepRun) -> None:
        for each in _planned_above(step):
            if each.state == "planned":
                each.state = "running"
                each.detail = f"computed by {step.key}"
                self._engine.tell("started", each)

    def _await_others(self, step: StepRun, plan: Any) -> _Query | None:
        """Return the query with its result, None when there is nobody to compute it with."""
        with self._lock:
            if step.fused is None or step.met:
                return None
            step.met = True
            group = step.fused.root()
            group.live.discard(step)
            if not group.live and not group.waiting:
                return None
            query = _Query(plan)
            group.waiting.append(query)
            self._met.notify_all()
            leading = self._rest(step, query)
        if leading:
            self._compute_all(leading)
        with self._lock:
            self._resume(query)
        return query

    def _rest(self, step: StepRun, query: _Query) -> list[_Query]:
        """Wait until somebody has taken the query, or return the queries that this thread is to compute."""
        self.resting += 1
        self._engine.call_for_help()
        until = time.monotonic() + PATIENCE
        while not query.taken:
            assert step.fused is not None
            group = step.fused.root()
            left = until - time.monotonic()
            if not group.live or left <= 0 or self._engine.closed:
                queries, group.waiting = group.waiting, []
                for each in queries:
                    each.taken = True
                return queries
            self._met.wait(left)
        return []

    def _resume(self, query: _Query) -> None:
        """Wait for the result, and for a place among the threads that work."""
        while not query.finished and not self._engine.closed:
            self._met.wait()
        self.resuming += 1
        while self._engine.at_work - self.resting >= self._engine.workers and not self._engine.closed:
            self._met.wait()
        self.resuming -= 1
        self.resting -= 1
        self._met.notify_all()
        self._engine.call_for_help()

    def _compute_all(self, queries: Sequence[_Query]) -> None:
        import polars as pl

        try:
            results: list[Any] = pl.collect_all([query.plan for query in queries])
        except Exception:
            results = []
        with self._lock:
            for index, query in enumerate(queries):
                query.failed = not results
                query.result = results[index] if results else None
                query.finished = True
            self._met.notify_all()

    # --- blaming ------------------------------------------------------------------------------------------------

    def blame(self, step: StepRun, error: Exception) -> None:
        """Add to an error of Polars which task built the step of the query that failed, where that can be found.

        The plans that the failed one is made of are computed anew, from the nearest to the farthest, as long as they
        fail too.
        """
        if not type(error).__module__.startswith("polars") or not self.any:
            return
        until = time.monotonic() + _BLAME + (step.seconds or 0.0)
        here, culprit = step, None
        while here is not None:
            failing = None
            for above in dict.fromkeys(here.needs):
                if isinstance(above, StepRun) and above.plan is not None:
                    if time.monotonic() > until:
                        error.add_note(f"the failing step of the query was built by task {here.name!r} or before it")
                        return
                    if _fails(above.plan):
                        failing = culprit = above
                        break
            here = failing
        if culprit is not None:
            site = culprit.task.fn.__code__ if culprit.task is not None else None
            where = f" ({site.co_filename}:{site.co_firstlineno})" if site is not None else f" ({culprit.site})"
            error.add_note(f"the failing step of the query was built by {culprit.kind} {culprit.name!r}{where}")


def _planned_above(step: StepRun) -> Iterator[StepRun]:
    """Yield the steps that `step` was built of and that are not computed yet."""
    todo = [step]
    seen: set[StepRun] = set()
    while todo:
        for source in todo.pop().needs:
            if isinstance(source, StepRun) and source.plan is not None and source not in seen:
                seen.add(source)
                todo.append(source)
                yield source


def _fails(plan: Any) -> bool:
    try:
        plan.collect()
    except Exception:
        return True
    return False


# --- what is worth keeping --------------------------------------------------------------------------------------------


def is_narrow(plan: Any) -> bool:
    """Whether a plan's result is small beside what it is made of: it ends in an aggregation.

    Sorting, filtering and choosing columns after it do not change that. Computing such a result for several consumers
    costs next to nothing more than computing it inside of each query, while a join or a scan that is cut off from what
    follows costs several times as much.
    """
    try:
        lines = plan.explain(optimized=False).splitlines()
    except Exception:  # a plan that cannot be explained fails where it is computed
        return False
    for line in map(str.strip, lines):
        if line.startswith(_NARROWING):
            return True
        if not line.startswith((*_ROW_BY_ROW, "[", "FROM")):
            return False
    return False


def kept(plan: Any) -> tuple[Any, int]:
    """Compute a plan; return a LazyFrame of the result, in memory or of a file, and its rows."""
    frame = plan.collect()
    if frame.estimated_size() < SPILL:
        return frame.lazy(), frame.height
    import polars as pl

    path = f"{_spill_folder()}/{id(frame)}-{time.monotonic_ns()}.arrow"
    frame.write_ipc(path)
    return pl.scan_ipc(path), frame.height


@functools.cache
def _spill_folder() -> str:
    """Return a folder that lasts as long as the process: a result may be handed to the caller of the run."""
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="glacier-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# --- Polars' own methods ----------------------------------------------------------------------------------------------

_COMPUTING = ("collect", "sink_parquet", "sink_csv", "sink_ndjson", "sink_ipc")


def _prepare() -> None:
    """Let the methods of LazyFrame that compute tell the running task first, once for the process."""
    import polars as pl

    if not hasattr(pl.LazyFrame.collect, "_glacier"):
        for name in _COMPUTING:
            setattr(pl.LazyFrame, name, _telling(getattr(pl.LazyFrame, name)))


def _telling(original: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        using = context.usage.get()
        if using is None or kwargs.get("lazy"):
            return original(self, *args, **kwargs)
        alone = functools.partial(original, self, *args, **kwargs)
        return using.compute(_together(original, self, args, kwargs), alone)

    method.__dict__["_glacier"] = True
    return method


def _together(original: Any, plan: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the query that can be computed with others, None when it is better computed alone.

    A write goes together only into what can be written anew when the common query fails.
    """
    if original.__name__ == "collect":
        return None if args or kwargs else plan
    if args and isinstance(args[0], context.Redoable):
        return original(plan, *args, **kwargs, lazy=True)
    return None
