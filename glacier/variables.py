"""`${NAME}` in a text: the value of an environment variable; of a secret one nothing tells from then on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, cast

from glacier.errors import ConfigError
from glacier.redaction import learn_variable

__all__ = ["expanded", "mentions"]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expanded(value: Any) -> Any:
    """Return a value with each `${NAME}` in its texts, also within lists and tables, replaced by the variable.

    Raises:
        ConfigError: a variable is not set or is empty; the error names it.
    """
    if isinstance(value, str):
        return _VARIABLE.sub(_variable, value)
    if isinstance(value, Mapping):
        return {key: expanded(each) for key, each in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [expanded(each) for each in cast("list[Any]", value)]
    return value


def mentions(value: Any) -> bool:
    """Whether a text names a variable."""
    return isinstance(value, str) and _VARIABLE.search(value) is not None


def _variable(match: re.Match[str]) -> str:
    name = match[1]
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{match[0]!r} names no environment variable", hint="write ${NAME}")
    value = os.environ.get(name, "")
    if not value.strip():
        raise ConfigError(f"the environment variable {name} is not set", hint=f"set {name}")
    learn_variable(name, value)
    return value
