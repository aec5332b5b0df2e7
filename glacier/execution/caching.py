"""Results that are kept between runs: looked up before a task runs, kept after it."""

# pyright: reportPrivateUsage=false
# A Deferred keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from glacier.home import home
from glacier.recording.live import Deferred, plain
from glacier.recording.steps import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from glacier.cache.store import Store, Stored
    from glacier.execution.steps import StepRun

__all__ = ["Kept", "cached", "loaded", "store"]


class Kept:
    """A result that the cache keeps; `value` is None where it was not read, since it was there before."""

    __slots__ = ("known_before", "stored", "value")

    def __init__(self, stored: Stored, value: Any = None, *, known_before: bool) -> None:
        self.stored = stored
        self.value = value
        self.known_before = known_before


def store() -> Store:
    """Return the cache of this project."""
    return _store(home() / "cache")


@functools.lru_cache(maxsize=16)
def _store(root: Path) -> Store:
    from glacier.cache.store import Store

    return Store(root)


def cached(step: StepRun, settings: Mapping[str, Any], forced: bool, compute: Callable[[], Any]) -> Any:
    """Return what is kept of a step, or its computed value, which is kept from now on where that is possible.

    Of several threads and processes only one computes a result. A LazyFrame is computed and comes back as a scan.
    """
    from glacier.cache.fingerprint import fingerprint_or_warn

    assert step.task is not None
    arguments = {name: replaced(value, _told) for name, value in step.arguments.items()}
    found = fingerprint_or_warn(step.name, step.task.fn, arguments, settings)
    if found is None:
        return compute()
    kept = store()
    stored = None if forced else kept.get(found.key)
    if stored is not None:
        return Kept(stored, known_before=True)
    with kept.lock(found.key):
        stored = None if forced else kept.get(found.key)
        if stored is not None:
            return Kept(stored, known_before=True)
        value = compute()
        stored = kept.put(found.key, value, found.parts, step.name)
    if stored is None:
        return value
    return Kept(stored, stored.load() if stored.kind == "lazy" else value, known_before=False)


def loaded(step: StepRun, compute: Callable[[], Any]) -> Any:
    """Return the kept value of a step, computed anew where what was kept is damaged."""
    from glacier.cache.store import DamagedEntryError, ForeignEntryError

    stored: Stored = step.stored
    try:
        return stored.load()
    except (DamagedEntryError, ForeignEntryError):
        return compute()


def _told(value: Any) -> Any:
    """Return what tells the key of a value: what is kept of it, so that it need not be read."""
    if type(value) is Deferred:
        step: Any = value._self_step
        return value.__wrapped__ if step.stored is None else step.stored
    return plain(value)
