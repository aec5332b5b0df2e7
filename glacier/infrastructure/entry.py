"""Runs a task or a pipeline as a function of a cloud: generated packages carry this file as `glacier_entry.py`.

`GLACIER_TARGET` names what to run, as `module:name`. The event's keys are the task's or pipeline's parameters;
resources come from the environment that the module gives it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

__all__ = ["handler"]


def handler(event: dict[str, Any] | None, context: Any) -> Any:
    """Run the target with the event's keys as its parameters; return what a task returns, of a pipeline its name."""
    module, _, name = os.environ["GLACIER_TARGET"].partition(":")
    target = getattr(importlib.import_module(module), name)
    if hasattr(target, "bind") and hasattr(target, "graph"):
        target.run(**(event or {}))
        return {"pipeline": target.name}
    if getattr(target, "env", None) is None:
        return getattr(target, "fn", target)(**(event or {}))
    args, known = target.signature.fill("task", target.name, target.env, (), event or {})
    return target.fn(*args, **known)
