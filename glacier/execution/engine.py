"""The scheduler: steps that are ready run side by side, and the thread that wants a value takes part in the work.

A step goes through these states:

| state       | meaning                                                 | leaves when                                 |
|-------------|---------------------------------------------------------|---------------------------------------------|
| `recorded`  | the body made it; it is not wanted, or waits for inputs | it is wanted and its last input has a value |
| `ready`     | all inputs have values                                  | a thread takes it                           |
| `running`   | a thread is at it, or computes the plan it returned     | it returns or raises                        |
| `planned`   | it returned a LazyFrame, of which nothing is computed   | another step computes it: `running`, `done` |
| `done`      | its value is known                                      |                                             |
| `cached`    | its value was known before the run                      |                                             |
| `failed`    | its last attempt raised                                 |                                             |
| `skipped`   | it was not asked for, or something that it needs failed |                                             |
| `cancelled` | the run ended before it could start                     |                                             |

Nothing here recurses, and a step costs no thread, timer or future of its own. A thread goes on with what its last step
made ready; others are woken only when there is more to do than the threads at work can take, and not for tasks of which
the last call took less than it costs to wake a thread.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import ExecutorError, PipelineError
from glacier.execution.attempts import Call, Touched, attempt
from glacier.execution.caching import Kept, cached, loaded
from glacier.execution.cancelling import Cancel
from glacier.execution.memory import MISSING
from glacier.execution.plans import Plans, is_narrow, kept
from glacier.execution.ready import Ready
from glacier.execution.selection import is_forced
from glacier.execution.stepping import Stopped
from glacier.execution.steps import Facts, StepRun
from glacier.recording.live import Deferred, plain
from glacier.recording.steps import ATOMS, NOTHING, replaced
from glacier.redaction import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from glacier.execution.events import Kind
    from glacier.execution.options import RunOptions
    from glacier.execution.reading import Reading
    from glacier.execution.run import Run
    from glacier.execution.stepping import Gate
    from glacier.recording import RecordedTask

__all__ = ["Engine"]

_QUICK = 50e-6
"""Seconds: waking a thread takes 12 to 57 µs (docs/benchmarks.md), so that a shorter task is not worth it."""
_LATE = 0.005
"""Seconds after which a task that was quick before counts as slow."""


class Engine:
    """Brings the steps of one run to their values on up to `workers` threads, the wanting one included."""

    def __init__(self, run: Run, env: Any, options: RunOptions, workers: int) -> None:
        self.run = run
        self.env = env
        self.options = options
        self.cancel = Cancel()
        self.failures: list[BaseException] = []
        self.workers = workers
        self._tell = run.tell if run.events else None
        self._gate: Gate | None = context.gate.get()
        self._reading: Reading | None = context.reading.get()
        self._memory = run.memory
        self._resumes = run.memory is not None and run.memory.resumes
        self._facts: dict[RecordedTask, Facts] = {}
        self._ready = Ready()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._plans = Plans(self, self._lock)
        self._wanted: dict[StepRun, None] = {}
        self._running: dict[StepRun, int] = {}
        self._idle = 0
        self._threads = 0
        self.closed = False
        self._late = False

    # --- what the body and the run ask for ----------------------------------------------------------------------

    def force(self, step: StepRun, handle: Deferred) -> Any:
        """Return the value of a step, after running it and everything it needs.

        Raises:
            Exception: the error of the step, or of one that it needs.
        """
        if step.stored is not None:
            return loaded(step, lambda: self._compute(step, step.facts))
        if not step.known:
            if self.closed:
                raise PipelineError(f"step {step.key!r} of run {self.run.id} has no value: it is {step.state}")
            if step.failure is None:
                self._want(self._needed([step]) if self._resumes else _ancestry([step]))
            self._attend(step)
        return handle.__wrapped__

    def finish(self, steps: Iterable[StepRun]) -> None:
        """Run these steps, each of which comes after all that it needs; one that has failed is let be.

        Raises:
            Exception: the error of the step that failed, or a group of several.
        """
        steps = [step for step in steps if step.failure is None]
        if self._memory is not None and self._resumes:
            steps = self._needed([step for step in steps if not self._memory.is_settled(step)])
        elif self.options.partial:
            steps = _ancestry(steps)
        self._want(steps)
        self._attend(None)

    def done(self, step: StepRun, value: Any) -> None:
        """Take the value of an operation that the body did itself."""
        step.began = time.perf_counter()
        step.seconds = 0.0
        if self._memory is not None and self._resumes:
            self._memory.operation(step)
        step.known = True
        self._note_value(step, value)

    def say(self, line: str) -> None:
        """Take a line that the task on this thread printed or logged; one of the body itself is let go."""
        ident = threading.get_ident()
        step = next((step for step, thread in tuple(self._running.items()) if thread == ident), None)
        if step is not None:
            self.run.note(step, "log", {"line": line})

    @property
    def at_work(self) -> int:
        """How many steps are running."""
        return len(self._running)

    def tell(self, kind: Kind, step: StepRun) -> None:
        """Tell the journal, and the listeners if there are any, of a plan that is computed by another step."""
        if self._memory is not None and step.task is not None:
            self._memory.changed(step)
        if self._tell is not None:
            self._tell(kind, step)

    def compute(self, step: StepRun | None, plan: Any, alone: Callable[[], Any]) -> Any:
        """Compute a query of a running step: see `Plans`; `plan` is None where it has to be alone."""
        self.cancel.check()
        if step is None:
            return alone()
        return self._plans.compute(step, plan, alone)

    def close(self) -> None:
        """Start nothing more and let the idle threads go."""
        with self._lock:
            self.closed = True
            self._ready.clear()
            self._changed.notify_all()
            self._plans.wake()

    def interrupt(self) -> None:
        """End the run: what waits ends, processes are killed, and threads stop where they next run Python."""
        self.close()
        self.cancel.cancel()
        with self._lock:
            for ident in set(self._running.values()):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))

    def nudge(self) -> None:
        """Wake a thread when a task that used to be quick keeps others waiting."""
        if self._ready and self._running:
            now = time.perf_counter()
            with self._lock:
                self._late = any(now - step.began > _LATE for step in self._running)
                if self._late:
                    self.call_for_help()

    # --- wanting ------------------------------------------------------------------------------------------------

    def _want(self, steps: Sequence[StepRun]) -> None:
        """Schedule steps of which each comes after all that it needs.

        Raises:
            Exception: what one of them needs has failed before, and the body has gone on without it.
        """
        with self._lock:
            fresh: list[StepRun] = []
            for step in steps:
                if step.missing < 0 and not step.known and self._schedule(step):
                    fresh.append(step)
            _rank(fresh)
            for step in fresh:
                self._wanted[step] = None
                if not step.missing:
                    self._make_ready(step)
                    self._ready.push(step)

    def _make_ready(self, step: StepRun) -> None:
        step.state = "ready"
        if self._plans.any:
            self._plans.join(step)

    def _schedule(self, step: StepRun) -> bool:
        """Count what a step waits for; say whether it can come to its turn."""
        missing = 0
        for source in step.needs:
            if isinstance(source, StepRun) and not source.known:
                if source.failure is not None:
                    self._cannot(step, source)
                    return False
                missing += 1
                source.precede(step)
        step.missing = missing
        step.facts = self._facts_of(step)
        return True

    def _cannot(self, step: StepRun, source: StepRun) -> None:
        assert source.failure is not None
        if self.options.on_error == "fail":
            raise source.failure
        self._skip(step, source.failure, f"{source.name} failed")

    def _needed(self, targets: Iterable[StepRun]) -> list[StepRun]:
        """Return what has to run for the sake of `targets`, each after all that it needs.

        What the resumed run kept is taken from there; what it needed then need not run.
        """
        found: dict[StepRun, None] = {}
        todo = list(targets)
        while todo:
            step = todo.pop()
            if not step.known and step not in found and not self._recalled(step):
                found[step] = None
                todo += [source for source in step.needs if isinstance(source, StepRun)]
        return sorted(found, key=lambda each: each.serial)

    def _recalled(self, step: StepRun) -> bool:
        """Whether the resumed run kept the value of a step; it is then at hand."""
        assert self._memory is not None
        value = self._memory.recall(step)
        if value is MISSING:
            return False
        step.state = "cached"
        step.known = True
        handle, step.handle = step.handle, None
        if handle is not None:
            handle.__wrapped__ = value
        step.known = True
        if self._tell is not None:
            self._tell("cached", step)
        return True

    # --- working ------------------------------------------------------------------------------------------------

    def _attend(self, target: StepRun | None) -> None:
        """Take part in the work until `target` has its value, None stands for all that is wanted."""
        recording = context.recorder.set(None)
        worker = _Worker(self)
        usage = context.usage.set(worker)
        try:
            while (step := self._next(target)) is not None:
                while step is not None:
                    self._do(step, worker)
                    step = self._settle(step, target)
        finally:
            context.usage.reset(usage)
            context.recorder.reset(recording)
        self._complain(target)

    def _complain(self, target: StepRun | None) -> None:
        """Raise what kept `target`, or all that was wanted, from its value."""
        if target is not None and target.known:
            return
        if self.closed:
            self.cancel.check()
            raise PipelineError(f"run {self.run.id} of pipeline {self.run.pipeline!r} was interrupted")
        failures = self.failures
        if target is not None and target.failure is not None:
            failures = [target.failure]
        if failures:
            self.failures = [each for each in self.failures if each not in failures]
            raise _one(failures, self.run.pipeline)

    def _next(self, target: StepRun | None) -> StepRun | None:
        """Wait for a step to do; None when there is nothing left to do or to wait for."""
        with self._lock:
            while not (self.closed or self._satisfied(target)):
                if self._ready and self._plans.may_start():
                    return self._take()
                if target is not None:
                    target.awaited = True
                self._wait()
            return None

    def _satisfied(self, target: StepRun | None) -> bool:
        if target is None:
            return not self._wanted or (self._defeated() and not self._running)
        if target.known or target.failure is not None:
            return True
        if not self._defeated():
            return False
        return not self._running or threading.get_ident() in self._running.values()

    def _defeated(self) -> bool:
        """Whether something failed after which nothing more is started."""
        return bool(self.failures) and self.options.on_error == "fail"

    def _take(self) -> StepRun:
        return self._start(self._ready.pop())

    def _start(self, step: StepRun) -> StepRun:
        step.state = "running"
        self._running[step] = threading.get_ident()
        if self._ready and not step.facts.quick:
            self.call_for_help()
        return step

    def call_for_help(self) -> None:
        """Wake a thread, or make one, for a step that is ready; with the lock held."""
        if not self._ready:
            return
        if self._idle:
            self._changed.notify()
        elif self._threads < self.workers - 1 + self._plans.resting:
            self._threads += 1
            name = f"glacier-{self.run.id}-{self._threads}"
            work = contextvars.copy_context().run
            threading.Thread(target=work, args=(self._help,), name=name, daemon=True).start()

    def _help(self) -> None:
        """Do what is ready until the run is over."""
        context.recorder.set(None)
        worker = _Worker(self)
        context.usage.set(worker)
        with suppress(KeyboardInterrupt):
            while (step := self._next_to_help()) is not None:
                while step is not None:
                    self._do(step, worker)
                    step = self._settle(step, None)

    def _next_to_help(self) -> StepRun | None:
        with self._lock:
            while not self.closed:
                if self._ready and self._plans.may_start() and self._worth_helping():
                    return self._take()
                self._wait()
            return None

    def _worth_helping(self) -> bool:
        """Whether a second thread gains anything: quick tasks are done sooner by the one that is at it."""
        return self._late or not self._running or not self._ready.first().facts.quick

    def _wait(self) -> None:
        self._idle += 1
        self._changed.wait()
        self._idle -= 1

    def _do(self, step: StepRun, worker: _Worker) -> None:
        """Run a step on this thread, and note what became of it."""
        step.began = began = time.perf_counter()
        facts = step.facts
        worker.step = step
        gate = None if self._gate is None else self._gate_of(step, self._gate)
        try:
            if gate is not None:
                gate.before(step)
                step.began = began = time.perf_counter()
            value = self._call(step, facts)
            step.seconds = seconds = time.perf_counter() - began
            facts.quick = seconds < _QUICK
            self._note_value(step, value)
        except BaseException as error:
            step.seconds = time.perf_counter() - began
            self._note_failure(step, error)
        if step.stored is None:
            step.args = ()
            step.kwargs = NOTHING
        if gate is not None:
            gate.after(step)

    def _gate_of(self, step: StepRun, gate: Gate) -> Gate | None:
        """Return the gate before a step; a step that the resumed run did passes by, and is noted."""
        if not self._resumes or self._memory is None or not self._memory.is_settled(step):
            return gate
        gate.again.append(step.name)
        return None

    def _call(self, step: StepRun, facts: Facts) -> Any:
        """Return the value of a task."""
        if self._memory is not None and not facts.quick:
            self._memory.began(step)
        if self._reading is not None:
            self._redirect(step, facts)
        if facts.direct:
            return self._call_directly(step, facts)
        if facts.settings["cache"]:
            forced = is_forced(self.options, step)
            return cached(step, self.env, facts.settings, forced, lambda: self._compute(step, facts))
        return self._compute(step, facts)

    def _redirect(self, step: StepRun, facts: Facts) -> None:
        """Give a step the resources that are meant where the run reads from another environment.

        Raises:
            ExecutorError: it would run where nothing knows of that.
        """
        assert step.task is not None
        assert self._reading is not None
        if facts.job.executor != "local":
            message = (
                f"{facts.job} cannot run with read=: executor {facts.job.executor!r} knows only its own environment"
            )
            raise ExecutorError(message, hint='use executor="local"')
        given = self._reading.arguments(step.arguments, step.task.usage.parameters)
        step.args, step.kwargs = step.task.signature.parted(given)

    def _call_directly(self, step: StepRun, facts: Facts) -> Any:
        args, kwargs = _plain_arguments(step)
        step.attempts = 1
        if self._tell is not None:
            self._tell("started", step)
        try:
            return facts.fn(*args, **kwargs)
        except Exception as error:
            error.add_note(f"{facts.job}, attempt 1 of 1")
            raise

    def _compute(self, step: StepRun, facts: Facts) -> Any:
        args, kwargs = _plain_arguments(step)
        return self._attempt(step, facts, Call(facts.fn, args, kwargs))

    def _attempt(self, step: StepRun, facts: Facts, call: Call) -> Any:
        def note(kind: str, details: dict[str, Any]) -> None:
            if kind == "started":
                step.attempts += 1
            self.run.note(step, kind, details)

        def say(line: str) -> None:
            self.run.note(step, "log", {"line": line})

        if self.env.debug:
            call = Call(_computed, (call.fn, *call.args), call.kwargs)
        with context.using(context.lines, say):
            return attempt(call, facts.job, note)

    def _note_value(self, step: StepRun, value: Any) -> None:
        if self.closed:
            return
        if type(value) is Kept:
            self._note_kept(step, value)
            return
        step.state = "done"
        if type(value) not in ATOMS:
            value = self._looked_at(step, value)
        if self._plans.any and step.plan is None:
            self._plans.computed(step)
        handle = step.handle
        if handle is not None:
            handle.__wrapped__ = value
            step.handle = None
        step.known = True
        if self._memory is not None and step.task is not None:
            self._memory.ended(step, value)
        if self._tell is not None:
            self._tell("planned" if step.plan is not None else "succeeded", step)

    def _note_kept(self, step: StepRun, kept_result: Kept) -> None:
        """Take a result of the cache for the value of a step; one that was there before is read when it is wanted."""
        stored = kept_result.stored
        step.stored, step.digest, step.rows, step.bytes = stored, stored.digest, stored.rows, stored.bytes
        known_before = kept_result.known_before
        step.state = "cached" if known_before else "done"
        step.detail = stored.key if known_before else ""
        if self._plans.any:
            self._plans.computed(step)
        handle, step.handle = step.handle, None
        if handle is not None and not known_before:
            handle.__wrapped__ = kept_result.value
        step.known = True
        if self._memory is not None:
            self._memory.cached(step)
        if self._tell is not None:
            self._tell("cached" if known_before else "succeeded", step)

    def _looked_at(self, step: StepRun, value: Any) -> Any:
        match type(value).__name__:
            case "DataFrame":
                step.rows = value.height
            case "LazyFrame":
                return self._plan(step, value)
            case "_Computed":
                step.rows = value.frame.height
                return value.frame.lazy()
            case _:
                pass
        return value

    def _plan(self, step: StepRun, plan: Any) -> Any:
        """Take a plan for a value, or compute it where that pays: see `RunOptions.materialize`."""
        wanted = self.options.materialize
        shared = isinstance(step.children, list) and len(set(step.children)) > 1
        if shared and wanted and (wanted is True or is_narrow(plan)):
            plan, step.rows = kept(plan)
        else:
            self._plans.planned(step, plan)
        return plan

    def _note_failure(self, step: StepRun, error: BaseException) -> None:
        step.failure = error
        if self.closed or isinstance(error, Stopped):
            return
        if self._plans.any and isinstance(error, Exception):
            self._plans.blame(step, error)
            self._plans.not_computed(step)
        step.state = "failed"
        step.error = told(error)
        if self._memory is not None:
            self._memory.lost(step)
        if self._tell is not None:
            self._tell("failed", step)

    # --- after a step -------------------------------------------------------------------------------------------

    def _settle(self, step: StepRun, target: StepRun | None) -> StepRun | None:
        """Tell who waits for a step that it has ended; return the step that this thread does next, if any."""
        with self._lock:
            del self._running[step]
            self._wanted.pop(step, None)
            self._late = False
            following = None
            if step.failure is not None:
                self._lose(step)
            elif step.children is not None:
                following = self._release(step)
            if self._plans.any:
                self._plans.leave(step)
            if self._idle and (step.awaited or not self._wanted or self.failures):
                self._changed.notify_all()
            return self._go_on(following, target)

    def _release(self, step: StepRun) -> StepRun | None:
        """Make ready what only waited for `step`; return the one of them with the longest path behind it."""
        best = None
        for child in step.take_children():
            child.missing -= 1
            if child.missing or child.failure is not None:
                continue
            self._make_ready(child)
            if best is not None:
                self._ready.push(best if child.rank > best.rank else child)
            if best is None or child.rank > best.rank:
                best = child
        return best

    def _go_on(self, following: StepRun | None, target: StepRun | None) -> StepRun | None:
        """Return what this thread does next: `following`, which is ready and not queued, or something more urgent."""
        if self.closed:
            return None
        done = target is not None and self._satisfied(target)
        if following is not None:
            if not done and self._plans.may_start() and (not self._ready or following.rank >= self._ready.first().rank):
                return self._start(following)
            self._ready.push(following)
        if not self._ready:
            return None
        if done or not self._plans.may_start():
            self._changed.notify()
            return None
        return self._take()

    def _lose(self, step: StepRun) -> None:
        """Draw the consequences of a failure: nothing more is started, or nothing that needs the step."""
        assert step.failure is not None
        self.failures.append(step.failure)
        if self.options.on_error == "continue" and isinstance(step.failure, Exception):
            self._skip_below(step)
            return
        self._ready.clear()
        for each in [each for each in self._wanted if each not in self._running]:
            each.state = "cancelled"
            each.missing = -1
            each.children = None
            del self._wanted[each]
        step.children = None

    def _skip_below(self, step: StepRun) -> None:
        assert step.failure is not None
        todo = [step]
        while todo:
            lost = todo.pop()
            for child in lost.take_children():
                if child.failure is None:
                    self._skip(child, step.failure, f"{step.name} failed")
                    todo.append(child)

    def _skip(self, step: StepRun, failure: BaseException, why: str) -> None:
        step.state = "skipped"
        step.failure = failure
        step.detail = why
        self._wanted.pop(step, None)
        if self._memory is not None:
            self._memory.lost(step)
        if self._tell is not None:
            self._tell("skipped", step)

    def _facts_of(self, step: StepRun) -> Facts:
        task = step.task
        assert task is not None
        known = self._facts.get(task)
        if known is None:
            known = self._facts[task] = Facts(task, self.env, self.run.pipeline, self.cancel)
        return known


class _Worker(Touched):
    """What the tasks of one thread use: it knows which step that thread is at."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.step: StepRun | None = None
        self._engine = engine

    def compute(self, plan: Any, alone: Callable[[], Any]) -> Any:
        """Compute a query of the step, with others that share a plan with it."""
        return self._engine.compute(self.step, plan, alone)

    def check(self) -> None:
        """Do nothing, unless the run was cancelled."""
        self._engine.cancel.check()


class _Computed:
    """A LazyFrame's DataFrame: in debugging, what a task returned is computed at once."""

    __slots__ = ("frame",)

    def __init__(self, frame: Any) -> None:
        self.frame = frame


def _computed(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what `fn` returns, a LazyFrame computed."""
    value = fn(*args, **kwargs)
    return _Computed(value.collect()) if type(value).__name__ == "LazyFrame" else value


def _plain_arguments(step: StepRun) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return the arguments of a step with values in the place of handles."""
    if not step.needs:
        return step.args, step.kwargs
    args = tuple([value.__wrapped__ if type(value) is Deferred else _plain_argument(value) for value in step.args])
    return args, {name: _plain_argument(value) for name, value in step.kwargs.items()} if step.kwargs else NOTHING


def _plain_argument(value: Any) -> Any:
    return value if type(value) in ATOMS else replaced(value, plain)


def _ancestry(steps: Sequence[StepRun]) -> list[StepRun]:
    """Return steps and everything they need that has no value yet, each after what it needs."""
    found = dict.fromkeys(steps)
    todo = list(found)
    while todo:
        for source in todo.pop().needs:
            if isinstance(source, StepRun) and not source.known and source not in found:
                found[source] = None
                todo.append(source)
    return sorted(found, key=lambda each: each.serial)


def _rank(steps: Sequence[StepRun]) -> None:
    """Give each step the length of the longest path behind it."""
    for step in reversed(steps):
        above = step.rank + 1
        for source in step.needs:
            if isinstance(source, StepRun) and source.rank < above:
                source.rank = above


def _one(failures: Sequence[BaseException], pipeline: str) -> BaseException:
    """Return the only failure, or all of them as a group."""
    different = list(dict.fromkeys(failures))
    if len(different) == 1:
        return different[0]
    exceptions = [each for each in different if isinstance(each, Exception)]
    if len(exceptions) < len(different):
        return next(each for each in different if not isinstance(each, Exception))
    return ExceptionGroup(f"{len(different)} tasks of pipeline {pipeline!r} failed", exceptions)
