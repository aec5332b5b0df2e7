"""The exported state of an environment: versioned JSON that names everything and holds no secret."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glacier.errors import ConfigError
from glacier.settings import MASK

if TYPE_CHECKING:
    import os

    from glacier.settings import Effective

__all__ = ["PipelineState", "ResourceState", "State", "TaskState", "read_state", "shown", "write_state"]

_JSON = frozenset({type(None), bool, int, float, str, list, dict})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ResourceState(_Model):
    """A registered resource: what it is called, what it is and its effective settings."""

    name: str
    kind: str
    uri: str | None = None
    format: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)


class TaskState(_Model):
    """A task and its effective settings."""

    name: str
    config: dict[str, Any] = Field(default_factory=dict)


class PipelineState(_Model):
    """A pipeline."""

    name: str


class State(_Model):
    """What an environment consists of, in format version 1."""

    version: Literal[1] = 1
    environment: str = "default"
    protected: bool = False
    provider: dict[str, Any] = Field(default_factory=dict)
    resources: list[ResourceState] = Field(default_factory=list[ResourceState])
    tasks: list[TaskState] = Field(default_factory=list[TaskState])
    pipelines: list[PipelineState] = Field(default_factory=list[PipelineState])


def shown(settings: Effective) -> dict[str, Any]:
    """Return effective settings in JSON's own types, with secrets masked."""
    values: dict[str, Any] = {}
    for row in settings.rows:
        name, dot, key = row.setting.partition(".")
        value = row.value if row.shown != MASK and type(row.value) in _JSON else row.shown
        if dot:
            values.setdefault(name, {})[key] = value
        else:
            values[name] = value
    return values


def write_state(state: State, path: str | os.PathLike[str]) -> Path:
    """Write a state as JSON and return the file's path; folders are made, the old file stays until the new is whole."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, suffix=".tmp", delete=False) as file:
        file.write(state.model_dump_json(indent=2) + "\n")
    Path(file.name).replace(target)
    return target


def read_state(path: str | os.PathLike[str]) -> State:
    """Read an exported state.

    Raises:
        ConfigError: the file is no JSON, is cut off, or is of another format version.
        FileNotFoundError: there is no such file.
    """
    try:
        return State.model_validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no state of this version of Glacier: {_reason(error)}", hint="export it again"
        ) from error


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
