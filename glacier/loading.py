"""Finding the pipelines of a Python file, and reading the parameters that are given on a line."""

from __future__ import annotations

import json
import runpy
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, ObjectNotFoundError, PipelineError, did_you_mean
from glacier.home import project_root
from glacier.tasks import Pipeline, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glacier.execution.journal import RunRecord

__all__ = ["arguments_of", "chosen", "load_file", "load_into", "load_pipeline", "load_recorded", "parameters"]


def load_pipeline(target: str) -> Pipeline:
    """Execute a Python file, its `if __name__ == "__main__"` part left out, and return a pipeline that it defines.

    `target` is `FILE` or `FILE:PIPELINE`; without a name the file must define exactly one.

    Raises:
        ObjectNotFoundError: there is no such file.
        ConfigError: the file defines no pipeline, several, or none of that name.
        Exception: whatever the file raised.
    """
    file, name = _split(target)
    found = {pipeline.name: pipeline for pipeline in _pipelines(file)}
    if name is not None:
        return chosen("pipeline", name, found.values(), str(file))
    if len(found) != 1:
        raise ConfigError(
            f"{file} defines {len(found) or 'no'} pipelines",
            hint=f"say which: {file}:{min(found)}" if found else "decorate a function with @env.pipeline()",
        )
    return next(iter(found.values()))


def chosen(what: str, name: str, found: Iterable[Any], file: str) -> Any:
    """Return the task or pipeline of a name among those of a file; of several the last.

    Raises:
        ConfigError: there is none; the error suggests the nearest name.
    """
    known = {each.name: each for each in found}
    if name not in known:
        raise ConfigError(f"{file} defines no {what} {name!r}", hint=did_you_mean(name, known))
    return known[name]


def load_recorded(record: RunRecord) -> Pipeline:
    """Return the pipeline of a run in the journal, in the environment in which it ran.

    Raises:
        PipelineError: the pipeline was not defined in a file, or its file does not define it any more.
        Exception: whatever the file raised.
    """
    again = f"where the pipeline is defined, call {record.pipeline}.resume({record.id!r})"
    if record.target is None:
        raise PipelineError(f"run {record.id}: pipeline {record.pipeline!r} was not defined in a file", hint=again)
    file, _ = _split(record.target)
    if not file.is_file():
        raise PipelineError(f"run {record.id}: there is no file {str(file)!r} any more", hint=again)
    named = [each for each in _pipelines(file) if each.name == record.pipeline]
    own = [each for each in named if each.env.name == record.environment]
    if own:
        return own[-1]
    env = _of_project(record)
    if env is None or not named:
        raise PipelineError(
            f"run {record.id}: {file} defines no pipeline {record.pipeline!r} in environment {record.environment!r}",
            hint=again,
        )
    return env.bind(named[-1])


def _of_project(record: RunRecord) -> Any:
    """Return the environment of a run as the project that it was started in has it, None where it has none."""
    from glacier.project import Project

    folder = Path(record.folder)
    project = None if project_root(folder) is None else Project.find(folder)
    return project.env(record.environment) if project is not None and record.environment in project.names else None


def _pipelines(file: Path) -> list[Pipeline]:
    return [each for each in load_file(str(file)).values() if isinstance(each, Pipeline)]


def load_file(file: str) -> dict[str, Task | Pipeline]:
    """Execute a Python file, its main part left out, and return its tasks and pipelines by the names it gives them.

    Raises:
        ObjectNotFoundError: there is no such file.
        Exception: whatever the file raised.
    """
    place = Path(file)
    if not place.is_file():
        raise ObjectNotFoundError(f"there is no file {file!r}", hint="give the path of a Python file")
    sys.path.insert(0, str(place.parent.resolve()))
    return {name: each for name, each in runpy.run_path(file).items() if isinstance(each, Task | Pipeline)}


def load_into(env: Any, file: str) -> dict[str, Any]:
    """Execute a Python file, its main part left out, bind its tasks and pipelines to `env`, and return them by name.

    Raises:
        ObjectNotFoundError: there is no such file.
        Exception: whatever the file raised.
    """
    return {name: env.bind(each) for name, each in load_file(file).items()}


def parameters(pairs: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` pairs; a value that is JSON (3, true, [1, 2], "x") becomes what it says, others stay text.

    Raises:
        ConfigError: a pair has no `=` or no key.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key.isidentifier() and equals):
            raise ConfigError(f"{pair!r} is no parameter", hint="write key=value")
        found[key] = _value(text)
    return found


def arguments_of(target: Task | Pipeline, pairs: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` pairs as arguments of a task or pipeline, each as its parameter is annotated.

    For `day: date` the text `2024-01-01` is a date, for `code: str` the text `007` is text. Without an annotation that
    says so, the value is what `parameters` makes of it.

    Raises:
        ConfigError: a pair has no `=`, there is no such parameter, or the value is none of its type.
    """
    known = target.signature.parameters
    anything = any(each.kind is each.VAR_KEYWORD for each in known.values())
    found: dict[str, Any] = {}
    for pair in pairs:
        ((key, value),) = parameters([pair]).items()
        if key not in known and not anything:
            hint = did_you_mean(key, known) if known else "it takes none"
            raise ConfigError(f"{target.name!r} has no parameter {key[:60]!r}", hint=hint)
        found[key] = _as_annotated(target, key, value, pair.partition("=")[2])
    return found


def _as_annotated(target: Task | Pipeline, key: str, value: Any, text: str) -> Any:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    wanted = target.signature.annotation(key)
    if wanted is None or isinstance(wanted, str):
        return value
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(wanted)
    except PydanticUserError:  # a type that cannot be made of text, such as a DataFrame
        return value
    for given in (value, text):
        with suppress(ValidationError):
            return adapter.validate_python(given)
    kind = wanted.__name__ if isinstance(wanted, type) else str(wanted)
    raise ConfigError(
        f"parameter {key!r} of {target.name!r} is of type {kind}, which {text[:60]!r} is not",
        hint=f"write -p {key}=VALUE, a list or mapping as JSON in single quotes: -p '{key}=[1, 2]'",
    )


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _split(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and not Path(target).exists():
        return Path(file), name
    return Path(target), None
