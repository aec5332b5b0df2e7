"""What an environment's pipelines would generate, as settings by address; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from glacier.infrastructure.collect import collect
from glacier.terraform import Call, Ref, Text
from glacier.terraform.hcl import expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier.infrastructure.collect import Recorded
    from glacier.terraform import Block, Value

__all__ = ["Outline", "outline"]


@dataclass(frozen=True)
class Outline:
    """One resource of Terraform: its kind, the Glacier resource that it is for, and its settings by path, as code."""

    kind: str
    about: str
    settings: Mapping[str, str]


def outline(env: Any, recorded: Sequence[Recorded]) -> dict[str, Outline]:
    """Return the resources that pipelines and all that is registered would generate in an environment, by address.

    Variables stand there with the environment's values. What is on this machine generates nothing.

    Raises:
        ConfigError: configs do not fit together.
        InfrastructureError: a provider is none that Glacier can build for.
    """
    blueprints = [provider.terraform(needs) for provider, needs in collect(env, recorded, whole=True).parts]
    values: dict[str, Value] = {"environment": env.name}
    for each in blueprints:
        values.update(each.values)
    return {
        block.address: Outline(block.labels[0], each.resources.get(block.address, ""), dict(_settings(block, values)))
        for each in blueprints
        for block in each.document
        if block.kind == "resource"
    }


def _settings(block: Block, values: Mapping[str, Value], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in block.arguments.items():
        yield from _leaves(f"{path}{name}", _filled(value, values))
    kinds = [inner.kind for inner in block.blocks]
    for place, inner in enumerate(block.blocks):
        number = f"[{kinds[:place].count(inner.kind)}]" if kinds.count(inner.kind) > 1 else ""
        found = list(_settings(inner, values, f"{path}{inner.kind}{number}."))
        yield from found or [(f"{path}{inner.kind}{number}", "{}")]


def _leaves(path: str, value: Value) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in cast("Mapping[str, Value]", value).items():
            yield from _leaves(f"{path}.{name}", inner)
    else:
        yield path, " ".join(expression(value).split())


def _filled(value: Value, values: Mapping[str, Value]) -> Value:
    """Return a value in which variables that the environment gives a value have it."""
    match value:
        case Ref(parts=("var", str(name))) if name in values:
            return values[name]
        case Text(parts=parts):
            return _joined([_filled(part, values) for part in parts], value)
        case Call(function=function, arguments=arguments):
            return Call(function, *(_filled(each, values) for each in arguments))
        case Mapping():
            return {name: _filled(each, values) for name, each in cast("Mapping[str, Value]", value).items()}
        case list() | tuple():
            return [_filled(each, values) for each in cast("Sequence[Value]", value)]
        case _:
            return value


def _joined(parts: Sequence[Value], text: Text) -> Value:
    """Return a text of these parts, as a plain string where all of them are; what is no part of a text stays code."""
    kept = [new if isinstance(new, str | Ref | Call) else old for new, old in zip(parts, text.parts, strict=True)]
    return "".join(cast("list[str]", kept)) if all(isinstance(each, str) for each in kept) else Text(*kept)
