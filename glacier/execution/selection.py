"""Partial runs: which steps are run for `only=`, `from_=` and `until=`, and what such a run returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, did_you_mean
from glacier.execution.steps import StepRun
from glacier.recording.live import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.execution.options import RunOptions
    from glacier.recording import Step
    from glacier.recording.live import Deferred

__all__ = ["Selection", "check_forced", "is_forced", "is_named"]


class Selection:
    """The steps that a partial run is about: those of `until` or `only`, or those of `from_` and all that needs them.

    With both `from_` and `until` it is what lies between them. What the chosen steps need is run as well, unless the
    cache has it. `held` has the handles of those to be returned whose values the body has asked for already.

    Raises:
        ConfigError: there is no step of such a name.
    """

    def __init__(self, options: RunOptions, steps: Sequence[StepRun], held: Mapping[StepRun, Any]) -> None:
        self._named = _named(steps, options.only or options.until)
        self._ends = bool(options.only or options.until)
        begun = _downstream(steps, _named(steps, options.from_)) if options.from_ else None
        ends = set(self._named)
        if options.until and begun is not None:
            self.steps = [step for step in _upstream(ends) if step in begun or step in ends]
        elif self._ends:
            self.steps = [step for step in steps if step in ends]
        else:
            self.steps = [step for step in steps if begun is None or step in begun]
        self._handles: dict[StepRun, Deferred | None] = {step: held.get(step, step.handle) for step in self._named}

    @property
    def returns_named(self) -> bool:
        """Whether the run returns the values of the named steps, not what the body returns."""
        return self._ends

    def result(self) -> Any:
        """Return the value of the only named step, or the values of several by name (by key where names are equal)."""
        values = {step: plain(handle) for step, handle in self._handles.items()}
        if len(values) == 1:
            return next(iter(values.values()))
        names = [step.name for step in values]
        return {step.name if names.count(step.name) == 1 else step.key: value for step, value in values.items()}


def is_forced(options: RunOptions, step: Step) -> bool:
    """Whether a step runs although the cache has its result: it is named by `force`, `only` or `from_`."""
    return options.force is True or is_named(step, (*options.forced, *options.only, *options.from_))


def check_forced(options: RunOptions, steps: Sequence[StepRun], others: Iterable[str]) -> None:
    """Refuse a name in `force` that is neither one of these steps nor of `others`, tasks that may not have come up.

    Raises:
        ConfigError: there is one.
    """
    _named(steps, [name for name in options.forced if name not in set(others)])


def is_named(step: Step, names: Iterable[str]) -> bool:
    """Whether a step's name or key is among the names."""
    return step.name in names or step.key in names


def _named(steps: Sequence[StepRun], names: Sequence[str]) -> list[StepRun]:
    known = {word for step in steps for word in (step.name, step.key)}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, {step.name for step in steps})
            raise ConfigError(f"this run has no task {name!r}", hint=hint)
    return [step for step in steps if is_named(step, names)]


def _downstream(steps: Sequence[StepRun], begin: Iterable[StepRun]) -> set[StepRun]:
    """Return the steps and all that need them; `steps` are in the order of the body."""
    reached: set[Any] = set(begin)
    first = min((step.serial for step in reached), default=0)
    every = steps[0].recorder.steps[first:] if steps else []
    for step in every:
        if any(source in reached for source in step.needs):
            reached.add(step)
    return {step for step in reached if isinstance(step, StepRun)}


def _upstream(ends: Iterable[StepRun]) -> list[StepRun]:
    found = dict.fromkeys(ends)
    todo = list(found)
    while todo:
        for source in todo.pop().needs:
            if isinstance(source, StepRun) and source not in found:
                found[source] = None
                todo.append(source)
    return sorted((step for step in found if step.task is not None), key=lambda step: step.serial)
