"""The environment variables of functions: what may stand in a file, and what must not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier.settings import MASK, Row
from glacier.terraform import Block, Value, identifier, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure.needs import FunctionNeed

__all__ = ["Environment", "environment_of"]


@dataclass(frozen=True)
class Environment:
    """A function's environment as an argument, and the sensitive variables that it refers to."""

    values: Mapping[str, Value] = field(default_factory=dict[str, Any])
    variables: tuple[Block, ...] = ()


def environment_of(need: FunctionNeed) -> Environment:
    """Return the environment of a function; a value that looks like a secret becomes a sensitive variable.

    Which ones do is said by `Row.shown`, so that what Glacier never shows it never writes into a file either.
    """
    values: dict[str, Value] = {**need.config.environment_vars, **need.variables}
    secrets = [name for name, value in values.items() if _is_secret(name, value)]
    made = {name: _variable(need, name) for name in secrets}
    return Environment({**values, **{name: block.ref for name, block in made.items()}}, tuple(made.values()))


def _is_secret(name: str, value: Value) -> bool:
    return Row(f"environment_vars.{name}", value, "resource").shown == MASK


def _variable(need: FunctionNeed, name: str) -> Block:
    label = f"{need.label}_{identifier(name)}"
    return variable(label, "string", f"Value of {name} in the environment of function {need.name}.", sensitive=True)
