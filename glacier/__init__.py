"""Glacier: cloud-agnostic data pipelines with injected dependencies.

The names below are loaded when they are first used, so that `import glacier` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier.browsing import browse
    from glacier.comparison import diff
    from glacier.environment import Defaults, GlacierEnv
    from glacier.errors import GlacierError, GlacierWarning
    from glacier.graph import Graph
    from glacier.project import Project
    from glacier.resources import Bucket, Serverless
    from glacier.settings import TaskConfig
    from glacier.state import read_state
    from glacier.tasks import Inject, Pipeline, Task, task

__version__ = "0.1.0"

__all__ = [
    "Bucket",
    "Defaults",
    "GlacierEnv",
    "GlacierError",
    "GlacierWarning",
    "Graph",
    "Inject",
    "Pipeline",
    "Project",
    "Serverless",
    "Task",
    "TaskConfig",
    "browse",
    "diff",
    "read_state",
    "task",
]

_HOMES = {
    "Bucket": "glacier.resources",
    "Defaults": "glacier.environment",
    "GlacierEnv": "glacier.environment",
    "GlacierError": "glacier.errors",
    "GlacierWarning": "glacier.errors",
    "Graph": "glacier.graph",
    "Inject": "glacier.tasks",
    "Pipeline": "glacier.tasks",
    "Project": "glacier.project",
    "Serverless": "glacier.resources",
    "Task": "glacier.tasks",
    "TaskConfig": "glacier.settings",
    "browse": "glacier.browsing",
    "diff": "glacier.comparison",
    "read_state": "glacier.state",
    "task": "glacier.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glacier' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
