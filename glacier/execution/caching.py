"""Results that are kept between runs: looked up before a task runs, kept after it."""

# pyright: reportPrivateUsage=false
# A Deferred keeps its step behind an underscore: every other name is the user's.

from __future__ import annotations

import contextlib
import functools
import warnings
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, DamagedEntryError, GlacierWarning, ResourceNotFoundError, did_you_mean
from glacier.home import home
from glacier.recording.live import Deferred, plain
from glacier.recording.steps import replaced
from glacier.resources import Bucket, Serverless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from glacier.cache.store import Store, Stored
    from glacier.execution.steps import StepRun

__all__ = ["Kept", "Place", "cached", "loaded", "place", "store"]

Place = int | str | Bucket | None
"""Where an environment keeps results: bytes of the local folder, a bucket, or the name of a registered one."""


class Kept:
    """A result that the cache keeps; `value` is None where it was not read, since it was there before."""

    __slots__ = ("known_before", "stored", "value")

    def __init__(self, stored: Stored, value: Any = None, *, known_before: bool) -> None:
        self.stored = stored
        self.value = value
        self.known_before = known_before


def place(given: Any) -> Place:
    """Return where results are to be kept, a text such as "5 GB" as bytes; what begins with a letter is a name.

    Raises:
        ConfigError: it is no size above zero, no bucket and no name.
    """
    if given is None or isinstance(given, Bucket) or (isinstance(given, str) and given[:1].isalpha()):
        return given
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = 0 if isinstance(given, bool) else int(TypeAdapter(ByteSize).validate_python(given))
    except ValidationError:
        size = 0
    if size <= 0:
        hint = "give a size in bytes, a text such as '5 GB' or '5 GiB', a bucket, or the name of a registered one"
        raise ConfigError(f"results cannot be kept in {given!r}", hint=hint)
    return size


def store(env: Any) -> Store:
    """Return the cache of an environment: the project's folder, or a bucket.

    Raises:
        ResourceNotFoundError: the environment has no resource of the name that its `cache` gives.
        ConfigError: that resource is no bucket.
    """
    where: Place = env.cache
    if isinstance(where, str):
        where = _registered(env, where)
    return _store(home() / "cache", where)


def _registered(env: Any, name: str) -> Bucket:
    found = env.resources.get(name)
    if isinstance(found, Bucket):
        return found
    what = f"environment {env.name!r} keeps results in {name!r}"
    if found is None:
        hint = did_you_mean(name, env.resources)
        raise ResourceNotFoundError(f"{what}, and no resource has that name", hint=hint)
    raise ConfigError(f"{what}, which is no bucket", hint="give cache= a bucket, its name, or a size")


@functools.lru_cache(maxsize=16)
def _store(root: Path, where: int | Bucket | None) -> Store:
    from glacier.cache.store import DEFAULT_LIMIT, Store

    return Store.on(where) if isinstance(where, Bucket) else Store(root, where or DEFAULT_LIMIT)


def cached(step: StepRun, env: Any, settings: Mapping[str, Any], forced: bool, compute: Callable[[], Any]) -> Any:
    """Return what is kept of a step, or its computed value, which is kept from now on where that is possible.

    Of several threads and processes only one computes a result. A LazyFrame is computed and comes back as a scan.
    """
    from glacier.cache.fingerprint import fingerprint_or_warn

    assert step.task is not None
    _say_what_it_writes(step)
    arguments = {name: replaced(value, _told) for name, value in step.arguments.items()}
    found = fingerprint_or_warn(step.name, step.task.fn, arguments, settings)
    if found is None:
        return compute()
    kept = store(env)
    stored = None if forced else kept.get(found.key)
    if stored is not None:
        return Kept(stored, known_before=True)
    with kept.lock(found.key):
        stored = None if forced else kept.get(found.key)
        if stored is not None:
            return Kept(stored, known_before=True)
        value = compute()
        stored = kept.put(found.key, value, found.parts, step.name)
    return value if stored is None else _kept_now(stored, value)


_said: set[tuple[str, tuple[str, ...]]] = set()


def _say_what_it_writes(step: StepRun) -> None:
    """Warn once of a cached task that writes: where its result is kept it does not run."""
    assert step.task is not None
    usage = step.task.usage
    if not usage.writes:
        return
    known = {name for name, value in step.arguments.items() if isinstance(value, Bucket | Serverless)}
    written = tuple(sorted(usage.writes & (known | usage.registry.keys())))
    if written and (step.name, written) not in _said:
        _said.add((step.name, written))
        names = ", ".join(map(repr, written))
        warnings.warn(
            f"task {step.name!r} has cache=True and writes to {names}: where its result is kept it does not run, and "
            "nothing is written (write in a task of its own, without cache=True)",
            GlacierWarning,
            stacklevel=3,
        )


def _kept_now(stored: Stored, value: Any) -> Any:
    if stored.kind != "lazy":
        return Kept(stored, value, known_before=False)
    with contextlib.suppress(DamagedEntryError):  # another process may have removed it: the limit
        return Kept(stored, stored.load(), known_before=False)
    return value


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
