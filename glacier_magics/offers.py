"""What Tab offers of each kind: the names that there are, each with the type that a completer shows beside it.

JupyterLab and IPython's terminal show any word as a type. `function` is no good one: the terminal adds parentheses.
"""

from __future__ import annotations

import inspect
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from glacier import Bucket, registry
from glacier.addresses import is_address
from glacier.errors import GlacierError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from glacier import GlacierEnv, Pipeline, Task
    from glacier_magics.session import Session

__all__ = ["Offer", "Offers", "parameters"]

_PATIENCE = 0.4
"""Seconds that Tab waits for a store; what comes later is there at the next Tab."""
_FRESH = 60.0
"""Seconds that an answer of a store is taken for true."""
_RUNS = 50
_OBJECTS = 200


class Offer(NamedTuple):
    """A word, and what it is."""

    text: str
    type: str


class Offers:
    """What there is in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers: dict[Any, tuple[float, list[str]]] = {}

    def of(self, kind: str, env: GlacierEnv | None, said: str) -> Iterable[Offer]:
        """Return what there is of a kind, for a word of which so much is said."""
        match kind:
            case "environments":
                return _all("environment", self._session.known())
            case "providers" | "executors":
                return _all(kind.removesuffix("s"), registry.known(kind))
            case "files":
                return _files(said)
            case _:
                return [] if env is None else self._of_environment(kind, env, said)

    def _of_environment(self, kind: str, env: GlacierEnv, said: str) -> list[Offer]:
        kinds: dict[str, Callable[[], list[Offer]]] = {
            "tasks": lambda: _all("task", env.tasks),
            "pipelines": lambda: _all("pipeline", env.pipelines),
            "runnable": lambda: [*_all("pipeline", env.pipelines), *_all("task", env.tasks)],
            "runs": lambda: _all("run", _runs(env)),
            "settings": lambda: [*_all("resource", env.list_resources()), *_all("task", env.tasks)],
            "resources": lambda: [*_all("resource", env.list_resources()), *self._objects(env, said)],
        }
        kinds["previewable"] = lambda: [*kinds["resources"](), *self._frames()]
        return kinds[kind]() if kind in kinds else []

    def _frames(self) -> list[Offer]:
        names = [name for name in list(self._session.names) if not name.startswith("_")]
        return _all("frame", [name for name in names if self._session.frame(name) is not None])

    def _objects(self, env: GlacierEnv, said: str) -> list[Offer]:
        """Return the first objects of a resource, or of the folder in it that is said; of a path the files there."""
        if is_address(said):
            return _files(said)
        name, slash, path = said.partition("/")
        bucket = env.resources.get(name)
        if not slash or not isinstance(bucket, Bucket):
            return []
        folder = path.rpartition("/")[0]
        below = folder if folder.startswith(f"{bucket.path}/") else ""
        found = self._in_time((env.name, name, below), lambda: _paths(bucket, below))
        return _all("object", [f"{name}/{path}" for path in found])

    def columns(self, env: GlacierEnv | None, target: str) -> list[Offer]:
        """Return the columns of a resource, or of a frame of the notebook."""
        return _all("column", self._columns(env, target))

    def _columns(self, env: GlacierEnv | None, target: str) -> list[str]:
        frame = self._session.frame(target)
        if frame is not None and not self._session.has_resource(target):
            return self._in_time((id(frame), "columns"), lambda: list(frame.collect_schema()))
        bucket = None if env is None else env.resources.get(target)
        if env is None or not isinstance(bucket, Bucket):
            return []
        seen = self._session.schemas.get((env.name, target))
        return seen or self._in_time((env.name, target, "columns"), lambda: list(bucket.schema()))

    def _in_time(self, key: Any, ask: Callable[[], list[str]]) -> list[str]:
        """Return an answer that is fresh, or that comes in time; a late one is kept for the next Tab."""
        at, known = self._answers.get(key, (0.0, []))
        if time.monotonic() - at < _FRESH and at:
            return known
        self._answers[key] = time.monotonic(), known

        def work() -> None:
            try:
                self._answers[key] = time.monotonic(), ask()
            except Exception:
                self._answers.pop(key, None)

        thread = threading.Thread(target=work, name="glacier-completion", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        return self._answers.get(key, (0.0, []))[1]


def parameters(target: Pipeline | Task, said: str) -> list[Offer]:
    """Return for `KEY=VALUE` the parameters of a pipeline or task, or behind the `=` values that one may have."""
    own = _signature(target.fn).parameters
    key, equals, _ = said.partition("=")
    if not equals:
        return [Offer(f"{name}=", "parameter") for name in own if name not in target.env.resources]
    values = dict.fromkeys(_values(own[key])) if key in own else ()
    return [Offer(f"{key}={value}", "value") for value in values]


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    """Return the signature, with annotations for what they stand for where that can be told."""
    try:
        return inspect.signature(fn, eval_str=True)
    except Exception:  # whatever the annotations raise
        return inspect.signature(fn)


def _values(parameter: inspect.Parameter) -> Iterator[str]:
    """Yield the values of a parameter that are known: its default, those of a Literal, true and false."""
    kind = parameter.annotation
    choices: Sequence[Any] = (True, False) if kind is bool else get_args(kind)
    yield from (_typed(each) for each in (parameter.default, *choices) if isinstance(each, bool | int | float | str))


def _typed(value: bool | float | str) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _all(kind: str, names: Iterable[str]) -> list[Offer]:
    return [Offer(name, kind) for name in names]


def _runs(env: GlacierEnv) -> list[str]:
    try:
        return [run.id for run in env.runs[:_RUNS]]
    except GlacierError:  # a journal of a newer version
        return []


def _paths(bucket: Bucket, below: str) -> list[str]:
    from glacier.addresses import first_entries

    place = bucket.provider.bucket(bucket.bucket_name, below) if below else bucket
    return [each.path for each in first_entries(place, _OBJECTS)[0]]


def _files(said: str) -> list[Offer]:
    head, slash, _ = said.rpartition("/")
    folder = Path(head or ("/" if slash else ".")).expanduser()
    try:
        found = sorted(folder.iterdir())[:500]
    except OSError:
        return []
    return [
        Offer(f"{head}{slash}{each.name}/", "folder") if each.is_dir() else Offer(f"{head}{slash}{each.name}", "file")
        for each in found
    ]
